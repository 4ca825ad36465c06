// A body on its way into a backend: counted, hashed, and held to the checksums that were given for it. It fails at its
// end, before anything of it can be seen.

import { createHash } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";
import { HASHES, type Checksums, type Hash, type StorageBody } from "../../sdk/services/storage.ts";

export class CheckedBody {
  readonly #body: StorageBody;
  readonly #expected: Checksums;
  readonly #bytesMax: number;
  readonly #signal: AbortSignal;
  #size = 0;
  #digests: Checksums | null = null;

  constructor(
    body: StorageBody,
    options: {
      readonly expected: Checksums;
      readonly bytesMax: number;
      readonly signal: AbortSignal;
    },
  ) {
    this.#body = body;
    this.#expected = options.expected;
    this.#bytesMax = options.bytesMax;
    this.#signal = options.signal;
  }

  /** So far. */
  get size(): number {
    return this.#size;
  }

  /** MD5, and those that were given. Once it is read. */
  get checksums(): Checksums {
    return this.#digests ?? {};
  }

  get md5(): string {
    return Buffer.from(this.#digests?.md5 ?? []).toString("hex");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const hashes = HASHES.filter((hash) => hash === "md5" || this.#expected[hash] !== undefined);
    const running = hashes.map((hash) => createHash(hash));
    const body = this.#body instanceof Uint8Array ? [this.#body] : this.#body;
    for await (const piece of body) {
      this.#signal.throwIfAborted();
      this.#size += piece.byteLength;
      if (this.#size > this.#bytesMax) {
        const text = `The body has more than the ${this.#bytesMax} bytes that are allowed.`;
        throw new EdgeError("SERVICE_TOO_LARGE", text);
      }
      for (const hash of running) hash.update(piece);
      yield piece;
    }
    this.#signal.throwIfAborted();
    const digests: { [hash in Hash]?: Uint8Array } = {};
    for (const [at, hash] of hashes.entries()) {
      const digest = running[at]?.digest() ?? Buffer.alloc(0);
      const expected = this.#expected[hash];
      if (expected !== undefined && !digest.equals(expected)) {
        const text = `The body's ${hash} is ${digest.toString("hex")}, not the one that was given.`;
        throw new EdgeError("SERVICE_INPUT", text);
      }
      digests[hash] = digest;
    }
    this.#digests = digests;
  }
}
