// One connection to a server, in plain HTTP/1.1, with one request on it at a time. All connections read into one piece
// of memory: what is read is copied out before the next read, and a connection that waits holds none.

import { connect, type Socket } from "node:net";
import { EdgeError } from "../../../../sdk/errors.ts";
import { ReplyParser, type ReplySink } from "./reply-parser.ts";
import type { Transfer, TransferOwner } from "./transfer.ts";

/** As much as the system hands over at once. */
const READ_BYTES: number = 64 * 1024;
const input: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);
/** A server that is gone without a word is found out after so long. */
const PROBE_MS = 60_000;
const NO_HEADERS = {};
const NO_FIELDS: string[] = [];

export interface Address {
  readonly host: string;
  readonly port: number;
  /** Instead of the others; null: TCP. */
  readonly socketPath: string | null;
}

export interface ConnectionOwner {
  connected(connection: Connection): void;
  /** It has carried a request and may carry another. */
  freed(connection: Connection): void;
  /** Once, whenever it ends. `error`: it has never been. */
  lost(connection: Connection, error: Error | null): void;
}

export class Connection implements ReplySink, TransferOwner {
  /** Of the owner: no longer than this it may wait. */
  idleUntilMs = 0;
  requests = 0;
  /** What the server has said of how long it waits. */
  serverKeepMs: number | null = null;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #parser = new ReplyParser(this);
  #transfer: Transfer | null = null;
  #isConnected = false;
  #isLost = false;
  /** It was told to close after this request. */
  #isLast = false;

  constructor(owner: ConnectionOwner, { host, port, socketPath }: Address, connectMs: number) {
    this.#owner = owner;
    const onread = {
      buffer: input,
      callback: (length: number): boolean => {
        this.#read(length);
        return true;
      },
    };
    this.#socket =
      socketPath === null
        ? connect({
            host,
            port,
            onread,
            noDelay: true,
            keepAlive: true,
            keepAliveInitialDelay: PROBE_MS,
          })
        : connect({ path: socketPath, onread });
    this.#socket.setTimeout(connectMs, () => {
      this.#end(new EdgeError("UPSTREAM_TIMEOUT", "connecting took too long"));
    });
    this.#socket.once("connect", () => {
      this.#isConnected = true;
      this.#socket.setTimeout(0);
      owner.connected(this);
    });
    this.#socket.on("error", (error) => this.#end(error));
    this.#socket.on("end", () => this.#ended());
    this.#socket.on("close", () => this.#end(closed()));
  }

  /** False: it was not wanted any more, and nothing was sent. */
  send(transfer: Transfer, isLast: boolean): boolean {
    if (!transfer.start(this)) {
      transfer.leave();
      return false;
    }
    this.requests++;
    this.#transfer = transfer;
    this.#isLast = isLast;
    this.#parser.begin();
    const socket = this.#socket;
    const head = `${transfer.head}connection: ${isLast ? "close" : "keep-alive"}\r\n\r\n`;
    if (transfer.body === null) socket.write(head, "latin1");
    else {
      socket.cork();
      socket.write(head, "latin1");
      socket.write(transfer.body);
      socket.uncork();
    }
    return true;
  }

  destroy(): void {
    this.#end(closed());
  }

  head(status: number, fields: string[]): void {
    const transfer = this.#take(fields);
    transfer?.handler.onResponseStart?.(transfer, status, NO_HEADERS);
  }

  whole(status: number, fields: string[], body: Uint8Array): void {
    const transfer = this.#take(fields);
    if (transfer === null) return;
    const { handler } = transfer;
    if (handler.onResponseWhole !== undefined) {
      this.#leave();
      try {
        handler.onResponseWhole(transfer, status, body);
      } catch (error) {
        transfer.fail(errorOf(error));
      }
      return;
    }
    handler.onResponseStart?.(transfer, status, NO_HEADERS);
    if (body.byteLength > 0) this.data(body);
    this.end(null);
  }

  data(bytes: Uint8Array): void {
    const transfer = this.#transfer;
    transfer?.handler.onResponseData?.(transfer, bytes as Buffer);
  }

  end(trailers: string[] | null): void {
    const transfer = this.#leave();
    if (transfer !== null) transfer.rawTrailers = trailers ?? NO_FIELDS;
    transfer?.handler.onResponseEnd?.(transfer, NO_HEADERS);
  }

  cut(transfer: Transfer): void {
    // Before anything was sent the connection is as good as it was.
    if (transfer !== this.#transfer) return;
    this.#leave();
    this.#end(closed());
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #take(fields: string[]): Transfer | null {
    const transfer = this.#transfer;
    if (transfer !== null) transfer.rawHeaders = fields;
    this.serverKeepMs = keepMs(fields);
    return transfer;
  }

  #leave(): Transfer | null {
    const transfer = this.#transfer;
    this.#transfer = null;
    transfer?.leave();
    if (transfer?.paused === true) this.#socket.resume();
    return transfer;
  }

  #read(length: number): void {
    if (this.#isLost) return;
    const isIdle = this.#transfer === null;
    try {
      this.#parser.read(input.subarray(0, length));
    } catch (error) {
      return this.#end(errorOf(error));
    }
    if (this.#transfer !== null || this.#isLost) return;
    // A reply that nobody waits for, or one before its request was sent, may be meant for somebody else.
    const isClean = !isIdle && this.#parser.isKept && this.#socket.writableLength === 0;
    if (!isClean || this.#isLast) this.#end(closed());
    else this.#owner.freed(this);
  }

  #ended(): void {
    let error: Error | null = null;
    try {
      if (!this.#parser.close()) error = closed();
    } catch (thrown) {
      error = errorOf(thrown);
    }
    this.#end(error ?? closed());
  }

  /** Whoever waits for a reply is told why there is none. */
  #end(error: Error): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#parser.stop();
    this.#socket.destroy();
    const transfer = this.#leave();
    transfer?.fail(error);
    this.#owner.lost(this, this.#isConnected ? null : error);
  }
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : closed();
}

function closed(): EdgeError {
  return new EdgeError("UPSTREAM_FAILED", "the connection was closed");
}

/** Of Keep-Alive, in which servers say how long they wait; null: it says nothing. */
function keepMs(fields: readonly string[]): number | null {
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = fields[at] ?? "";
    if (name.length !== 10 || name.toLowerCase() !== "keep-alive") continue;
    const seconds = /(?:^|[,\s])timeout=([0-9]{1,9})/i.exec(fields[at + 1] ?? "")?.[1];
    if (seconds !== undefined) return Number(seconds) * 1_000;
  }
  return null;
}
