// Path patterns of routes: `/a/:id`, `/a/{id}`, `/a/{id:[0-9]+}`, `/files/*`, `/files/{*rest}`. A pattern is
// a list of segments; a path is split at "/" after its first one, so `/a` is ["a"] and `/a/` is ["a", ""]:
// two different addresses. A wildcard takes what follows its slash, which may be nothing: `/files/*` answers
// `/files/` and `/files/x/y`, not `/files`. `*` alone is `{*rest}`. A parameter is a whole, non-empty segment.
//
// Paths are compared as they arrive, except for spelling: percent-encoded unreserved characters equal their
// plain form (RFC 3986, 6.2.2.2), hex digits have no case, characters that may not stand in a path equal their
// encoded form. Nothing else is normalised: no dot segments, no double slashes; `%2F` never separates.

import { EdgeError } from "./errors.ts";
import { checkRegex } from "./pattern-regex.ts";

export type PatternSegment =
  /** In canonical spelling, see canonicalSegment. */
  | { readonly kind: "literal"; readonly text: string }
  /** `source` is matched against the whole decoded segment; a longer one than `inputMax` does not match. */
  | {
      readonly kind: "regex";
      readonly name: string;
      readonly source: string;
      readonly inputMax: number;
    }
  | { readonly kind: "param"; readonly name: string };

export interface Pattern {
  readonly segments: readonly PatternSegment[];
  /** Name of the wildcard at the end, or null. */
  readonly rest: string | null;
}

/** A pattern is read by people; a longer one is a mistake. Unit: UTF-16 units. */
export const PATTERN_LENGTH_MAX = 1_024;
/** Bounds the depth of a route table's tree, which is walked recursively. */
export const PATTERN_SEGMENTS_MAX = 64;

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
const BAD_PERCENT = /%(?![0-9A-Fa-f]{2})/;
const SPELLINGS = /%[0-9A-Fa-f]{2}|[^\w\-.~!$&'()*+,;=:@%\u{80}-\u{10ffff}]/gu;

/** Whether a path may contain a segment that is not in canonical spelling. */
export const MAYBE_UNCANONICAL: RegExp = /[^\w\-.~!$&'()*+,;=:@/]/;

/** One spelling for all equal segments. Text with an invalid `%` stays as it is and so equals no literal. */
export function canonicalSegment(raw: string): string {
  return raw.replaceAll(SPELLINGS, (found) => {
    if (found.length === 1) return percent(found.charCodeAt(0));
    const char = String.fromCharCode(Number.parseInt(found.slice(1), 16));
    return UNRESERVED.test(char) ? char : found.toUpperCase();
  });
}

export function parsePattern(path: string): Pattern {
  if (!path.startsWith("/")) throw invalid(path, 0, 'a path begins with "/"');
  if (path.length > PATTERN_LENGTH_MAX) {
    throw invalid(path.slice(0, 40), 0, `it is longer than ${PATTERN_LENGTH_MAX} characters`);
  }
  const segments: PatternSegment[] = [];
  let rest: string | null = null;
  for (let at = 1; at <= path.length;) {
    const end = segmentEnd(path, at);
    const text = path.slice(at, end);
    const last = end === path.length;
    const wildcard = parseWildcard(path, at, text);
    if (wildcard === null) segments.push(parseSegment(path, at, text));
    else if (last) rest = wildcard;
    else throw invalid(path, at, "a wildcard can only be the last segment");
    at = end + 1;
  }
  if (segments.length > PATTERN_SEGMENTS_MAX) {
    throw invalid(path, 0, `it has more than ${PATTERN_SEGMENTS_MAX} segments`);
  }
  const pattern = { segments, rest };
  assertDistinctNames(path, pattern);
  return pattern;
}

/** Names of all parameters, in order; the wildcard's last. */
export function paramNames(pattern: Pattern): readonly string[] {
  const names = pattern.segments.flatMap((segment) =>
    segment.kind === "literal" ? [] : [segment.name],
  );
  return pattern.rest === null ? names : [...names, pattern.rest];
}

/** Two patterns of one shape have equal precedence and may answer the same path. */
export function shapeOf(pattern: Pattern): string {
  const parts = pattern.segments.map((segment) =>
    segment.kind === "literal" ? segment.text : `{${segment.kind}}`,
  );
  return `/${(pattern.rest === null ? parts : [...parts, "{*}"]).join("/")}`;
}

/** The next "/" that is not inside braces, or the end. */
function segmentEnd(path: string, from: number): number {
  if (path[from] !== "{") {
    const slash = path.indexOf("/", from);
    return slash === -1 ? path.length : slash;
  }
  const close = closingBrace(path, from);
  if (close === -1) throw invalid(path, from, 'this "{" is never closed');
  const after = close + 1;
  if (after === path.length || path[after] === "/") return after;
  throw invalid(path, after, "a parameter must be a whole segment");
}

/** Braces of a regular expression nest; those escaped or in a class do not count. */
function closingBrace(path: string, from: number): number {
  let depth = 0;
  let inClass = false;
  for (let at = from; at < path.length; at += 1) {
    const char = path[at];
    if (char === "\\") at += 1;
    else if (inClass) inClass = char !== "]";
    else if (char === "[") inClass = true;
    else if (char === "{") depth += 1;
    else if (char === "}") {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return -1;
}

function parseWildcard(path: string, at: number, text: string): string | null {
  if (text === "*") return "rest";
  if (!text.startsWith("{*")) return null;
  return parseName(path, at + 2, text.slice(2, -1));
}

function parseSegment(path: string, at: number, text: string): PatternSegment {
  if (text.startsWith(":")) {
    return { kind: "param", name: parseName(path, at + 1, text.slice(1)) };
  }
  if (!text.startsWith("{")) return { kind: "literal", text: parseLiteral(path, at, text) };
  const inner = text.slice(1, -1);
  const colon = inner.indexOf(":");
  if (colon === -1) return { kind: "param", name: parseName(path, at + 1, inner) };
  const name = parseName(path, at + 1, inner.slice(0, colon));
  const source = inner.slice(colon + 1);
  const check = checkRegex(source);
  if (!check.ok) throw invalid(path, at + 2 + colon + check.at, check.problem);
  return { kind: "regex", name, source, inputMax: check.inputMax };
}

function parseLiteral(path: string, at: number, text: string): string {
  const odd = /[*{}?#]|\p{Cc}/u.exec(text);
  if (odd !== null) throw invalid(path, at + odd.index, literalProblem(odd[0]));
  if (text === "." || text === "..") {
    throw invalid(path, at, "clients remove dot segments, so this address can never be asked for");
  }
  const percentAt = BAD_PERCENT.exec(text);
  if (percentAt !== null) {
    throw invalid(path, at + percentAt.index, 'two hex digits belong after "%" (a plain % is %25)');
  }
  if (!text.isWellFormed()) throw invalid(path, at, "it contains half a character");
  return canonicalSegment(text.replaceAll(/[\u{80}-\u{10ffff}]+/gu, encodeURIComponent));
}

function literalProblem(char: string): string {
  if (char === "*")
    return 'a "*" must be the whole last segment, as in /files/* (a plain * is %2A)';
  if (char === "{" || char === "}") return "a parameter must be a whole segment, as in /a/{id}";
  if (char === "?" || char === "#") return "a pattern has no query and no fragment";
  return "control characters cannot stand in a path";
}

function parseName(path: string, at: number, name: string): string {
  if (NAME.test(name)) return name;
  throw invalid(path, at, "a parameter's name is a letter or _, then letters, digits and _");
}

function assertDistinctNames(path: string, pattern: Pattern): void {
  const seen = new Set<string>();
  for (const name of paramNames(pattern)) {
    if (seen.has(name)) throw invalid(path, 0, `two parameters are called "${name}"`);
    seen.add(name);
  }
}

function percent(code: number): string {
  return `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

function invalid(pattern: string, at: number, problem: string): EdgeError {
  const message = `Route pattern ${JSON.stringify(pattern)}, character ${at + 1}: ${problem}.`;
  return new EdgeError("ROUTE_INVALID", message, { detail: { pattern, at: at + 1, problem } });
}
