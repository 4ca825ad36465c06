// One request and its reply on a stream of HTTP/2. A stream that is reset ends like one that is whole; its code at the
// end tells them apart, and where a server resets without an error, the length that it has announced.

import { constants, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { EdgeError } from "../../../../sdk/errors.ts";
import { UnprocessedError } from "../failure.ts";
import type { ReplyHandler } from "../http1/transfer.ts";
import type { ProxyRequest } from "../trailing-request.ts";
import { TransferControl } from "../transfer-control.ts";

type Fields = Record<string, string>;

export interface StreamEvents {
  /** A piece of the reply has come. */
  heard(): void;
  /** The server has said farewell, and that it has not looked at this stream. */
  isUnseen(id: number): boolean;
  /** The stream is gone. */
  over(): void;
}

export class StreamTransfer extends TransferControl {
  readonly #request: ProxyRequest;
  readonly #handler: ReplyHandler;
  #stream: ClientHttp2Stream | null = null;
  #isReplied = false;
  /** Bytes that Content-Length leaves to come; -1: nobody has said. */
  #left = -1;
  #isOver = false;

  constructor(request: ProxyRequest, handler: ReplyHandler) {
    super();
    this.#request = request;
    this.#handler = handler;
  }

  /** False: there is no stream. */
  start(session: ClientHttp2Session, scheme: string, events: StreamEvents): boolean {
    this.#handler.onRequestStart?.(this, undefined);
    if (this.#isOver) return false;
    const { body, trailing } = this.#request;
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(fieldsOf(this.#request, scheme), {
        endStream: body === null || body === undefined,
        waitForTrailers: trailing !== undefined,
      });
    } catch (error) {
      this.fail(error instanceof Error ? error : new EdgeError("INTERNAL"));
      return false;
    }
    this.#stream = stream;
    this.#listen(stream, events);
    if (trailing !== undefined) {
      stream.on("wantTrailers", () => stream.sendTrailers(joined(trailing.fields().flat())));
    }
    if (body instanceof Uint8Array) stream.end(body);
    else if (body !== null && body !== undefined) (body as NodeJS.ReadableStream).pipe(stream);
    return true;
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    this.#handler.onResponseError?.(this, error);
  }

  pause(): void {
    this.paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.paused = false;
    this.#stream?.resume();
  }

  #listen(stream: ClientHttp2Stream, events: StreamEvents): void {
    stream.on("response", (headers, _flags, raw: string[]) => {
      events.heard();
      this.rawHeaders = withoutPseudo(raw);
      this.#isReplied = true;
      const status = headers[":status"] ?? 0;
      const length = headers["content-length"];
      const hasBody = this.#request.method !== "HEAD" && status !== 304;
      if (length !== undefined && hasBody) this.#left = Number(length);
      this.#handler.onResponseStart?.(this, status, {});
      stream.on("data", (chunk: Buffer) => {
        events.heard();
        if (this.#left > 0) this.#left -= chunk.byteLength;
        if (!this.#isOver) this.#handler.onResponseData?.(this, chunk);
      });
      if (this.paused) stream.pause();
    });
    stream.on("trailers", (_headers, _flags, raw: string[]) => {
      this.rawTrailers = withoutPseudo(raw);
    });
    stream.on("end", () => this.#end(stream));
    stream.on("error", (error: Error) => this.fail(this.#unprocessed(stream, events) ?? error));
    stream.on("close", () => {
      this.fail(this.#unprocessed(stream, events) ?? resetError(stream));
      events.over();
    });
  }

  /** Node ends streams beyond a farewell as refused ones, or with the session's error where it was none in peace. */
  #unprocessed({ id, rstCode }: ClientHttp2Stream, events: StreamEvents): UnprocessedError | null {
    const isUnseen = events.isUnseen(id ?? 0);
    const isRefused = isUnseen || rstCode === constants.NGHTTP2_REFUSED_STREAM;
    return isRefused && !this.#isReplied ? new UnprocessedError(isUnseen) : null;
  }

  #end(stream: ClientHttp2Stream): void {
    const isWhole = this.#isReplied && this.#left <= 0 && !stream.aborted;
    // Then `close` follows.
    if (this.#isOver || !isWhole || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
    this.#isOver = true;
    this.#handler.onResponseEnd?.(this, {});
    // What is not sent yet of the body is wanted no more.
    if (!stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
  }
}

function resetError({ rstCode }: ClientHttp2Stream): EdgeError {
  return new EdgeError("UPSTREAM_FAILED", `the stream was reset (HTTP/2 code ${rstCode ?? 0})`);
}

function withoutPseudo(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    if (!name.startsWith(":")) fields.push(name, raw[at + 1] ?? "");
  }
  return fields;
}

/** `headers`: names in lower case and values in turns. */
function fieldsOf({ method, path, headers }: ProxyRequest, scheme: string): Fields {
  const list = Array.isArray(headers) ? headers.filter((part) => typeof part === "string") : [];
  const { host = "", ...fields } = joined(list);
  return { ":method": method, ":path": path, ":scheme": scheme, ":authority": host, ...fields };
}

/** Several fields of one name are a list (RFC 9110, section 5.3); of cookies a list of another kind. */
function joined(list: readonly string[]): Fields {
  const fields: Fields = Object.create(null) as Fields;
  for (let at = 0; at + 1 < list.length; at += 2) {
    const name = list[at] ?? "";
    const before = fields[name];
    const value = list[at + 1] ?? "";
    fields[name] =
      before === undefined ? value : `${before}${name === "cookie" ? ";" : ","} ${value}`;
  }
  return fields;
}
