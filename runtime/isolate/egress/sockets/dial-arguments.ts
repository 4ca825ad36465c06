// Parses what a guest asks of WebSockets that it opens. Formats: sdk/bridge.ts CALLS; it comes from hostile code.

import { EdgeError } from "../../../../sdk/errors.ts";
import type { Dial } from "./dial.ts";
import { parseTarget, requestHeaders } from "../fetch-arguments.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const ABNORMAL = 1_006;
/** A control frame has 125 bytes, and two of them are the code. */
const REASON_BYTES_MAX = 123;
/** The handshake's own; the package makes them. */
const HANDSHAKE_HEADERS = ["upgrade", "connection", "sec-websocket-protocol"];

export interface AskedDial extends Omit<Dial, "messageBytesMax"> {
  /** For messages. */
  readonly host: string;
}

/** url \n protocols with commas between; where there are none, a header may name some \n headers. */
export function parseDial(args: string): AskedDial {
  const urlEnd = args.indexOf("\n");
  const protocolsEnd = args.indexOf("\n", urlEnd + 1);
  if (urlEnd < 0 || protocolsEnd < 0) throw invalid("arguments");
  const target = parseTarget(args.slice(0, urlEnd).replace(/^ws/, "http"));
  const given = requestHeaders(args.slice(protocolsEnd + 1));
  const named = args.slice(urlEnd + 1, protocolsEnd);
  const listed = named === "" ? (given.get("sec-websocket-protocol") ?? "") : named;
  const protocols = listed === "" ? [] : listed.split(",").map((protocol) => protocol.trim());
  const isList = new Set(protocols).size === protocols.length;
  if (!isList || !protocols.every((protocol) => TOKEN.test(protocol))) throw invalid("protocols");
  const headers: Record<string, string> = {};
  for (const [name, value] of given) {
    const own = HANDSHAKE_HEADERS.includes(name) || name.startsWith("sec-websocket-");
    if (!own) headers[name] = value;
  }
  const url = target.href.replace(/^http/, "ws");
  return { url, host: target.host, protocols, headers };
}

export function parseClose(text: string): { readonly code: number; readonly reason: string } {
  const end = text.indexOf("\n");
  const code = Number(text.slice(0, end));
  const isCode = Number.isInteger(code) && code >= 1_000 && code <= 4_999 && code !== ABNORMAL;
  const reason = text.slice(end + 1);
  if (end < 0 || !isCode || Buffer.byteLength(reason) > REASON_BYTES_MAX) throw invalid("close");
  return { code, reason };
}

function invalid(what: string): EdgeError {
  return new EdgeError("CALL_INVALID", `The WebSocket's ${what} is not valid.`);
}
