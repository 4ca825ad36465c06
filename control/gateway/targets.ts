// A route's target in normal form, with what does not fit together.

import { canonicalSegment, paramNames, parsePattern, type Pattern } from "../../sdk/pattern.ts";
import type {
  PathChange,
  SingleTarget,
  SplitTarget,
  TargetConfig,
} from "../../sdk/gateway/config.ts";
import type { Finding } from "./faults.ts";
import type { SingleTargetFields, TargetFields } from "./schema.ts";
import { nearest } from "./suggestion.ts";
import type { Path } from "./yaml.ts";

const KINDS = ["upstream", "endpoint", "redirect", "respond"] as const;
const PATH_FIELDS = ["stripPrefix", "addPrefix", "rewrite"] as const;
const REDIRECT_STATUS = 302;
/** RFC 9110, section 15.4: the others do not send a client elsewhere. */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

export interface TargetPlace {
  readonly path: Path;
  /** Of the route; null: it is wrong itself. */
  readonly pattern: string | null;
  readonly upstreams: readonly string[];
}

/** null: see what was found. */
export function targetOf(
  { split, by, sticky, ...single }: TargetFields,
  place: TargetPlace,
  found: Finding[],
): TargetConfig | null {
  if (split === undefined) {
    if (by !== undefined) found.push(misplaced([...place.path, "by"], "split"));
    if (sticky !== undefined) found.push(misplaced([...place.path, "sticky"], "split"));
    return singleTargetOf(single, place, found);
  }
  const [odd] = Object.entries(single).find(([, value]) => value !== undefined) ?? [];
  if (odd !== undefined) found.push(misplaced([...place.path, odd], "one of the targets in split"));
  if (by !== undefined && sticky !== undefined) {
    found.push(misplaced([...place.path, "by"], "a split without sticky"));
  }
  const path = [...place.path, "split"];
  if (!split.some(({ weight }) => weight > 0)) {
    const problem = "nothing of it gets a request";
    found.push({ path, expected: "a target with a weight above 0", problem });
  }
  const parts: SplitTarget["parts"][number][] = [];
  for (const [index, { weight, ...fields }] of split.entries()) {
    const target = singleTargetOf(fields, { ...place, path: [...path, index] }, found);
    if (target !== null) parts.push({ weight, target });
  }
  return { kind: "split", parts, by: by ?? null, cookie: sticky?.cookie ?? "" };
}

function singleTargetOf(
  fields: SingleTargetFields,
  { path, pattern, upstreams }: TargetPlace,
  found: Finding[],
): SingleTarget | null {
  const kinds = KINDS.filter((kind) => fields[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const problem = kinds.length === 0 ? "no target" : `${kinds.join(" and ")} together`;
    found.push({ path, expected: `one of ${KINDS.join(", ")}`, problem });
    return null;
  }
  const takesPath = kind === "upstream" || kind === "endpoint";
  for (const name of takesPath ? [] : PATH_FIELDS) {
    if (fields[name] !== undefined) found.push(misplaced([...path, name], "upstream or endpoint"));
  }
  if (fields.status !== undefined && kind !== "redirect") {
    found.push(misplaced([...path, "status"], "redirect"));
  }
  if (fields.redirect !== undefined) {
    if (pattern !== null) {
      checkParameters(fields.redirect, parsePattern(pattern), [...path, "redirect"], found);
    }
    return redirectOf(fields.redirect, fields.status ?? REDIRECT_STATUS, path, found);
  }
  if (fields.respond !== undefined) return { kind: "respond", ...fields.respond };
  const change = pattern === null ? null : pathChange(fields, parsePattern(pattern), path, found);
  const upstream = fields.upstream;
  if (upstream === undefined) {
    return change && { kind: "endpoint", endpoint: fields.endpoint ?? "", path: change };
  }
  if (!upstreams.includes(upstream)) {
    found.push({
      path: [...path, "upstream"],
      expected: upstreams.length === 0 ? "one below upstreams" : `one of ${upstreams.join(", ")}`,
      problem: `no upstream is called "${upstream}"`,
      suggestion: nearest(upstream, upstreams) ?? "",
    });
  }
  return change && { kind: "upstream", upstream, path: change };
}

function misplaced(path: Path, beside: string): Finding {
  const problem = `${String(path.at(-1))} belongs beside ${beside}`;
  return { path, isKey: true, expected: "nothing here", problem };
}

function redirectOf(location: string, status: number, path: Path, found: Finding[]): SingleTarget {
  if (!REDIRECTS.includes(status)) {
    const expected = `one of ${REDIRECTS.join(", ")}`;
    found.push({ path: [...path, "status"], expected, problem: `found ${status}` });
  }
  return { kind: "redirect", location, status };
}

/** Each one that is named has to be one of the route's. */
function checkParameters(text: string, pattern: Pattern, path: Path, found: Finding[]): void {
  const names = paramNames(pattern);
  for (const [, name = ""] of text.matchAll(/\{([^}]*)\}/g)) {
    if (names.includes(name)) continue;
    const expected =
      names.length === 0 ? "a path without {…}" : `one of ${names.map((n) => `{${n}}`).join(", ")}`;
    found.push({ path, expected, problem: `the route has no parameter {${name}}` });
  }
}

function pathChange(
  fields: SingleTargetFields,
  pattern: Pattern,
  path: Path,
  found: Finding[],
): PathChange {
  const { stripPrefix, addPrefix = "", rewrite = null } = fields;
  if (rewrite !== null) {
    checkParameters(rewrite, pattern, [...path, "rewrite"], found);
    for (const name of ["stripPrefix", "addPrefix"] as const) {
      if (fields[name] === undefined) continue;
      found.push(misplaced([...path, name], "a target without rewrite"));
    }
  }
  const prefix = segmentsOf(stripPrefix ?? "/");
  const fits = prefix.every((text, depth) => {
    const segment = pattern.segments[depth];
    return segment?.kind === "literal" && segment.text === text;
  });
  if (!fits) {
    found.push({
      path: [...path, "stripPrefix"],
      expected: "the first segments of the route's path, without parameters",
      problem: `no address of this route begins with "${stripPrefix}"`,
    });
  }
  return { stripSegments: prefix.length, addPrefix: addPrefix.replace(/\/+$/, ""), rewrite };
}

/** "/a/b" and "/a/b/" are ["a", "b"]; "/" is none. */
function segmentsOf(prefix: string): string[] {
  return prefix
    .split("/")
    .filter((text) => text !== "")
    .map(canonicalSegment);
}
