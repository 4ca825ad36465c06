// What a worker and a cordon say to each other: frames over one Unix socket, many requests at once.
//
// A frame is a head (bytes of text, bytes of bytes, request, op), then both. Texts are lines; headers come last,
// because their list holds lines of its own. Frames of one turn of the event loop leave in one write. Numbers of
// requests are the worker's to give; a frame for a request that is over is dropped by whoever gets it.

import type { Socket } from "node:net";
import { EdgeError } from "../../../sdk/errors.ts";
import { HEADER_BYTES_MAX, URL_BYTES_MAX } from "../../../sdk/limits.ts";

export const OP = {
  // Worker to cordon. A body that the worker has whole goes with its request; any other waits for READ.
  REQUEST: 1,
  BODY: 2,
  BODY_END: 3,
  BODY_FAIL: 4,
  /** The client is gone. */
  ABORT: 5,
  /** Stop the reply's stream, and go on. */
  HOLD: 6,
  GO: 7,
  // Cordon to worker.
  /** The whole reply. */
  REPLY: 8,
  /** A reply's head; CHUNK … END or BROKEN follow. */
  BEGIN: 9,
  CHUNK: 10,
  END: 11,
  BROKEN: 12,
  /** Send the body, stop it, go on. */
  READ: 13,
  BODY_HOLD: 14,
  BODY_GO: 15,
  /** Request 0: take new requests elsewhere and close when the last one here is over. */
  LEAVING: 16,
  /** Request 0, first: the cordon has taken the connection, not the kernel for one that is dying. */
  READY: 17,
  /** The request becomes a WebSocket. */
  SOCKET_ACCEPT: 18,
  // Both ways: a part of a message, its last part, and the end.
  SOCKET_PART: 19,
  SOCKET_TEXT: 20,
  SOCKET_BYTES: 21,
  SOCKET_CLOSE: 22,
} as const;

const HEAD_BYTES = 13;
/** A request's or a reply's head: address, headers, and what stands between them. */
const TEXT_BYTES_MAX: number = 4 * (HEADER_BYTES_MAX + URL_BYTES_MAX);
/** Bytes of one frame; more goes in several. */
export const FRAME_BYTES_MAX: number = 256 * 1024;
/** Frames of one turn that are copied into one write; larger ones are handed to the kernel as they are. */
const JOINED_BYTES_MAX: number = 64 * 1024;
const EMPTY: Buffer = Buffer.alloc(0);

export type TakeFrame = (op: number, id: number, text: string, bytes: Buffer) => void;

export class FrameReader {
  readonly #take: TakeFrame;
  #rest: Buffer = EMPTY;

  constructor(take: TakeFrame) {
    this.#take = take;
  }

  /** Throws when this cannot be what the other end's FrameWriter wrote. */
  push(chunk: Buffer): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (data.length - at >= HEAD_BYTES) {
      const textBytes = data.readUInt32LE(at);
      const bytes = data.readUInt32LE(at + 4);
      if (textBytes > TEXT_BYTES_MAX || bytes > FRAME_BYTES_MAX) {
        throw new EdgeError("INTERNAL", "A frame is larger than any can be.");
      }
      const textAt = at + HEAD_BYTES;
      const bytesAt = textAt + textBytes;
      if (bytesAt + bytes > data.length) break;
      const id = data.readUInt32LE(at + 8);
      const op = data.readUInt8(at + 12);
      at = bytesAt + bytes;
      this.#take(
        op,
        id,
        textBytes === 0 ? "" : data.toString("utf8", textAt, bytesAt),
        bytes === 0 ? EMPTY : data.subarray(bytesAt, at),
      );
    }
    this.#rest = at === data.length ? EMPTY : data.subarray(at);
  }
}

export class FrameWriter {
  readonly #socket: Socket;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  /** Somebody was told that it is full. */
  #awaited = false;
  readonly #flush = (): void => {
    const frames = this.#frames;
    const bytes = this.#bytes;
    this.#frames = [];
    this.#bytes = 0;
    if (this.#socket.destroyed) return;
    const [first] = frames;
    if (frames.length === 1 && first !== undefined) {
      this.#socket.write(first);
    } else if (bytes <= JOINED_BYTES_MAX) {
      this.#socket.write(Buffer.concat(frames, bytes));
    } else {
      this.#socket.cork();
      for (const frame of frames) this.#socket.write(frame);
      this.#socket.uncork();
    }
    // Its own drain comes only if the kernel did not take all of it.
    if (!this.#socket.writableNeedDrain) this.#tell();
  };
  readonly #onDrained: () => void;

  constructor(socket: Socket, onDrained: () => void) {
    this.#socket = socket;
    this.#onDrained = onDrained;
    socket.on("drain", () => this.#tell());
  }

  /** What waits for the other end to read. */
  get unsentBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** Whoever streams waits; onDrained tells when there is room again. */
  get full(): boolean {
    const full = this.unsentBytes >= this.#socket.writableHighWaterMark;
    this.#awaited ||= full;
    return full;
  }

  /** At most FRAME_BYTES_MAX bytes, which belong to the socket from here on. */
  push(op: number, id: number, text = "", bytes: Uint8Array = EMPTY): void {
    const textBytes = text === "" ? 0 : Buffer.byteLength(text);
    const head = Buffer.allocUnsafe(HEAD_BYTES + textBytes);
    head.writeUInt32LE(textBytes, 0);
    head.writeUInt32LE(bytes.byteLength, 4);
    head.writeUInt32LE(id, 8);
    head.writeUInt8(op, 12);
    if (textBytes > 0) head.write(text, HEAD_BYTES);
    if (this.#frames.length === 0) setImmediate(this.#flush);
    this.#frames.push(head);
    if (bytes.byteLength > 0) this.#frames.push(bytes);
    this.#bytes += head.byteLength + bytes.byteLength;
  }

  #tell(): void {
    if (!this.#awaited) return;
    this.#awaited = false;
    this.#onDrained();
  }
}

/** What a worker tells a cordon of a request. */
export interface RequestHead {
  readonly endpoint: string;
  /** As of an exchange; "": the default one. */
  readonly entrypoint: string;
  /** As of an exchange; "": unknown. */
  readonly protocol: string;
  /** Of the registry that the worker routed by. */
  readonly revision: number;
  readonly requestId: string;
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly authority: string;
  readonly scheme: string;
  readonly address: string;
  /** none: without a body; whole: with the frame; later: after READ. */
  readonly body: "none" | "whole" | "later";
  /** Whether the client asks for a WebSocket. */
  readonly asksSocket: boolean;
  readonly headers: string;
}

const REQUEST_LINES = 13;

/** None of the values can hold a line feed: the listener has refused those. */
export function packRequest(head: RequestHead): string {
  return (
    `${head.endpoint}\n${head.revision}\n${head.requestId}\n${head.method}\n${head.url}\n` +
    `${head.host}\n${head.authority}\n${head.scheme}\n${head.address}\n${head.body}\n` +
    `${head.asksSocket ? "socket" : ""}\n${head.entrypoint}\n${head.protocol}\n${head.headers}`
  );
}

export function parseRequest(text: string): RequestHead {
  const [lines, headers] = splitLines(text, REQUEST_LINES);
  const [endpoint = "", revision, requestId = "", method = "", url = ""] = lines;
  const [host = "", authority = "", scheme = "", address = "", body, socket, ...more] =
    lines.slice(5);
  const [entrypoint = "", protocol = ""] = more;
  return {
    endpoint,
    revision: Number(revision),
    requestId,
    method,
    url,
    host,
    authority,
    scheme,
    address,
    body: body === "whole" || body === "later" ? body : "none",
    asksSocket: socket === "socket",
    entrypoint,
    protocol,
    headers,
  };
}

/** The first `count` lines, and what follows them. */
export function splitLines(text: string, count: number): [lines: string[], rest: string] {
  const lines: string[] = [];
  let at = 0;
  while (lines.length < count) {
    const end = text.indexOf("\n", at);
    if (end < 0) break;
    lines.push(text.slice(at, end));
    at = end + 1;
  }
  return [lines, text.slice(at)];
}

/** Whoever sends what is no frame is cut off. */
export function readFrames(socket: Socket, take: TakeFrame): void {
  const reader = new FrameReader(take);
  socket.on("data", (chunk: Buffer) => {
    try {
      reader.push(chunk);
    } catch {
      socket.destroy();
    }
  });
  // "close" follows every error.
  socket.on("error", () => {});
}
