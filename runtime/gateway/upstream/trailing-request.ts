// A request whose client has announced fields behind its body. undici and http1/ end bodies without any, so it goes
// over node:http, on a connection of its own: such requests are rare.

import { request as openRequest, type ClientRequest, type IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { buildConnector, Dispatcher } from "undici";
import { EdgeError } from "../../../sdk/errors.ts";
import { HEADER_BYTES_MAX } from "../../../sdk/limits.ts";
import type { ReplyHandler } from "./http1/transfer.ts";
import { TransferControl } from "./transfer-control.ts";

export interface Trailing {
  /** As they are announced to the server. */
  readonly names: readonly string[];
  /** Once the body has ended: names and values. */
  fields(): readonly [string, string][];
}

export interface ProxyRequest extends Dispatcher.DispatchOptions {
  /** What comes behind its body; absent: nothing. */
  readonly trailing?: Trailing | undefined;
}

export interface TrailingOptions {
  readonly origin: string;
  readonly connect: buildConnector.connector;
}

export function sendTrailing(
  options: TrailingOptions,
  request: Dispatcher.DispatchOptions & { readonly trailing: Trailing },
  handler: ReplyHandler,
): void {
  const transfer = new TrailingTransfer(handler);
  try {
    transfer.start(options, request);
  } catch (error) {
    transfer.fail(error instanceof Error ? error : new EdgeError("INTERNAL"));
  }
}

class TrailingTransfer extends TransferControl {
  readonly #handler: ReplyHandler;
  #request: ClientRequest | null = null;
  #reply: IncomingMessage | null = null;
  #isOver = false;

  constructor(handler: ReplyHandler) {
    super();
    this.#handler = handler;
  }

  start(
    { origin, connect }: TrailingOptions,
    request: Dispatcher.DispatchOptions & { readonly trailing: Trailing },
  ): void {
    const { method, path, body, trailing } = request;
    const { protocol, host, hostname, port } = new URL(origin);
    const outgoing = openRequest({
      method,
      path,
      headers: headersOf(request.headers, trailing.names),
      maxHeaderSize: HEADER_BYTES_MAX,
      createConnection: (_options, done) => {
        connect({ protocol, host, hostname, port }, (error, socket) => {
          // Node's type has no socket that is not there, undici's callback none that it gives.
          if (error === null) done(null, socket);
          else done(error, undefined as never);
        });
        return undefined;
      },
    });
    this.#request = outgoing;
    outgoing.on("socket", () => this.#handler.onRequestStart?.(this, undefined));
    outgoing.on("response", (reply) => this.#begin(reply));
    outgoing.on("error", (error) => this.#lost(error));
    outgoing.on("close", () => {
      this.#lost(new EdgeError("UPSTREAM_FAILED", "the connection was closed"));
    });
    const end = (): void => {
      outgoing.addTrailers(trailing.fields());
      outgoing.end();
    };
    if (body instanceof Uint8Array) {
      outgoing.write(body);
      end();
    } else {
      const stream = body as Readable;
      stream.on("end", end);
      stream.pipe(outgoing, { end: false });
    }
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#request?.destroy();
    this.#handler.onResponseError?.(this, error);
  }

  pause(): void {
    this.paused = true;
    this.#reply?.pause();
  }

  resume(): void {
    this.paused = false;
    this.#reply?.resume();
  }

  /** A reply that has come whole may wait to be taken; its end follows. */
  #lost(error: Error): void {
    if (this.#reply?.complete !== true) this.fail(error);
  }

  #begin(reply: IncomingMessage): void {
    this.#reply = reply;
    this.rawHeaders = reply.rawHeaders;
    reply.on("error", (error) => this.fail(error));
    reply.on("end", () => this.#end(reply));
    this.#handler.onResponseStart?.(this, reply.statusCode ?? 0, {}, reply.statusMessage);
    reply.on("data", (chunk: Buffer) => this.#handler.onResponseData?.(this, chunk));
    if (this.paused) reply.pause();
  }

  #end(reply: IncomingMessage): void {
    if (this.#isOver || !reply.complete) return;
    this.#isOver = true;
    this.rawTrailers = reply.rawTrailers;
    this.#handler.onResponseEnd?.(this, {});
    // What is not sent yet of the body is wanted no more.
    this.#request?.destroy();
  }
}

/** Without what belongs to the connection, which is ours. */
function headersOf(
  headers: Dispatcher.DispatchOptions["headers"],
  names: readonly string[],
): string[] {
  const fields = Array.isArray(headers) ? headers.filter((part) => typeof part === "string") : [];
  const takesTrailers = fields.some((name, index) => index % 2 === 0 && name === "te");
  const connection = takesTrailers ? "te, close" : "close";
  fields.push("connection", connection, "transfer-encoding", "chunked");
  fields.push("trailer", names.join(", "));
  return fields;
}
