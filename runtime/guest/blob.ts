// Blob and File. A blob keeps its bytes in one piece, never changed and never handed out without a copy, so
// that slices share them.

import { bytesOf } from "./buffer-source.ts";
import { decodeUtf8, encodeUtf8 } from "./encoding.ts";
import { iterate } from "./headers.ts";
import { exposeInterface } from "./interface.ts";
import { createByteStream, type ReadableStream } from "./streams.ts";
import { GuestDate } from "./clock.ts";

const apply = Reflect.apply;
const copy = Uint8Array.prototype.slice;
const subarray = Uint8Array.prototype.subarray;
const setBytes = Uint8Array.prototype.set;
const KEY = {};
const now = GuestDate.now;
/** Bytes per chunk of a blob's stream. */
const CHUNK_BYTES = 65_536;

const EMPTY = new Uint8Array(0);
let blobOver: (bytes: Uint8Array<ArrayBuffer>, type: string) => Blob;

/** The bytes of a blob; read only. */
export let blobBytes: (blob: Blob) => Uint8Array<ArrayBuffer>;
export let isBlob: (value: unknown) => value is Blob;
export let isFile: (value: unknown) => value is File;

export class Blob {
  #bytes: Uint8Array<ArrayBuffer>;
  #type: string;

  constructor(parts: unknown = undefined, options: unknown = undefined) {
    this.#bytes = EMPTY;
    this.#type = "";
    if (parts === KEY) return;
    const list = parts === undefined ? [] : sequence(parts);
    const { endings, type } = parseOptions(options);
    this.#bytes = concat(list, endings === "native");
    this.#type = type;
  }

  static {
    blobBytes = (blob) => blob.#bytes;
    isBlob = (value): value is Blob =>
      typeof value === "object" && value !== null && #bytes in value;
    blobOver = (bytes, type) => {
      const blob = new Blob(KEY);
      blob.#bytes = bytes;
      blob.#type = type;
      return blob;
    };
  }

  get size(): number {
    return this.#bytes.byteLength;
  }

  get type(): string {
    return this.#type;
  }

  slice(start: unknown = 0, end: unknown = undefined, type: unknown = ""): Blob {
    const size = this.#bytes.byteLength;
    const from = clamp(start, size);
    const to = end === undefined ? size : clamp(end, size);
    const part = apply(subarray, this.#bytes, [from, from > to ? from : to]);
    return blobOver(part as Uint8Array<ArrayBuffer>, mimeType(type));
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (apply(copy, this.#bytes, []) as Uint8Array<ArrayBuffer>).buffer;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return apply(copy, this.#bytes, []) as Uint8Array<ArrayBuffer>;
  }

  async text(): Promise<string> {
    return decodeUtf8(this.#bytes);
  }

  stream(): ReadableStream<unknown> {
    return createByteStream(chunksOf(this.#bytes)).stream;
  }
}

export function createBlob(bytes: Uint8Array<ArrayBuffer>, type: string): Blob {
  return blobOver(bytes, mimeType(type));
}

/** For structuredClone; the bytes, which never change, are shared. */
export function copyBlob(value: object): Blob | null {
  if (!isBlob(value)) return null;
  const { type } = value;
  if (!isFile(value)) return blobOver(blobBytes(value), type);
  return new File([value], value.name, { type, lastModified: value.lastModified });
}

/** Copies of consecutive pieces, for a stream. */
export function chunksOf(bytes: Uint8Array): { pull(): Uint8Array | null; cancel(): void } {
  let at = 0;
  return {
    pull() {
      if (at >= bytes.byteLength) return null;
      const from = at;
      at += CHUNK_BYTES;
      return apply(copy, bytes, [from, at]) as Uint8Array;
    },
    cancel() {
      at = bytes.byteLength;
    },
  };
}

export class File extends Blob {
  readonly #name: string;
  readonly #lastModified: number;

  constructor(parts: unknown, name: unknown, options: unknown = undefined) {
    if (arguments.length < 2) throw new TypeError("File needs parts and a name.");
    super(parts === undefined ? null : parts, options);
    this.#name = `${name as string}`.toWellFormed();
    const modified: unknown = (options as { lastModified?: unknown } | undefined | null)
      ?.lastModified;
    this.#lastModified = modified === undefined ? now() : toLong(modified);
  }

  static {
    isFile = (value): value is File =>
      typeof value === "object" && value !== null && #name in value;
  }

  get name(): string {
    return this.#name;
  }

  get lastModified(): number {
    return this.#lastModified;
  }
}

exposeInterface(Blob, "Blob");
exposeInterface(File, "File");

function toLong(value: unknown): number {
  const number = Math.trunc(Number(value));
  return Number.isFinite(number) ? number + 0 : 0;
}

/** Web IDL's [Clamp]. */
function roundToEven(value: number): number {
  if (Number.isNaN(value)) return 0;
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

function clamp(value: unknown, size: number): number {
  const number = roundToEven(Number(value));
  return number < 0 ? Math.max(size + number, 0) : Math.min(number, size);
}

function sequence(parts: unknown): unknown[] {
  if ((typeof parts !== "object" && typeof parts !== "function") || parts === null) {
    throw new TypeError("A blob's parts must be a sequence.");
  }
  const method: unknown = (parts as Iterable<unknown>)[Symbol.iterator];
  if (typeof method !== "function") throw new TypeError("A blob's parts must be a sequence.");
  const list: unknown[] = [];
  for (const part of iterate(parts, method)) {
    list[list.length] = isBlob(part) || bytesOf(part) !== null ? part : `${part as string}`;
  }
  return list;
}

function parseOptions(options: unknown): { endings: string; type: string } {
  if (options === undefined || options === null) return { endings: "transparent", type: "" };
  if (typeof options !== "object" && typeof options !== "function") {
    throw new TypeError("A blob's options must be an object.");
  }
  const given = options as { endings?: unknown; type?: unknown };
  const endings = given.endings === undefined ? "transparent" : `${given.endings as string}`;
  if (endings !== "transparent" && endings !== "native") {
    throw new TypeError("endings must be transparent or native.");
  }
  return { endings, type: given.type === undefined ? "" : mimeType(given.type) };
}

function mimeType(value: unknown): string {
  const type = `${value as string}`;
  for (let i = 0; i < type.length; i++) {
    const code = type.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return "";
  }
  return type.toLowerCase();
}

function partBytes(part: unknown, native: boolean): Uint8Array {
  if (typeof part === "string") {
    return encodeUtf8(native ? part.replace(/\r\n?|\n/g, "\n") : part);
  }
  return isBlob(part) ? blobBytes(part) : (bytesOf(part) ?? EMPTY);
}

function concat(list: readonly unknown[], native: boolean): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array[] = [];
  for (let i = 0; i < list.length; i++) pieces[i] = partBytes(list[i], native);
  return concatBytes(pieces);
}

export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (let i = 0; i < pieces.length; i++) size += pieces[i]?.byteLength ?? 0;
  const all = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i] ?? EMPTY;
    apply(setBytes, all, [piece, at]);
    at += piece.byteLength;
  }
  return all;
}
