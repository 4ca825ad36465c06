// HTTP's rules for stored responses (RFC 9110, 9111): how long one is fresh, which requests it answers, and what of it
// a request wants. Header lists are packed as they cross: "name\nvalue\n", names in lower case.

/** Responses that say nothing of it, by status, as Workers has them; others are not stored then. */
const FRESH_SECONDS: ReadonlyMap<number, number> = new Map([
  [200, 7_200],
  [301, 7_200],
  [302, 1_200],
  [303, 1_200],
  [404, 180],
  [410, 180],
]);
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

export interface Fresh {
  /** 0: must not be stored. */
  readonly seconds: number;
  /** Headers that are for one client only, and must not be stored with the rest; in lower case. */
  readonly without: readonly string[];
}

/** How long a cache that many share may answer with the response. `unsaid`: where it does not say, in seconds. */
export function freshness(
  { status, headers }: { readonly status: number; readonly headers: HeaderMap },
  request: HeaderMap,
  nowMs: number,
  unsaid: ReadonlyMap<number, number> = FRESH_SECONDS,
): Fresh {
  const control = new CacheControl(headers.get("cache-control") ?? "");
  const without = control.fieldsOf("private", "no-cache");
  const isRefused =
    control.has("no-store") ||
    control.isWhole("no-cache") ||
    control.isWhole("private") ||
    (headers.get("set-cookie") !== null && !without.includes("set-cookie")) ||
    // What one client got for its credentials, unless it says that it is for all.
    (request.get("authorization") !== null &&
      !["public", "s-maxage", "must-revalidate"].some((name) => control.has(name)));
  if (isRefused) return { seconds: 0, without };
  return {
    seconds: lifetime(control, { headers, unsaid: unsaid.get(status) ?? 0 }, nowMs),
    without,
  };
}

/** Beyond its time (RFC 5861): while it is refreshed, and when that fails. null: the response does not say. */
export function staleSeconds(headers: HeaderMap): {
  readonly stale: number | null;
  readonly error: number | null;
} {
  const control = new CacheControl(headers.get("cache-control") ?? "");
  if (control.has("must-revalidate") || control.has("proxy-revalidate")) {
    return { stale: 0, error: 0 };
  }
  return {
    stale: seconds(control.value("stale-while-revalidate")),
    error: seconds(control.value("stale-if-error")),
  };
}

function lifetime(
  control: CacheControl,
  { headers, unsaid }: { readonly headers: HeaderMap; readonly unsaid: number },
  nowMs: number,
): number {
  const age = seconds(headers.get("age")) ?? 0;
  for (const name of ["s-maxage", "max-age"]) {
    if (control.has(name)) return fresh((seconds(control.value(name)) ?? 0) - age);
  }
  const expires = headers.get("expires");
  if (expires === null) return fresh(unsaid - age);
  const from = httpDate(headers.get("date")) ?? nowMs;
  return fresh(((httpDate(expires) ?? from) - from) / 1_000 - age);
}

function fresh(left: number): number {
  return left > 0 ? Math.min(Math.floor(left), FRESH_SECONDS_MAX) : 0;
}

function seconds(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

const IMF_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const RFC_850_DATE = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}:\d{2}:\d{2}) GMT$/;
const ASCTIME_DATE = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})$/;
/** Years of two digits that would lie further in the future are of the century before. */
const FUTURE_YEARS_MAX = 50;

/** One of HTTP's three forms, in ms; null: none of them, and so in the past. */
export function httpDate(text: string | null): number | null {
  if (text === null) return null;
  const asctime = ASCTIME_DATE.exec(text);
  const rfc850 = RFC_850_DATE.exec(text);
  let date = text;
  if (asctime !== null) date = `${asctime[2]} ${asctime[1]} ${asctime[4]} ${asctime[3]} GMT`;
  else if (rfc850 !== null) {
    const year = 2_000 + Number(rfc850[3]);
    const century = year > new Date().getUTCFullYear() + FUTURE_YEARS_MAX ? year - 100 : year;
    date = `${rfc850[1]} ${rfc850[2]} ${century} ${rfc850[4]} GMT`;
  } else if (!IMF_DATE.test(text)) return null;
  const ms = Date.parse(date);
  return Number.isNaN(ms) ? null : ms;
}

/** Of a directive that is there twice the first counts; one of them without fields is about the whole response. */
class CacheControl {
  readonly #directives: readonly (readonly [name: string, value: string | null])[];

  constructor(text: string) {
    const found = text.matchAll(/([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,;]*))?/g);
    this.#directives = Array.from(found, ([, name = "", value]) => [
      name.toLowerCase(),
      value === undefined ? null : value.replaceAll('"', "").trim().toLowerCase(),
    ]);
  }

  has(name: string): boolean {
    return this.#directives.some((each) => each[0] === name);
  }

  value(name: string): string | null {
    return this.#directives.find((each) => each[0] === name)?.[1] ?? null;
  }

  isWhole(name: string): boolean {
    return this.#directives.some(([each, value]) => each === name && !value);
  }

  fieldsOf(...names: readonly string[]): readonly string[] {
    return this.#directives.flatMap(([name, value]) =>
      names.includes(name) ? (value ?? "").split(/[\s,]+/).filter((field) => field !== "") : [],
    );
  }
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
  const since = httpDate(request.get("if-modified-since"));
  const modified = httpDate(stored.get("last-modified"));
  return since !== null && modified !== null && modified <= since;
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
  const match = /^bytes=\s*(\d*)-(\d*)$/i.exec(request.get("range")?.trim() ?? "");
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
