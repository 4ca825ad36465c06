// The synchronous functions of node:zlib: they work in the isolate, on the request's CPU time.

import { Buffer } from "node:buffer";
import { adler32Of, crc32Of } from "./checksums.ts";
import { deflateBytes } from "./deflate.ts";
import { dataError, endError, inflateBytes, type Inflated } from "./inflate.ts";
import { bytesMax, bytesOf, type Input } from "./input.ts";

export type SyncForm = (input: Input, options?: unknown) => Buffer;

const GZIP = 0x8b1f;
const DEFLATE_METHOD = 8;
const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, DEFLATE_METHOD, 0, 0, 0, 0, 0, 0, 3);
const GZIP_TRAILER_BYTES = 8;
/** Flags of a member of gzip. */
const HAS_HEADER_SUM = 2;
const HAS_EXTRA = 4;
const HAS_NAME = 8;
const HAS_COMMENT = 16;
/** A window of 32 KB, the usual level; divisible by 31. */
const ZLIB_HEADER = Uint8Array.of(0x78, 0x9c);
const ZLIB_DICTIONARY = 0x20;
const ZLIB_TRAILER_BYTES = 4;

function compressed(input: Input, options: unknown): [Uint8Array, Uint8Array] {
  const bytes = bytesOf(input);
  const level = (options as { readonly level?: unknown } | null | undefined)?.level;
  return [bytes, deflateBytes(bytes, level === 0)];
}

export const deflateRawSync: SyncForm = (input, options) => {
  return Buffer.from(compressed(input, options)[1]);
};

export const gzipSync: SyncForm = (input, options) => {
  const [bytes, deflated] = compressed(input, options);
  const trailer = Buffer.alloc(GZIP_TRAILER_BYTES);
  trailer.writeUInt32LE(crc32Of(bytes), 0);
  trailer.writeUInt32LE(bytes.length % 2 ** 32, 4);
  return Buffer.concat([GZIP_HEADER, deflated, trailer]);
};

export const deflateSync: SyncForm = (input, options) => {
  const [bytes, deflated] = compressed(input, options);
  const trailer = Buffer.alloc(ZLIB_TRAILER_BYTES);
  trailer.writeUInt32BE(adler32Of(bytes), 0);
  return Buffer.concat([ZLIB_HEADER, deflated, trailer]);
};

export const inflateRawSync: SyncForm = (input, options) => {
  return bufferOf(inflateBytes(bytesOf(input), 0, bytesMax(options)).bytes);
};

export const inflateSync: SyncForm = (input, options) => {
  const bytes = bytesOf(input);
  if (bytes.length < 2) throw endError();
  const [method = 0, flags = 0] = bytes;
  if (((method << 8) | flags) % 31 !== 0) throw dataError("incorrect header check");
  if ((method & 15) !== DEFLATE_METHOD) throw dataError("unknown compression method");
  if ((flags & ZLIB_DICTIONARY) !== 0) throw dataError("Missing dictionary");
  const { bytes: inflated, read } = inflateBytes(bytes, 2, bytesMax(options));
  const view = trailerOf(bytes, read, ZLIB_TRAILER_BYTES);
  if (view.getUint32(0) !== adler32Of(inflated)) throw dataError("incorrect data check");
  return bufferOf(inflated);
};

/** All members, one after the other; what else follows is passed over. */
export const gunzipSync: SyncForm = (input, options) => {
  const bytes = bytesOf(input);
  const members: Uint8Array[] = [];
  let left = bytesMax(options);
  let from = 0;
  do {
    const member = memberAt(bytes, from, left);
    members.push(member.bytes);
    left -= member.bytes.length;
    from = member.read;
  } while (bytes[from] === (GZIP & 0xff) && bytes[from + 1] === GZIP >> 8);
  return Buffer.concat(members);
};

export const unzipSync: SyncForm = (input, options) => {
  const bytes = bytesOf(input);
  return bytes[0] === (GZIP & 0xff) ? gunzipSync(bytes, options) : inflateSync(bytes, options);
};

function memberAt(bytes: Uint8Array, from: number, max: number): Inflated {
  const { bytes: inflated, read } = inflateBytes(bytes, endOfHeader(bytes, from), max);
  const view = trailerOf(bytes, read, GZIP_TRAILER_BYTES);
  if (view.getUint32(0, true) !== crc32Of(inflated)) throw dataError("incorrect data check");
  if (view.getUint32(4, true) !== inflated.length % 2 ** 32) {
    throw dataError("incorrect length check");
  }
  return { bytes: inflated, read: read + GZIP_TRAILER_BYTES };
}

function endOfHeader(bytes: Uint8Array, from: number): number {
  const head = bytes.subarray(from, from + GZIP_HEADER.length);
  if (head.length >= 2 && (head[0] !== (GZIP & 0xff) || head[1] !== GZIP >> 8)) {
    throw dataError("incorrect header check");
  }
  if (head.length < GZIP_HEADER.length) throw endError();
  if (head[2] !== DEFLATE_METHOD) throw dataError("unknown compression method");
  const flags = head[3] ?? 0;
  let at = from + GZIP_HEADER.length;
  if ((flags & HAS_EXTRA) !== 0) at += 2 + trailerOf(bytes, at, 2).getUint16(0, true);
  for (const flag of [HAS_NAME, HAS_COMMENT]) {
    if ((flags & flag) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) throw endError();
    at = end + 1;
  }
  return (flags & HAS_HEADER_SUM) === 0 ? at : at + 2;
}

function trailerOf(bytes: Uint8Array, at: number, length: number): DataView {
  if (at + length > bytes.length) throw endError();
  return new DataView(bytes.buffer, bytes.byteOffset + at, length);
}

function bufferOf(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
