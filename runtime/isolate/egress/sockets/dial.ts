// The door to the package ws, for WebSockets that handlers open: as guarded as every other connection (guard.ts).

import type { IncomingMessage } from "node:http";
import type { LookupFunction } from "node:net";
import { WebSocket, type RawData } from "ws";
import { EdgeError } from "../../../../sdk/errors.ts";
import { HEADER_BYTES_MAX } from "../../../../sdk/limits.ts";
import { guardedLookup, isOpened, literalDenial, type Reach } from "../guard.ts";

/** From the first packet to the answer to the handshake. */
const HANDSHAKE_MS = 30_000;
const NO_STATUS = 1_005;

export interface Dial {
  /** ws: or wss:. */
  readonly url: string;
  readonly protocols: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly messageBytesMax: number;
}

export interface DialEvents {
  /** `headers`: "name\nvalue\n" repeated. */
  opened(protocol: string, headers: string): void;
  /** The server has answered, but not as a WebSocket. */
  refused(status: number, headers: string): void;
  /** Belongs to the receiver. */
  message(message: string | Uint8Array): void;
  /** Once, and last; 1006 when the connection broke, or never was. */
  closed(code: number, reason: string, error: Error | null): void;
}

export class DialledSocket {
  readonly #ws: WebSocket;

  /** Throws when the address may not be reached. */
  constructor(
    { url, protocols, headers, messageBytesMax }: Dial,
    reach: Reach,
    events: DialEvents,
  ) {
    const ws = new WebSocket(url, [...protocols], {
      lookup: lookupFor(new URL(url), reach),
      // Said here because the environment can turn the default off.
      rejectUnauthorized: true,
      headers: { ...headers },
      handshakeTimeout: HANDSHAKE_MS,
      maxPayload: messageBytesMax,
      followRedirects: false,
      perMessageDeflate: false,
      maxHeaderSize: HEADER_BYTES_MAX,
    });
    this.#ws = ws;
    let failure: Error | null = null;
    let answer = "";
    ws.on("upgrade", (response) => {
      answer = headersOf(response);
    });
    ws.on("open", () => events.opened(ws.protocol, answer));
    ws.on("unexpected-response", (request, response) => {
      events.refused(response.statusCode ?? 0, headersOf(response));
      request.destroy();
      // The package leaves it to us to end what is no WebSocket.
      ws.terminate();
    });
    ws.on("message", (data: RawData, isBinary: boolean) => {
      const bytes = data as Buffer;
      events.message(isBinary ? new Uint8Array(bytes) : bytes.toString());
    });
    ws.on("error", (error) => {
      failure = error;
    });
    ws.on("close", (code, reason) => events.closed(code, reason.toString(), failure));
  }

  /** `done` once the socket has taken it, or never will. */
  send(message: string | Uint8Array, done: () => void): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return done();
    this.#ws.send(message, { binary: typeof message !== "string" }, () => done());
  }

  /** No message comes until `resume`, but for those that were on their way. */
  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  close(code: number, reason: string): void {
    if (code === NO_STATUS) this.#ws.close();
    else this.#ws.close(code, reason);
  }

  /** At once. */
  destroy(): void {
    this.#ws.terminate();
  }
}

function headersOf({ rawHeaders }: IncomingMessage): string {
  let list = "";
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    list += `${(rawHeaders[at] ?? "").toLowerCase()}\n${rawHeaders[at + 1] ?? ""}\n`;
  }
  return list;
}

export function dialFailure(error: Error | null, host: string): EdgeError {
  if (error instanceof EdgeError) return error;
  return new EdgeError("FETCH_FAILED", `The WebSocket to ${host} could not be opened.`);
}

function lookupFor({ hostname, port, protocol }: URL, reach: Reach): LookupFunction {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  const number = Number(port === "" ? (protocol === "wss:" ? 443 : 80) : port);
  if (isOpened(reach, bare, number)) return guardedLookup({ ...reach, denied: () => false });
  const denied = literalDenial(reach, bare);
  if (denied !== null) throw denied;
  return guardedLookup(reach);
}
