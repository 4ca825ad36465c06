// Packs the head of a response for the guest. Formats: sdk/bridge.ts CALLS.

import { BODY } from "../../../sdk/bridge.ts";
import type { Response } from "./undici.ts";

/** What undici decodes; with any other coding in the list it decodes none. */
const CODINGS_DECODED: ReadonlySet<string> = new Set(["gzip", "x-gzip", "deflate", "br", "zstd"]);

// Said by the peer to our end of the connection; a guest that passes the response on must not repeat it.
const CONNECTION_HEADERS = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** What a fetch resolves to. */
export interface Fetched extends Pick<
  Response,
  "status" | "statusText" | "redirected" | "headers" | "body"
> {
  readonly url: string;
  /** The body is as its sender made it: no coding was undone. */
  readonly raw?: boolean;
}

/** Payload: status \n statusText \n finalUrl \n redirected \n bodyKind \n headers. */
export function packHead(response: Fetched): string {
  const { status, statusText, url, redirected, body } = response;
  const hidden = hiddenHeaders(response);
  let headers = "";
  for (const [name, value] of response.headers) {
    if (!hidden.has(name)) headers += `${name}\n${value}\n`;
  }
  const kind = body === null ? BODY.NONE : BODY.STREAM;
  return `${status}\n${statusText}\n${url}\n${redirected ? "1" : "0"}\n${kind}\n${headers}`;
}

function hiddenHeaders({ headers, body, raw = false }: Fetched): ReadonlySet<string> {
  const hidden = new Set(CONNECTION_HEADERS);
  for (const name of listOf(headers.get("connection"))) hidden.add(name);
  if (raw) return hidden;
  if (body !== null && listOf(headers.get("content-encoding")).every(isDecoded)) {
    // They describe the bytes on the wire, which the guest never sees.
    hidden.add("content-encoding").add("content-length");
  }
  return hidden;
}

function isDecoded(coding: string): boolean {
  return CODINGS_DECODED.has(coding);
}

function listOf(value: string | null): string[] {
  return (value ?? "").split(",").map((item) => item.trim().toLowerCase());
}
