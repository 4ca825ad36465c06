// node:zlib over the platform's compression streams, whose work the host does: levels, windows and dictionaries are the
// host's. What is synchronous works in the isolate (zlib/sync.ts); of brotli there is none.

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import * as constants from "unenv/node/internal/zlib/constants";
import * as codes from "unenv/node/internal/zlib/codes";
import { checkCallback, coded } from "../errors.ts";
import { crc32Of } from "../zlib/checksums.ts";
import { bytesMax, bytesOf, type Input } from "../zlib/input.ts";

export {
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
  unzipSync,
} from "../zlib/sync.ts";
export { codes, constants };

type Callback = (error: Error | null, result?: Buffer) => void;
type Form = (input: Input, options?: unknown, callback?: Callback) => void;
type Pair = Pick<TransformStream<Uint8Array, Uint8Array>, "readable" | "writable">;
type Make = (first: number) => Pair;

const GZIP_FIRST = 0x1f;

/** "brotli" is the platform's own. */
const compressor = (format: string): Make => {
  return () => new CompressionStream(format as "gzip") as Pair;
};
const decompressor = (format: string): Make => {
  return () => new DecompressionStream(format as "gzip") as Pair;
};
const sniffing: Make = (first) => decompressor(first === GZIP_FIRST ? "gzip" : "deflate")(first);

function form(make: Make): Form {
  return (input, options, callback) => {
    const done = checkCallback(typeof options === "function" ? options : callback);
    const bytes = bytesOf(input);
    void tell(convert(make(bytes[0] ?? 0), bytes, bytesMax(options)), done);
  };
}

async function tell(result: Promise<Buffer>, done: Callback): Promise<void> {
  let args: Parameters<Callback>;
  try {
    args = [null, await result];
  } catch (error) {
    args = [error as Error];
  }
  // What it throws is its own, and no rejection.
  queueMicrotask(() => done(...args));
}

async function convert(
  { readable, writable }: Pair,
  input: Uint8Array<ArrayBuffer>,
  max: number,
): Promise<Buffer> {
  const writer = writable.getWriter();
  // What goes wrong is told by the reader, too.
  writer
    .write(input)
    .then(() => writer.close())
    .catch(() => undefined);
  const reader = readable.getReader();
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(refuse);
    if (done) return Buffer.concat(pieces, length);
    length += value.byteLength;
    pieces.push(value);
    if (length <= max) continue;
    void reader.cancel().catch(() => undefined);
    throw coded(
      "RangeError",
      "ERR_BUFFER_TOO_LARGE",
      `Cannot create a Buffer larger than ${max} bytes`,
    );
  }
}

function refuse(error: unknown): never {
  const text = error instanceof Error ? error.message : "The data is not valid";
  throw Object.assign(coded("Error", "Z_DATA_ERROR", text), { errno: constants.Z_DATA_ERROR });
}

export const gzip: Form = form(compressor("gzip"));
export const gunzip: Form = form(decompressor("gzip"));
export const deflate: Form = form(compressor("deflate"));
export const inflate: Form = form(decompressor("deflate"));
export const deflateRaw: Form = form(compressor("deflate-raw"));
export const inflateRaw: Form = form(decompressor("deflate-raw"));
export const brotliCompress: Form = form(compressor("brotli"));
export const brotliDecompress: Form = form(decompressor("brotli"));
export const unzip: Form = form(sniffing);

function streaming(make: Make): () => Duplex {
  return () => Duplex.fromWeb(make(0) as never);
}

export const createGzip: () => Duplex = /* @__PURE__ */ streaming(compressor("gzip"));
export const createGunzip: () => Duplex = /* @__PURE__ */ streaming(decompressor("gzip"));
export const createDeflate: () => Duplex = /* @__PURE__ */ streaming(compressor("deflate"));
export const createInflate: () => Duplex = /* @__PURE__ */ streaming(decompressor("deflate"));
export const createDeflateRaw: () => Duplex = /* @__PURE__ */ streaming(compressor("deflate-raw"));
export const createInflateRaw: () => Duplex = /* @__PURE__ */ streaming(
  decompressor("deflate-raw"),
);
export const createBrotliCompress: () => Duplex = /* @__PURE__ */ streaming(compressor("brotli"));
export const createBrotliDecompress: () => Duplex = /* @__PURE__ */ streaming(
  decompressor("brotli"),
);

type Missing = () => never;

function missing(name: string): Missing {
  return function missingFunction(): never {
    const text = `zlib.${name}Sync does not exist in isolates: use zlib.${name} with a callback, or CompressionStream.`;
    throw coded("Error", "ERR_METHOD_NOT_IMPLEMENTED", text);
  };
}

export const brotliCompressSync: Missing = missing("brotliCompress");
export const brotliDecompressSync: Missing = missing("brotliDecompress");
export function crc32(data: Input, value = 0): number {
  return crc32Of(bytesOf(data), value);
}
