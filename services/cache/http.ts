// HTTP's rules for stored responses (RFC 9110, 9111): how long one is fresh, which requests it answers, and what of it
// a request wants. Header lists are packed as they cross: "name\nvalue\n", names in lower case.

/** Without a word about it: as the embedded cache's entries. */
const FRESH_SECONDS = 3_600;
/** Ten years; more overflows somebody's arithmetic. */
const FRESH_SECONDS_MAX = 315_360_000;

export class HeaderMap {
  readonly #values = new Map<string, string>();

  constructor(packed: string) {
    const parts = packed.split("\n");
    for (let at = 0; at + 1 < parts.length; at += 2) {
      const name = parts[at] ?? "";
      const value = parts[at + 1] ?? "";
      const before = this.#values.get(name);
      this.#values.set(name, before === undefined ? value : `${before}, ${value}`);
    }
  }

  get(name: string): string | null {
    return this.#values.get(name) ?? null;
  }
}

/** How many seconds a response may be stored; 0: not at all. */
export function freshSeconds(headers: HeaderMap, nowMs: number): number {
  const directives = directivesOf(headers.get("cache-control") ?? "");
  for (const name of ["no-store", "no-cache", "private"]) {
    // private="field" is about that field only.
    if (directives.get(name) === "") return 0;
  }
  if (headers.get("set-cookie") !== null && directives.get("private") !== "set-cookie") return 0;
  const age = Number(headers.get("age") ?? 0);
  const given = directives.get("s-maxage") ?? directives.get("max-age");
  if (given !== undefined) return fresh(/^\d+$/.test(given) ? Number(given) - age : 0);
  const expires = headers.get("expires");
  if (expires === null) return FRESH_SECONDS;
  const date = Date.parse(headers.get("date") ?? "");
  const seconds = (Date.parse(expires) - (Number.isNaN(date) ? nowMs : date)) / 1_000 - age;
  return fresh(seconds);
}

function fresh(seconds: number): number {
  return seconds > 0 ? Math.min(Math.floor(seconds), FRESH_SECONDS_MAX) : 0;
}

function directivesOf(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(
    /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,;]*))?/g,
  )) {
    found.set(name.toLowerCase(), value.replaceAll('"', "").trim().toLowerCase());
  }
  return found;
}

/** The names that Vary lists; null: every request is another. */
export function variedNames(headers: HeaderMap): readonly string[] | null {
  const names = (headers.get("vary") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
  return names.includes("*") ? null : [...new Set(names)].toSorted();
}

export function variantOf(names: readonly string[], request: HeaderMap): string {
  return JSON.stringify(names.map((name) => request.get(name)));
}

/** Whether the request has this version already: 304. */
export function isUnchanged(stored: HeaderMap, request: HeaderMap): boolean {
  const tags = request.get("if-none-match");
  const etag = stored.get("etag");
  if (tags !== null) {
    if (tags.trim() === "*") return true;
    return etag !== null && tagsIn(tags).includes(weak(etag));
  }
  const since = Date.parse(request.get("if-modified-since") ?? "");
  const modified = Date.parse(stored.get("last-modified") ?? "");
  return modified <= since;
}

function tagsIn(list: string): string[] {
  return Array.from(list.matchAll(/(?:W\/)?"[^"]*"/g), ([tag]) => weak(tag));
}

function weak(etag: string): string {
  return etag.trim().replace(/^W\//, "");
}

export interface Span {
  readonly from: number;
  /** Behind the last byte. */
  readonly to: number;
}

/** The part that the request wants; null: the whole; "none": there is no such part. One part only: others get all. */
export function spanOf(stored: HeaderMap, request: HeaderMap, size: number): Span | "none" | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.get("range")?.replaceAll(" ", "") ?? "");
  if (match === null || !isSameVersion(stored, request)) return null;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return null;
  if (first === "") {
    const from = Math.max(0, size - Number(last));
    return from < size ? { from, to: size } : "none";
  }
  const from = Number(first);
  if (last !== "" && Number(last) < from) return null;
  if (from >= size) return "none";
  return { from, to: last === "" ? size : Math.min(size, Number(last) + 1) };
}

/** If-Range: a part of another version is of no use. */
function isSameVersion(stored: HeaderMap, request: HeaderMap): boolean {
  const wanted = request.get("if-range");
  if (wanted === null) return true;
  if (wanted.includes('"')) return !wanted.startsWith("W/") && wanted === stored.get("etag");
  return wanted === stored.get("last-modified");
}
