// The URL standard's parser, written over string slices instead of the standard's character machine: each part
// is cut out whole and encoded only when it has to be. `parsePlain` is the fast path in front of it.

import {
  CONTROL_SET,
  FRAGMENT_SET,
  PATH_SET,
  percentEncode,
  QUERY_SET,
  SPECIAL_QUERY_SET,
  USERINFO_SET,
} from "./percent.ts";
import { parseHost } from "./url-host.ts";

export interface UrlRecord {
  /** Without the colon. */
  scheme: string;
  username: string;
  password: string;
  /** Serialised; null when there is none, "" when it is empty. */
  host: string | null;
  port: number | null;
  /** Serialised: "" or "/a/b", or anything when `opaque`. */
  path: string;
  opaque: boolean;
  query: string | null;
  fragment: string | null;
}

export function defaultPort(scheme: string): number | null | undefined {
  switch (scheme) {
    case "https":
    case "wss":
      return 443;
    case "http":
    case "ws":
      return 80;
    case "ftp":
      return 21;
    case "file":
      return null;
    default:
      return undefined;
  }
}

export function isSpecial(scheme: string): boolean {
  return defaultPort(scheme) !== undefined;
}

function createRecord(scheme: string): UrlRecord {
  return {
    scheme,
    username: "",
    password: "",
    host: null,
    port: null,
    path: "",
    opaque: false,
    query: null,
    fragment: null,
  };
}

export function stripTabs(text: string): string {
  return /[\t\n\r]/.test(text) ? text.replace(/[\t\n\r]+/g, "") : text;
}

function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 0x20) start++;
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/** `input` is well-formed. */
export function parseUrl(input: string, base: UrlRecord | null): UrlRecord | null {
  return parsePlain(input) ?? parseFully(input, base);
}

/** Every URL, without the fast path. */
export function parseFully(input: string, base: UrlRecord | null): UrlRecord | null {
  const text = stripTabs(trim(input));
  const hash = text.indexOf("#");
  const body = hash < 0 ? text : text.slice(0, hash);
  const record = parseBody(body, base, hash >= 0);
  if (record === null) return null;
  record.fragment = hash < 0 ? null : percentEncode(text.slice(hash + 1), FRAGMENT_SET);
  return record;
}

function parseBody(text: string, base: UrlRecord | null, fragment: boolean): UrlRecord | null {
  const colon = schemeEnd(text);
  if (colon < 0) {
    if (base === null) return null;
    if (base.opaque) return text === "" && fragment ? { ...base } : null;
    if (base.scheme === "file") return parseFile(text, base);
    return parseRelative(text, base);
  }
  const scheme = text.slice(0, colon).toLowerCase();
  const rest = text.slice(colon + 1);
  if (scheme === "file") return parseFile(rest, base?.scheme === "file" ? base : null);
  if (isSpecial(scheme)) {
    const relative = base !== null && base.scheme === scheme && !rest.startsWith("//");
    return relative ? parseRelative(rest, base) : parseAuthority(skipSlashes(rest), scheme);
  }
  if (rest.startsWith("//")) return parseAuthority(rest.slice(2), scheme);
  const record = createRecord(scheme);
  if (rest.startsWith("/")) return parsePathAndQuery(record, rest, 1);
  const question = rest.indexOf("?");
  const path = question < 0 ? rest : rest.slice(0, question);
  record.opaque = true;
  record.path = percentEncode(path, CONTROL_SET);
  // A space at the end would be lost when the result is parsed again.
  if ((fragment || question >= 0) && path.endsWith(" ")) {
    record.path = `${record.path.slice(0, -1)}%20`;
  }
  if (question >= 0) record.query = percentEncode(rest.slice(question + 1), QUERY_SET);
  return record;
}

/** Index of the colon after a scheme, or -1. */
function schemeEnd(text: string): number {
  const first = text.charCodeAt(0) | 0x20;
  if (!(first >= 0x61 && first <= 0x7a)) return -1;
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x3a) return i;
    const lower = code | 0x20;
    const letter = lower >= 0x61 && lower <= 0x7a;
    const other = (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e;
    if (!letter && !other) return -1;
  }
  return -1;
}

function skipSlashes(text: string): string {
  let at = 0;
  while (isSlash(text.charCodeAt(at), true)) at++;
  return text.slice(at);
}

function isSlash(code: number, special: boolean): boolean {
  return code === 0x2f || (special && code === 0x5c);
}

function parseRelative(text: string, base: UrlRecord): UrlRecord | null {
  const special = isSpecial(base.scheme);
  if (isSlash(text.charCodeAt(0), special)) {
    if (isSlash(text.charCodeAt(1), special)) {
      if (special) return parseAuthority(skipSlashes(text), base.scheme);
      return parseAuthority(text.slice(2), base.scheme);
    }
    return parsePathAndQuery({ ...base, path: "", query: null }, text, 1);
  }
  const record = { ...base };
  if (text === "") return record;
  if (text.charCodeAt(0) === 0x3f) return parseQuery(record, text.slice(1));
  record.query = null;
  shortenPath(record);
  return parsePathAndQuery(record, text, 0);
}

function parseFile(text: string, base: UrlRecord | null): UrlRecord | null {
  const record = createRecord("file");
  record.host = "";
  if (isSlash(text.charCodeAt(0), true)) {
    if (isSlash(text.charCodeAt(1), true)) return parseFileHost(record, text.slice(2));
    if (base !== null) {
      record.host = base.host;
      const drive = base.path.slice(0, 3);
      const kept = startsWithDrive(base.path.slice(1)) && /^\/[a-zA-Z]:$/.test(drive);
      if (kept && !startsWithDrive(text.slice(1))) record.path = drive;
    }
    return parsePathAndQuery(record, text, 1);
  }
  if (base === null) return parsePathAndQuery(record, text, 0);
  const copy = { ...base };
  if (text === "") return copy;
  if (text.charCodeAt(0) === 0x3f) return parseQuery(copy, text.slice(1));
  copy.query = null;
  if (startsWithDrive(text)) copy.path = "";
  else shortenPath(copy);
  return parsePathAndQuery(copy, text, 0);
}

function parseFileHost(record: UrlRecord, text: string): UrlRecord | null {
  const end = endOfAuthority(text, true);
  const name = text.slice(0, end);
  if (/^[a-zA-Z][:|]$/.test(name)) return parsePathAndQuery(record, text, 0);
  if (name !== "") {
    const host = parseHost(name, true);
    if (host === null) return null;
    record.host = host === "localhost" ? "" : host;
  }
  return parsePathStart(record, text.slice(end));
}

/** "C:" or "C|" followed by nothing or by what may follow a path segment. */
function startsWithDrive(text: string): boolean {
  return /^[a-zA-Z][:|](?:$|[/\\?#])/.test(text);
}

function endOfAuthority(text: string, special: boolean): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x3f || code === 0x23 || isSlash(code, special)) return i;
  }
  return text.length;
}

function parseAuthority(text: string, scheme: string): UrlRecord | null {
  const special = isSpecial(scheme);
  const record = createRecord(scheme);
  const end = endOfAuthority(text, special);
  let authority = text.slice(0, end);
  const at = authority.lastIndexOf("@");
  if (at >= 0) {
    const colon = authority.indexOf(":");
    const split = colon >= 0 && colon < at ? colon : at;
    record.username = percentEncode(authority.slice(0, split), USERINFO_SET);
    record.password = percentEncode(authority.slice(split + 1, at), USERINFO_SET);
    authority = authority.slice(at + 1);
    if (authority === "") return null;
  }
  const colon = hostEnd(authority);
  const name = authority.slice(0, colon);
  if (name === "" && (special || colon < authority.length)) return null;
  record.host = name === "" ? "" : parseHost(name, special);
  if (record.host === null) return null;
  if (colon < authority.length) {
    const digits = authority.slice(colon + 1);
    const port = parsePort(digits);
    if (port === null) return null;
    record.port = digits === "" || port === defaultPort(scheme) ? null : port;
  }
  return parsePathStart(record, text.slice(end));
}

/** Index of the colon before the port, or the length. */
export function hostEnd(authority: string): number {
  let bracket = false;
  for (let i = 0; i < authority.length; i++) {
    const code = authority.charCodeAt(i);
    if (code === 0x5b) bracket = true;
    else if (code === 0x5d) bracket = false;
    else if (code === 0x3a && !bracket) return i;
  }
  return authority.length;
}

/** null when it is no port; 0 for "". */
export function parsePort(digits: string): number | null {
  if (!/^[0-9]*$/.test(digits)) return null;
  const port = Number(digits);
  return port > 65_535 ? null : port;
}

function parsePathStart(record: UrlRecord, text: string): UrlRecord {
  const special = isSpecial(record.scheme);
  if (isSlash(text.charCodeAt(0), special)) return parsePathAndQuery(record, text, 1);
  if (special) return parsePathAndQuery(record, text, 0);
  return text.charCodeAt(0) === 0x3f ? parseQuery(record, text.slice(1)) : record;
}

function parsePathAndQuery(record: UrlRecord, text: string, from: number): UrlRecord {
  const question = text.indexOf("?", from);
  appendPath(record, text.slice(from, question < 0 ? text.length : question));
  return question < 0 ? record : parseQuery(record, text.slice(question + 1));
}

function parseQuery(record: UrlRecord, text: string): UrlRecord {
  record.query = encodeQuery(record, text);
  return record;
}

export function encodeQuery(record: UrlRecord, text: string): string {
  return percentEncode(text, isSpecial(record.scheme) ? SPECIAL_QUERY_SET : QUERY_SET);
}

/** Appends the segments of `text`, which stands after a slash. */
export function appendPath(record: UrlRecord, text: string): void {
  const special = isSpecial(record.scheme);
  let from = 0;
  for (;;) {
    let end = from;
    while (end < text.length && !isSlash(text.charCodeAt(end), special)) end++;
    appendSegment(record, text.slice(from, end), end === text.length);
    if (end === text.length) return;
    from = end + 1;
  }
}

function appendSegment(record: UrlRecord, segment: string, last: boolean): void {
  if (isDoubleDot(segment)) {
    shortenPath(record);
    if (last) record.path += "/";
  } else if (/^(?:\.|%2e)$/i.test(segment)) {
    if (last) record.path += "/";
  } else if (record.scheme === "file" && record.path === "" && /^[a-zA-Z][:|]$/.test(segment)) {
    record.path = `/${segment.charAt(0)}:`;
  } else record.path += `/${percentEncode(segment, PATH_SET)}`;
}

function isDoubleDot(segment: string): boolean {
  return segment.length <= 6 && /^(?:\.|%2e){2}$/i.test(segment);
}

function shortenPath(record: UrlRecord): void {
  if (record.scheme === "file" && /^\/[a-zA-Z]:$/.test(record.path)) return;
  record.path = record.path.slice(0, Math.max(0, record.path.lastIndexOf("/")));
}

/** What a character of a plain URL may be: 1 in the host, 2 in the path, 4 in query and fragment. */
const PLAIN = new Uint8Array(128);
for (let code = 0x21; code < 0x7f; code++) {
  const character = String.fromCharCode(code);
  const path = PATH_SET[code] === 0 && character !== "\\" && character !== "%";
  PLAIN[code] =
    (/[a-z0-9.-]/.test(character) ? 1 : 0) |
    (path ? 2 : 0) |
    (SPECIAL_QUERY_SET[code] === 0 && FRAGMENT_SET[code] === 0 ? 4 : 0);
}

/** An IPv4 address as it is serialised. */
const PLAIN_IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?=[0-9])|$)){4}$/;

/**
 * The fast path: http and https with a lower-case ASCII host or a plain IPv4 address, no credentials, nothing to
 * encode, decode or resolve. null sends the input to the full parser; url.test.ts compares the two.
 */
export function parsePlain(text: string): UrlRecord | null {
  const scheme = text.startsWith("https://") ? "https" : text.startsWith("http://") ? "http" : null;
  if (scheme === null) return null;
  const length = text.length;
  const hostStart = scheme.length + 3;
  let at = hostStart;
  let label = at;
  while (at < length) {
    const code = text.charCodeAt(at);
    if (code > 0x7f || ((PLAIN[code] as number) & 1) === 0) break;
    at++;
    if (code === 0x2e) label = at;
  }
  const first = text.charCodeAt(label);
  const host = text.slice(hostStart, at);
  // An empty or numeric last label needs the IPv4 parser; "xn--" anywhere needs IDNA.
  if (label === at || host.includes("xn--")) return null;
  if (first >= 0x30 && first <= 0x39 && !PLAIN_IPV4.test(host)) return null;
  let port: number | null = null;
  if (text.charCodeAt(at) === 0x3a) {
    const portStart = ++at;
    port = 0;
    for (; at < length && at - portStart < 5; at++) {
      const digit = text.charCodeAt(at) - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      port = port * 10 + digit;
    }
    if (at === portStart || port > 65_535) return null;
    if (port === defaultPort(scheme)) port = null;
  }
  const pathStart = at;
  if (at < length && text.charCodeAt(at) !== 0x2f) return null;
  at = plainEnd(text, at, 2);
  if (at < 0) return null;
  const path = pathStart === at ? "/" : text.slice(pathStart, at);
  let query: string | null = null;
  let fragment: string | null = null;
  if (text.charCodeAt(at) === 0x3f) {
    const end = plainEnd(text, at + 1, 4);
    if (end < 0) return null;
    query = text.slice(at + 1, end);
    at = end;
  }
  if (at < length) {
    const end = plainEnd(text, at + 1, 4);
    if (end !== length) return null;
    fragment = text.slice(at + 1);
  }
  return { scheme, username: "", password: "", host, port, path, opaque: false, query, fragment };
}

/** Where a plain part ends: at "#", for paths also at "?"; -1 when it is not plain. */
function plainEnd(text: string, from: number, kind: 2 | 4): number {
  let slash = false;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return -1;
    if (((PLAIN[code] as number) & kind) === 0) {
      return code === 0x23 || (code === 0x3f && kind === 2) ? i : -1;
    }
    // "/." may begin a segment that has to be resolved.
    if (kind === 2 && code === 0x2e && slash) return -1;
    slash = code === 0x2f;
  }
  return text.length;
}
