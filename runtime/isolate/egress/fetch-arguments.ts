// Parses what a guest asks with `fetch`. Formats: sdk/bridge.ts CALLS; everything here comes from hostile code.

import { BODY } from "../../../sdk/bridge.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import { HEADER_BYTES_MAX, URL_BYTES_MAX } from "../../../sdk/limits.ts";
import type { Call } from "../call.ts";
import { Headers, type Outgoing } from "./undici.ts";

/** As Outgoing, but a streamed body is still to come. */
export interface FetchArguments extends Omit<Outgoing, "body"> {
  readonly body: Uint8Array<ArrayBuffer> | "stream" | null;
  /** For messages: what the author asked for, without anything secret. */
  readonly host: string;
}

/** Said to servers that insist on knowing who asks, when the author names nobody. */
const USER_AGENT = "islet";

// Framing and connection are the host's to decide, and Host follows from the URL, as in workerd: with it a guest
// could reach another site of a shared front than the one the address names.
const HOST_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Forbidden by the fetch standard: they turn the connection into a tunnel, or echo credentials. */
const METHODS_FORBIDDEN: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);
const METHOD_LENGTH_MAX = 64;

export function parseFetch(call: Pick<Call, "args" | "bytes">): FetchArguments {
  const [method = "", url = "", redirect = "", kind = "", rest = ""] = lines(call.args, 4);
  if (!TOKEN.test(method) || method.length > METHOD_LENGTH_MAX) throw invalid("method");
  if (METHODS_FORBIDDEN.has(method.toUpperCase())) throw refused(`${method} cannot be sent`);
  if (redirect !== "follow" && redirect !== "manual" && redirect !== "error") {
    throw invalid("redirect");
  }
  const split = kind === BODY.TEXT ? rest.indexOf("\0") : rest.length;
  if (split < 0) throw invalid("body");
  const body = parseBody(kind, rest.slice(split + 1), call.bytes);
  if (body !== null && (method === "GET" || method === "HEAD")) throw invalid("body");
  const target = parseTarget(url);
  return {
    method,
    url: target.href,
    host: target.host,
    redirect,
    headers: requestHeaders(rest.slice(0, split)),
    body,
  };
}

/** Of a fetch of another endpoint: which binding it goes through, and what is asked. */
export function parseBoundFetch({ args, bytes }: Call): {
  readonly binding: string;
  readonly parsed: FetchArguments;
} {
  const [binding = "", rest = ""] = lines(args, 1);
  return { binding, parsed: parseFetch({ args: rest, bytes }) };
}

/** The call id of a fetch at the beginning of the arguments, and what follows it. */
export function parseFetchId(args: string): { id: number; rest: string } {
  const [id = "", rest = ""] = lines(args, 1);
  if (!/^[0-9]{1,15}$/.test(id)) throw invalid("fetch id");
  return { id: Number(id), rest };
}

/** An http or https address that may be asked. */
export function parseTarget(text: string): URL {
  // Measured before it is parsed: the parser is not for megabytes.
  if (text.length > URL_BYTES_MAX) throw refused("its address is longer than the limit");
  const url = URL.parse(text);
  if (url === null) throw refused("its address is not valid");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw refused("its address is neither http nor https");
  }
  if (url.username !== "" || url.password !== "") {
    throw refused("its address holds a user name or password; send an Authorization header");
  }
  return url;
}

/** Without those that are the host's to decide. */
export function requestHeaders(list: string): Headers {
  if (list.length > HEADER_BYTES_MAX) throw refused("its headers are larger than the limit");
  const headers = new Headers();
  const parts = list.split("\n");
  // A complete list ends with a line feed, so one empty part is left over.
  if (parts.pop() !== "" || parts.length % 2 !== 0) throw invalid("headers");
  for (let i = 0; i < parts.length; i += 2) {
    try {
      headers.append(parts[i] ?? "", parts[i + 1] ?? "");
    } catch (cause) {
      throw invalid("headers", cause);
    }
  }
  for (const name of (headers.get("connection") ?? "").split(",")) {
    if (TOKEN.test(name.trim())) headers.delete(name.trim());
  }
  for (const name of HOST_HEADERS) headers.delete(name);
  if (!headers.has("user-agent")) headers.set("user-agent", USER_AGENT);
  return headers;
}

function parseBody(
  kind: string,
  text: string,
  bytes: ArrayBuffer | null,
): Uint8Array<ArrayBuffer> | "stream" | null {
  if (kind === BODY.NONE) return null;
  // As bytes, because undici adds a content type to strings.
  if (kind === BODY.TEXT) return new TextEncoder().encode(text);
  if (kind === BODY.BYTES) return new Uint8Array(bytes ?? new ArrayBuffer(0));
  if (kind === BODY.STREAM) return "stream";
  throw invalid("body");
}

/** Splits off the first `count` lines; the last element is the rest. */
function lines(text: string, count: number): string[] {
  const parts: string[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = text.indexOf("\n", at);
    if (end < 0) break;
    parts.push(text.slice(at, end));
    at = end + 1;
  }
  parts.push(text.slice(at));
  return parts;
}

function invalid(what: string, cause?: unknown): EdgeError {
  return new EdgeError("CALL_INVALID", `The subrequest's ${what} is not valid.`, { cause });
}

function refused(reason: string): EdgeError {
  return new EdgeError("FETCH_FAILED", `The subrequest failed: ${reason}.`);
}
