// What is wrong with a configuration, as its reader needs it: file, line, column, what was expected, what stands
// there, and the nearest name that would have been right.

import type { z } from "zod";
import { EdgeError } from "../../sdk/errors.ts";
import type { ConfigFault } from "../../sdk/gateway/config.ts";
import { nearest } from "./suggestion.ts";
import type { Path, Place } from "./yaml.ts";

/** More are not read. */
const FAULTS_MAX = 50;
/** A value that is shown; longer ones are cut. */
const SHOWN_CHARS_MAX = 60;
/** What is never shown, whatever is wrong with it. */
const SECRET = /secret|key|password|token/i;

export interface Finding {
  readonly path: Path;
  /** It is the key that is wrong, not its value. */
  readonly isKey?: boolean;
  readonly expected: string;
  readonly problem: string;
  readonly suggestion?: string;
}

export function faultOf(
  finding: Finding,
  file: string,
  place: (path: Path, key?: boolean) => Place,
): ConfigFault {
  const { path, isKey = false, expected, problem, suggestion = "" } = finding;
  return { file, ...place(path, isKey), field: fieldText(path), problem, expected, suggestion };
}

/** "edge.yaml:12:5: routes[0].target.upstream: expected …, found …. Did you mean …?" */
export function faultText(fault: ConfigFault): string {
  const { file, line, column, field, problem, expected, suggestion } = fault;
  const where = `${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}`;
  const hint = suggestion === "" ? "" : `. Did you mean ${suggestion}?`;
  return `${where}${problem}; expected ${expected}${hint}`;
}

export function configInvalid(faults: readonly ConfigFault[]): EdgeError {
  const shown = faults.slice(0, FAULTS_MAX);
  const more = faults.length > shown.length ? [`… and ${faults.length - shown.length} more`] : [];
  const message = [...shown.map(faultText), ...more].join("\n");
  return new EdgeError("GATEWAY_CONFIG_INVALID", message, { detail: { faults: shown } });
}

export interface Subject {
  /** What the schema was given. */
  readonly value: unknown;
  /** The keys that the map at a place may have. */
  readonly keysAt: (path: Path) => readonly string[];
}

export function findingsOf(issues: readonly z.core.$ZodIssue[], subject: Subject): Finding[] {
  const all = issues.flatMap((issue) => findings(issue, [], subject));
  // A map with a misspelt key is also not what its place expects: once is enough.
  return all.filter((one) => !all.some((other) => isBelow(other.path, one.path)));
}

function isBelow(path: Path, above: Path): boolean {
  return path.length > above.length && above.every((part, depth) => path[depth] === part);
}

function findings(issue: z.core.$ZodIssue, base: Path, subject: Subject): Finding[] {
  const { value, keysAt } = subject;
  const path: Path = [...base, ...issue.path.filter((part) => typeof part !== "symbol")];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey([...path, key], keysAt(path)));
    case "invalid_union": {
      const inner = closest(issue.errors);
      return inner === null
        ? [wrongValue(path, issue.message, value)]
        : inner.flatMap((one) => findings(one, path, subject));
    }
    case "invalid_key":
      return [
        {
          path,
          isKey: true,
          expected: issue.issues[0]?.message ?? "a name",
          problem: "a bad name",
        },
      ];
    default:
      return [wrongValue(path, issue.message, value)];
  }
}

/** Of a union's branches the one that what stands there was meant for: whose own type fits. */
function closest(branches: readonly (readonly z.core.$ZodIssue[])[]): z.core.$ZodIssue[] | null {
  const [only, second] = branches.filter((issues) => !issues.some(isOfAnotherType));
  return only !== undefined && second === undefined ? [...only] : null;
}

function isOfAnotherType({ path, code }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === "invalid_type" || code === "invalid_value");
}

function unknownKey(path: Path, known: readonly string[]): Finding {
  const name = String(path.at(-1));
  const suggestion = nearest(name, known) ?? "";
  const expected = known.length === 0 ? "no such key" : `one of ${known.join(", ")}`;
  return { path, isKey: true, expected, problem: `unknown key "${name}"`, suggestion };
}

function wrongValue(path: Path, expected: string, root: unknown): Finding {
  const value = valueAt(root, path);
  const name = path.findLast((part) => typeof part === "string") ?? "";
  const choices = /^one of (.+)$/.exec(expected)?.[1]?.split(", ") ?? [];
  const near = typeof value === "string" && choices.length > 0 ? nearest(value, choices) : null;
  const hasUnit = typeof value === "number" && expected.startsWith("a duration");
  const suggestion = near ?? (hasUnit ? `${value}s` : "");
  const problem =
    value === undefined ? "missing" : SECRET.test(name) ? "wrong" : `found ${shown(value)}`;
  return { path, expected, problem, suggestion };
}

export function valueAt(root: unknown, path: Path): unknown {
  let at = root;
  for (const part of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a map";
  const text = JSON.stringify(value) ?? "";
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

function fieldText(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join("");
}
