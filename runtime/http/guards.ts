// What both listeners check of a request's head beyond what their parsers do. Each function is pure and
// answers with what is wrong, in words for the client, or with "" when nothing is.
//
// Two parsers that read one message differently are how requests are smuggled through proxies, so whatever is
// ambiguous is refused, never repaired (RFC 9112 section 11.2).

import { URL_BYTES_MAX } from "../../sdk/limits.ts";
import type { Code } from "../../sdk/errors.ts";
import type { HeaderList } from "../../sdk/exchange.ts";

export interface Refusal {
  readonly code: Code;
  readonly detail: string;
}

/** What a listener has seen while it packed the headers. */
export interface Framing {
  /** Null: not sent. A second field of the same name is joined by a line feed, which no check lets pass. */
  host: string | null;
  contentLength: string | null;
  transferEncoding: string | null;
  connection: string | null;
}

/** Fields of one name, joined so that two are seen to be two. */
export function joined(before: string | null, value: string): string {
  return before === null ? value : `${before}\n${value}`;
}

/** Of a request that was not refused: Content-Length, -1 for chunked, 0 for no body. */
export function bodyLength(framing: Framing): number {
  if (framing.transferEncoding !== null) return -1;
  return framing.contentLength === null ? 0 : Number(framing.contentLength);
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const COMMON_METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
]);
/** Origin-form. A fragment has no business on the wire. */
const TARGET = /^\/[!"$-~]*$/;
/** Names are tokens in lower case; values have no control characters but the tab. */
const LIST = /^(?:[!#$%&'*+\-.^_`|~0-9a-z]+\n[^\0-\x08\n-\x1f\x7f]*\n)*$/;
const HOST = /^(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::([0-9]{0,5}))?$/i;
const PORT_MAX = 65_535;
/** 15 digits stay exact in a double, and are more than any disk holds. */
const LENGTH = /^[0-9]{1,15}$/;

export function refuseHead(
  method: string,
  url: string,
  headers: HeaderList,
  framing: Framing,
): Refusal | null {
  if (url.length > URL_BYTES_MAX) {
    const detail = `The address has ${url.length} bytes; ${URL_BYTES_MAX} are allowed.`;
    return { code: "URI_TOO_LONG", detail };
  }
  const detail =
    refuseMethod(method) || refuseTarget(url) || refuseHeaders(headers) || refuseFraming(framing);
  return detail === "" ? null : { code: "BAD_REQUEST", detail };
}

export function refuseMethod(method: string): string {
  if (COMMON_METHODS.has(method) || TOKEN.test(method)) return "";
  return "The method has characters that methods cannot have.";
}

export function refuseTarget(url: string): string {
  return TARGET.test(url) ? "" : "The address is not a path that begins with a slash.";
}

export function refuseHeaders(headers: HeaderList): string {
  return LIST.test(headers) ? "" : "A header has characters that headers cannot have.";
}

export function refuseFraming(framing: Framing): string {
  const { host, contentLength, transferEncoding } = framing;
  if (host === null) return "The Host header is missing.";
  if (hostOf(host) === null) return "The Host header is not one host with an optional port.";
  if (contentLength !== null) {
    if (transferEncoding !== null) {
      return "Content-Length and Transfer-Encoding were sent together.";
    }
    if (!LENGTH.test(contentLength)) return "Content-Length is not one number.";
  }
  if (transferEncoding !== null && transferEncoding.toLowerCase() !== "chunked") {
    return "The only Transfer-Encoding taken here is chunked.";
  }
  return "";
}

/** Hosts seen, so that the usual few are parsed once. Cleared when full: it is only a memory. */
const HOSTS_MAX = 1_000;
const hosts = new Map<string, string>();
/** The one before: comparing is cheaper than hashing a string that was just read. */
let lastAuthority = "";
let lastHost = "";

/** Lower-case, without port and trailing dot; null when it is not one host. */
export function hostOf(authority: string): string | null {
  if (authority === lastAuthority && authority !== "") return lastHost;
  const host = hosts.get(authority) ?? parseHost(authority);
  if (host === null) return null;
  lastAuthority = authority;
  lastHost = host;
  return host;
}

function parseHost(authority: string): string | null {
  const match = HOST.exec(authority);
  if (match === null || Number(match[1] ?? 0) > PORT_MAX) return null;
  const end = match[1] === undefined ? authority.length : authority.length - match[1].length - 1;
  const bare = authority.slice(0, end).toLowerCase();
  const host = bare.endsWith(".") ? bare.slice(0, -1) : bare;
  if (host === "") return null;
  if (hosts.size >= HOSTS_MAX) hosts.clear();
  hosts.set(authority, host);
  return host;
}

/** Whether the Connection header, a list, asks for the end of the connection. */
export function asksToClose(connection: string | null): boolean {
  if (connection === null || connection === "keep-alive") return false;
  return connection.split(/[,\n]/).some((option) => option.trim().toLowerCase() === "close");
}

const ASCII = /^[\0-\x7f]*$/;

/** Node reads bytes as Latin-1, uWS as UTF-8; here both give UTF-8. */
export function decoded(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, "latin1").toString("utf8");
}

/** Bytes beyond ASCII percent-encoded, as a browser sends them. */
export function asciiTarget(target: string): string {
  if (ASCII.test(target)) return target;
  return target.replace(/[^\0-\x7f]+/g, (text) => encodeURIComponent(text.toWellFormed()));
}
