// Compressing on Node's thread pool. What all of them hold at once in this worker is bounded: a client beyond that gets
// its body as it is.

import {
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type BrotliCompress,
  type Gzip,
  type ZstdCompress,
} from "node:zlib";
import type { ContentEncoding } from "../../../../sdk/gateway/policies.ts";

export type Engine = BrotliCompress | Gzip | ZstdCompress;

const MIB: number = 1024 * 1024;
/** Each with its buffers, at these levels: a quarter of a MB for zlib's window and tables, more for the others. */
const STATE_BYTES: Readonly<Record<ContentEncoding, number>> = {
  br: 2.25 * MIB,
  zstd: 2.25 * MIB,
  gzip: 0.5 * MIB,
};
/** A worker has a few hundred MB for everything. */
export const STATES_BYTES_MAX: number = 64 * MIB;
/** Levels that keep up with a network: a tenth larger than the best, at a tenth of its time. */
const BROTLI_QUALITY = 4;
/** 256 KB. */
const BROTLI_WINDOW_BITS = 18;
const GZIP_LEVEL = 6;
const ZSTD_LEVEL = 3;

export class Encoders {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number = STATES_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** null: too many are at work. Whoever gets one ends it, or destroys it. */
  open(encoding: ContentEncoding): Engine | null {
    const bytes = STATE_BYTES[encoding];
    if (this.#bytes + bytes > this.#bytesMax) return null;
    this.#bytes += bytes;
    const engine = create(encoding);
    // After its end, and after destroy.
    engine.once("close", () => {
      this.#bytes -= bytes;
    });
    return engine;
  }
}

/** What was written so far comes out. */
export function flush(engine: Engine, encoding: ContentEncoding): void {
  // The others' own way does not forget what came before.
  if (encoding === "gzip") engine.flush(constants.Z_SYNC_FLUSH);
  else engine.flush();
}

function create(encoding: ContentEncoding): Engine {
  switch (encoding) {
    case "br":
      return createBrotliCompress({
        params: {
          [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
          [constants.BROTLI_PARAM_LGWIN]: BROTLI_WINDOW_BITS,
        },
      });
    case "gzip":
      return createGzip({ level: GZIP_LEVEL });
    case "zstd":
      return createZstdCompress({
        params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
      });
  }
}
