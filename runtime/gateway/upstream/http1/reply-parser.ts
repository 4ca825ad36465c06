// The replies of HTTP/1.1 on one connection, read strictly: what RFC 9112 leaves to guesses is refused, since whoever
// guesses otherwise would see another reply here, or two. Bytes are given as they come and are the caller's again when
// `read` returns; what a sink gets is its own.
//
// test/gateway/upstream-replies.test.ts compares it with undici's parser, reply by reply and cut anywhere.

import { EdgeError } from "../../../../sdk/errors.ts";
import { HEADER_BYTES_MAX } from "../../../../sdk/limits.ts";

export interface ReplySink {
  /** Names and values in turns. Interim replies (1xx) are left out. */
  head(status: number, fields: string[]): void;
  /** In place of all the others: a reply whose whole body came with its head, at a known length. */
  whole(status: number, fields: string[], body: Uint8Array): void;
  data(bytes: Uint8Array): void;
  /** `trailers`: names and values in turns; null: none. */
  end(trailers: string[] | null): void;
}

type Phase = "head" | "length" | "close" | "size" | "chunk" | "chunkEnd" | "trailer" | "done";

const LINE_END = Buffer.from("\r\n");
const HEAD_END = Buffer.from("\r\n\r\n");
const FIELD = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+:[\\t\\x20-\\x7e\\x80-\\xff]*";
const HEAD = new RegExp(
  `^HTTP/1\\.[01] [1-9][0-9]{2}(?: [\\t\\x20-\\x7e\\x80-\\xff]*)?(?:\\r\\n${FIELD})*$`,
);
const TRAILER = new RegExp(`^${FIELD}$`);
/** 15 digits are exact as a number, of either base. */
const LENGTH = /^[0-9]{1,15}$/;
const SIZE = /^([0-9A-Fa-f]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/;
/** With extensions, which nobody sends. */
const SIZE_BYTES_MAX = 1_024;

export class ReplyParser {
  readonly #sink: ReplySink;
  #phase: Phase = "done";
  /** An incomplete head or line, kept until more comes. */
  #rest: Buffer | null = null;
  /** Of the body or of the chunk that is being read. */
  #left = 0;
  #trailerBytes = 0;
  #trailers: string[] | null = null;
  #isKept = false;

  constructor(sink: ReplySink) {
    this.#sink = sink;
  }

  /** Before each reply. */
  begin(): void {
    this.#phase = "head";
    this.#rest = null;
    this.#trailerBytes = 0;
    this.#trailers = null;
    this.#isKept = false;
  }

  /** The rest is not wanted. */
  stop(): void {
    this.#phase = "done";
    this.#isKept = false;
  }

  /** After the end: the connection may carry another request. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** Throws UPSTREAM_FAILED for what is no reply. */
  read(bytes: Buffer): void {
    let input = bytes;
    if (this.#rest !== null) {
      input = Buffer.concat([this.#rest, bytes]);
      this.#rest = null;
    }
    let at = 0;
    while (at < input.length) {
      // Bytes that nobody has asked for: whose they are cannot be told.
      if (this.#phase === "done") return this.stop();
      at = this.#step(input, at);
    }
  }

  /** The server has ended the connection. False: in the middle of a reply. */
  close(): boolean {
    if (this.#phase === "close") this.#finish();
    return this.#phase === "done";
  }

  #step(input: Buffer, at: number): number {
    switch (this.#phase) {
      case "head":
        return this.#readHead(input, at);
      case "length":
      case "chunk":
        return this.#readSized(input, at);
      case "close":
        this.#sink.data(copyOf(input, at, input.length));
        return input.length;
      case "size":
        return this.#readSize(input, at);
      case "chunkEnd":
        return this.#readChunkEnd(input, at);
      case "trailer":
        return this.#readTrailer(input, at);
      case "done":
        return input.length;
    }
  }

  /** Where a line or a head ends; -1: not yet, and what there is of it is kept. */
  #find(input: Buffer, at: number, end: Buffer, bytesMax: number): number {
    const found = input.indexOf(end, at);
    if ((found < 0 ? input.length : found) - at > bytesMax) {
      throw malformed("the reply's headers are too large");
    }
    if (found < 0) this.#rest = Buffer.from(input.subarray(at));
    return found;
  }

  #readHead(input: Buffer, at: number): number {
    const end = this.#find(input, at, HEAD_END, HEADER_BYTES_MAX);
    if (end < 0) return input.length;
    const text = input.toString("latin1", at, end);
    if (!HEAD.test(text)) throw malformed("the reply is not HTTP");
    const status = Number(text.slice(9, 12));
    const from = end + HEAD_END.length;
    if (status === 101) throw malformed("the reply switches protocols, which nobody asked for");
    if (status < 200) return from;
    const { fields, length, isChunked, isKept } = readFields(text, status);
    this.#isKept = isKept;
    if (length >= 0 && input.length - from >= length) {
      this.#phase = "done";
      this.#sink.whole(status, fields, copyOf(input, from, from + length));
      return from + length;
    }
    this.#left = length;
    this.#phase = isChunked ? "size" : length < 0 ? "close" : "length";
    this.#sink.head(status, fields);
    return from;
  }

  #readSized(input: Buffer, at: number): number {
    const end = Math.min(input.length, at + this.#left);
    this.#left -= end - at;
    const isAll = this.#left === 0;
    const isLast = isAll && this.#phase === "length";
    if (isAll) this.#phase = isLast ? "length" : "chunkEnd";
    this.#sink.data(copyOf(input, at, end));
    if (isLast && this.#phase === "length") this.#finish();
    return end;
  }

  #readSize(input: Buffer, at: number): number {
    const end = this.#find(input, at, LINE_END, SIZE_BYTES_MAX);
    if (end < 0) return input.length;
    const size = SIZE.exec(input.toString("latin1", at, end))?.[1];
    if (size === undefined) throw malformed("a chunk of the reply has no size");
    this.#left = Number.parseInt(size, 16);
    this.#phase = this.#left === 0 ? "trailer" : "chunk";
    return end + LINE_END.length;
  }

  #readChunkEnd(input: Buffer, at: number): number {
    if (input.length - at < LINE_END.length) {
      this.#rest = Buffer.from(input.subarray(at));
      return input.length;
    }
    if (input[at] !== LINE_END[0] || input[at + 1] !== LINE_END[1]) {
      throw malformed("a chunk of the reply is not as long as it said");
    }
    this.#phase = "size";
    return at + LINE_END.length;
  }

  #readTrailer(input: Buffer, at: number): number {
    const end = this.#find(input, at, LINE_END, HEADER_BYTES_MAX - this.#trailerBytes);
    if (end < 0) return input.length;
    this.#trailerBytes += end - at;
    if (end === at) this.#finish();
    else {
      const line = input.toString("latin1", at, end);
      if (!TRAILER.test(line)) throw malformed("the reply is not HTTP");
      const colon = line.indexOf(":");
      const value = trimmed(line, colon + 1, line.length);
      (this.#trailers ??= []).push(line.slice(0, colon), value);
    }
    return end + LINE_END.length;
  }

  #finish(): void {
    this.#phase = "done";
    this.#sink.end(this.#trailers);
  }
}

interface Head {
  readonly fields: string[];
  /** -1: not known before the end. */
  readonly length: number;
  readonly isChunked: boolean;
  readonly isKept: boolean;
}

/** RFC 9112, section 6.3. */
function readFields(head: string, status: number): Head {
  const fields: string[] = [];
  let length = -1;
  let coding: string | null = null;
  let connection = "";
  for (let at = head.indexOf("\r\n"); at >= 0;) {
    const next = head.indexOf("\r\n", at + 2);
    const colon = head.indexOf(":", at);
    const name = head.slice(at + 2, colon);
    const value = trimmed(head, colon + 1, next < 0 ? head.length : next);
    at = next;
    fields.push(name, value);
    switch (name.length) {
      case 10:
        if (name.toLowerCase() === "connection") connection += `,${value}`;
        break;
      case 14:
        if (name.toLowerCase() !== "content-length") break;
        if (length >= 0 || !LENGTH.test(value)) throw malformed("the reply's length is unclear");
        length = Number(value);
        break;
      case 17:
        if (name.toLowerCase() !== "transfer-encoding") break;
        coding = coding === null ? value : `${coding},${value}`;
        break;
    }
  }
  if (coding !== null && (length >= 0 || coding.toLowerCase() !== "chunked")) {
    throw malformed("the reply's length is unclear");
  }
  const isOld = head.charCodeAt(7) === 0x30;
  if (coding !== null && isOld) throw malformed("the reply's length is unclear");
  if (status === 204 || status === 304) {
    // What says that it has a body may send one, which would be taken for the next reply.
    const isBare = coding === null && length <= 0;
    return { fields, length: 0, isChunked: false, isKept: isBare && keeps(connection, isOld) };
  }
  const isFramed = coding !== null || length >= 0;
  const isKept = isFramed && keeps(connection, isOld);
  return { fields, length, isChunked: coding !== null, isKept };
}

function keeps(connection: string, isOld: boolean): boolean {
  if (connection === "") return !isOld;
  const options = connection.split(",").map((option) => option.trim().toLowerCase());
  return !options.includes("close") && (!isOld || options.includes("keep-alive"));
}

function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function copyOf(input: Buffer, from: number, to: number): Uint8Array {
  return Buffer.from(input.subarray(from, to));
}

function malformed(why: string): EdgeError {
  return new EdgeError("UPSTREAM_FAILED", why);
}
