// Headers on their way through a proxy (RFC 9110, section 7.6). Those of one connection end with it, and so does what
// its Connection header names, before policies write under such names. What says where a request came from is written
// anew, unless a trusted proxy wrote it.

import type { HeaderList } from "../../../sdk/exchange.ts";
import { wholeHeader, withoutHeaders } from "../../../sdk/gateway/header-list.ts";
import type { Pass } from "../pass.ts";

/** Of one connection, whichever direction. Expect: the listener has answered it. Length and host are set anew. */
const OWN: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "http2-settings",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const REQUEST_OWN: ReadonlySet<string> = new Set([
  ...OWN,
  "expect",
  "host",
  "content-length",
  "x-request-id",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
  "forwarded",
  "via",
  // Of a handshake: who makes one with the server writes its own.
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
  "sec-websocket-accept",
]);
const HANDSHAKE_OWN: ReadonlySet<string> = new Set([
  "sec-websocket-accept",
  "sec-websocket-extensions",
]);

/**
 * Behind a body they come too late, or would be believed although nobody has looked at them (RFC 9110, section 6.5.1):
 * framing, routing, conditions, who may do what, how the body is to be read.
 */
const NEVER_TRAILERS: ReadonlySet<string> = new Set([
  ...OWN,
  "age",
  "authorization",
  "cache-control",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "expires",
  "host",
  "location",
  "pragma",
  "range",
  "retry-after",
  "set-cookie",
  "vary",
  "via",
  "www-authenticate",
  "x-request-id",
]);

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const ASCII = /^[\0-\x7f]*$/;

/** Said in Via: the protocol that the request came by, and who this is. */
const VIA = "1.1 islet";

export interface Forwarding {
  /** What the server gets as Host. */
  readonly host: string;
  /** Content-Length, -1 for chunked, 0 for no body. */
  readonly length: number;
}

/** A request's list is text; what is written to a server is one byte for each character. */
export function bytesOf(list: HeaderList): string {
  return ASCII.test(list) ? list : Buffer.from(list).toString("latin1");
}

/** The other way: what a server has said, as it stands in a request's list. */
export function textFrom(bytes: HeaderList): HeaderList {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString();
}

/** Names and values in turns, for the wire. */
export function requestHeaders(pass: Pass, { host, length }: Forwarding): string[] {
  const { exchange } = pass;
  const list = bytesOf(pass.headers);
  const fields: string[] = ["host", host];
  const via: string[] = [];
  const chain: Record<string, string> = {};
  for (let at = 0; at < list.length;) {
    const nameEnd = list.indexOf("\n", at);
    const valueEnd = list.indexOf("\n", nameEnd + 1);
    const name = list.slice(at, nameEnd);
    const value = list.slice(nameEnd + 1, valueEnd);
    at = valueEnd + 1;
    if (!REQUEST_OWN.has(name)) fields.push(name, value);
    else if (name === "via") via.push(value);
    else chain[name] = chain[name] === undefined ? value : `${chain[name]}, ${value}`;
  }
  if (exchange.takesTrailers === true) fields.push("te", "trailers");
  fields.push("via", [...via, VIA].join(", "), "x-request-id", exchange.requestId);
  pushOrigin(fields, pass, chain);
  if (length > 0) fields.push("content-length", String(length));
  // An empty body of a method that usually has one: servers ask for the length.
  else if (length === 0 && /^(?:POST|PUT|PATCH)$/.test(exchange.method)) {
    fields.push("content-length", "0");
  }
  return fields;
}

function pushOrigin(
  fields: string[],
  { exchange, trusted }: Pass,
  chain: Readonly<Record<string, string>>,
): void {
  const peer = exchange.remoteAddress();
  const believed = trusted(peer) ? chain : {};
  const before = (name: string): string => {
    const value = believed[name];
    return value === undefined ? "" : `${value}, `;
  };
  const port =
    /:(\d+)$/.exec(exchange.authority)?.[1] ?? (exchange.scheme === "https" ? "443" : "80");
  fields.push(
    "x-forwarded-for",
    `${before("x-forwarded-for")}${peer}`,
    "x-forwarded-proto",
    believed["x-forwarded-proto"] ?? exchange.scheme,
    "x-forwarded-host",
    believed["x-forwarded-host"] ?? exchange.authority,
    "x-forwarded-port",
    believed["x-forwarded-port"] ?? port,
    "forwarded",
    `${before("forwarded")}for=${node(peer)};host="${exchange.authority}";proto=${exchange.scheme}`,
  );
}

/** RFC 7239, section 6. */
function node(address: string): string {
  if (address === "") return "unknown";
  return address.includes(":") ? `"[${address}]"` : address;
}

/** What came, without what Connection names; those that are treated here anyway are left to that. */
export function withoutNamed(list: HeaderList): HeaderList {
  const named = connectionNames(list)?.difference(REQUEST_OWN);
  return named === undefined || named.size === 0 ? list : withoutHeaders(list, named);
}

/** What Connection names goes with it; null: nothing. */
function connectionNames(list: HeaderList): ReadonlySet<string> | null {
  // Most requests say nothing of it.
  if (!list.includes("connection\n")) return null;
  const value = wholeHeader(list, "connection");
  return value === "" ? null : namesOf(value);
}

/** `raw`: names and values in turns, as they came. */
export function replyHeaders(raw: readonly (Buffer | string)[]): HeaderList {
  let list = "";
  let named: string | null = null;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = textOf(raw[at]).toLowerCase();
    if (name === "connection") named = `${named ?? ""},${textOf(raw[at + 1])}`;
    else if (!OWN.has(name)) list += `${name}\n${textOf(raw[at + 1])}\n`;
  }
  if (named !== null) list = withoutHeaders(list, namesOf(named));
  return `${list}via\n${VIA}\n`;
}

/** Fields behind the body; they stay apart from those before it. */
export function replyTrailers(raw: readonly (Buffer | string)[]): HeaderList {
  let list = "";
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = textOf(raw[at]).toLowerCase();
    if (!NEVER_TRAILERS.has(name)) list += `${name}\n${textOf(raw[at + 1])}\n`;
  }
  return list;
}

/**
 * Those that a request announces and that may come behind its body; none: it has none that go on. What was not
 * announced does not: a server could not know that it was to wait for it.
 */
export function announcedTrailers({ exchange, headers }: Pass): readonly string[] {
  const announced = exchange.header("trailer");
  if (announced === undefined || exchange.bodyTrailers === undefined) return [];
  const named = connectionNames(headers);
  return announced
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter(
      (name) =>
        TOKEN.test(name) &&
        !NEVER_TRAILERS.has(name) &&
        !REQUEST_OWN.has(name) &&
        named?.has(name) !== true,
    );
}

/** Of those that came the ones among `names`. */
export function requestTrailers(
  list: HeaderList | undefined,
  names: readonly string[],
): [string, string][] {
  const parts = bytesOf(list ?? "").split("\n");
  const fields: [string, string][] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [name = "", value = ""] = [parts[at], parts[at + 1]];
    if (names.includes(name) && VALUE.test(value)) fields.push([name, value]);
  }
  return fields;
}

/** What Connection names goes with it. */
function namesOf(value: string): ReadonlySet<string> {
  return new Set(value.split(",").map((name) => name.trim().toLowerCase()));
}

/** Of a server's 101, for the client's: the listener writes what agrees on the rest. */
export function handshakeHeaders(list: HeaderList): HeaderList {
  return withoutHeaders(list, HANDSHAKE_OWN);
}

function textOf(part: Buffer | string | undefined): string {
  return typeof part === "string" ? part : (part?.toString("latin1") ?? "");
}
