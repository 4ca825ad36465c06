// One stream of HTTP/2 as an exchange's wire, and the head of its request. Pseudo-fields become what HTTP/1 says in
// its first line and in Host (RFC 9113 section 8.3).

import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { EdgeError } from "../../../sdk/errors.ts";
import { decoded, joined, type Framing } from "../guards.ts";
import type { Wire } from "./wire.ts";

/** Of one connection in HTTP/1; HTTP/2 has no place for them (section 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set(["http2-settings", "te", "upgrade"]);

export class Http2Wire implements Wire {
  readonly body: Duplex;
  readonly reply: Duplex;
  readonly version = "HTTP/2";
  readonly #stream: ServerHttp2Stream;
  readonly #socket: Socket | null;
  #trailers: Fields | null = null;
  bodyTrailers: readonly string[] = [];

  constructor(stream: ServerHttp2Stream, socket: Socket | null) {
    this.#stream = stream;
    this.#socket = socket;
    this.body = this.reply = stream;
  }

  get socket(): Socket | null {
    return this.#socket;
  }

  /** A stream that is reset ends like one that is whole. */
  get broken(): boolean {
    return this.#stream.aborted || this.#stream.rstCode !== constants.NGHTTP2_NO_ERROR;
  }

  awaitTrailers(): void {
    this.#stream.once("trailers", (fields) => {
      this.bodyTrailers = Object.entries(fields).flatMap(([name, value]) =>
        value === undefined ? [] : [name, String(value)],
      );
    });
  }

  head(status: number, fields: string[], _closes: boolean, isAll: boolean): void {
    const stream = this.#stream;
    // The client has reset it in this very turn.
    if (stream.destroyed || stream.closed) return;
    const headers: Fields = { ":status": String(status) };
    addFields(headers, fields);
    const waitForTrailers = this.#trailers !== null;
    if (waitForTrailers) stream.once("wantTrailers", () => this.#sendTrailers());
    // gRPC tells by it that the fields are what comes behind the body otherwise.
    stream.respond(headers, isAll ? { endStream: true } : { waitForTrailers });
  }

  expectTrailers(): void {
    this.#trailers = {};
  }

  trailers(fields: readonly string[]): void {
    if (this.#trailers !== null) addFields(this.#trailers, fields);
  }

  /** The stream ends by this, also without any. */
  #sendTrailers(): void {
    const stream = this.#stream;
    if (!stream.destroyed && !stream.closed) stream.sendTrailers(this.#trailers ?? {});
  }

  flush(): void {
    // Sent by `respond`.
  }

  /** A client that still sends what nobody reads is told to stop (section 8.1). */
  finished(): void {
    const { endAfterHeaders, readableEnded } = this.#stream;
    if (!endAfterHeaders && !readableEnded) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  cut(): void {
    // `close` would end the body before it resets the stream, and the client would take it for whole.
    this.#stream.destroy(new EdgeError("INTERNAL"));
  }
}

type Fields = Record<string, string | string[]>;

function addFields(headers: Fields, fields: readonly string[]): void {
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = (fields[at] ?? "").toLowerCase();
    const value = fields[at + 1] ?? "";
    const before = headers[name];
    if (CONNECTION_FIELDS.has(name)) continue;
    // A list is what several fields mean, but for cookies; fields that can only stand once stay what they were.
    if (before === undefined) headers[name] = name === "set-cookie" ? [value] : value;
    else if (Array.isArray(before)) before.push(value);
    else if (!SINGLE.has(name)) headers[name] = `${before}, ${value}`;
  }
}

/** Two of these contradict each other; a list of them means nothing. */
const SINGLE: ReadonlySet<string> = new Set([
  "age",
  "content-length",
  "content-location",
  "content-range",
  "content-type",
  "date",
  "etag",
  "expires",
  "last-modified",
  "location",
  "retry-after",
]);

export interface StreamHead {
  readonly method: string;
  readonly url: string;
  readonly headers: string;
  readonly framing: Framing;
  /** It asks to be told before it sends its body. */
  readonly waits: boolean;
}

/** `raw`: names and values in turns, pseudo-fields first. */
export function streamHead(raw: readonly string[]): StreamHead {
  const framing: Framing = {
    host: null,
    contentLength: null,
    transferEncoding: null,
    connection: null,
  };
  let [method, url, authority, cookies, list] = ["", "", "", "", ""];
  let waits = false;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    const value = decoded(raw[at + 1] ?? "");
    if (name === ":method") method = value;
    else if (name === ":path") url = value;
    else if (name === ":authority") authority = value;
    // Clients send them apart, since that compresses better (section 8.2.3).
    else if (name === "cookie") cookies += `${cookies === "" ? "" : "; "}${value}`;
    else if (name === "host") framing.host = joined(framing.host, value);
    else if (!name.startsWith(":")) {
      if (name === "content-length") framing.contentLength = joined(framing.contentLength, value);
      if (name === "expect") waits = value.toLowerCase() === "100-continue";
      list += `${name}\n${value}\n`;
    }
  }
  // Where both are sent, they have to be the same (section 8.3.1); two fields are seen by the guards to be two.
  if (authority !== "" && framing.host !== authority)
    framing.host = joined(framing.host, authority);
  if (framing.host !== null) list = `host\n${framing.host}\n${list}`;
  if (cookies !== "") list += `cookie\n${cookies}\n`;
  return { method, url, headers: list, framing, waits };
}
