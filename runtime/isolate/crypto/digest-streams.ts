// Hashes of data that comes in chunks. A stream is known by a number of the guest's; it ends with its request at the
// latest.

import type { Hash } from "node:crypto";
import { EdgeError, errorData } from "../../../sdk/errors.ts";
import { DIGEST_STREAMS_MAX } from "../../../sdk/limits.ts";
import type { Call } from "../call.ts";
import { absorb, openHash } from "./hashing.ts";

interface Stream {
  readonly hash: Hash;
  readonly owner: number;
}

export class DigestStreams {
  readonly #open = new Map<number, Stream>();

  /** Arguments: stream \n algorithm. The first chunk opens the stream. */
  push(call: Call): void {
    const { id, rest: algorithm } = parse(call.args);
    let stream = this.#open.get(id);
    if (stream === undefined) {
      if (this.#open.size >= DIGEST_STREAMS_MAX) {
        throw new EdgeError(
          "OVERLOADED",
          `Digest streams open at once: ${DIGEST_STREAMS_MAX} at most.`,
        );
      }
      stream = { hash: openHash(algorithm), owner: call.owner };
      this.#open.set(id, stream);
    }
    void this.#push(id, stream, call);
  }

  async #push(id: number, { hash }: Stream, call: Call): Promise<void> {
    try {
      await absorb(
        hash,
        new Uint8Array(call.bytes ?? new ArrayBuffer(0)),
        () => !this.#open.has(id),
      );
      call.ok("");
    } catch (error) {
      const { code, message } = errorData(error);
      call.fail(code, message);
    }
  }

  /** Arguments: stream \n "digest" or "drop". */
  end(call: Call): void {
    const { id, rest } = parse(call.args);
    const stream = this.#open.get(id);
    this.#open.delete(id);
    if (rest === "drop") call.ok("");
    else if (stream === undefined) call.fail("CANCELLED", "The stream is over.");
    // A Buffer may lie in a pool; the bridge wants an ArrayBuffer of its own.
    else call.okBytes(new Uint8Array(stream.hash.digest()).buffer);
  }

  ownerDone(owner: number): void {
    for (const [id, stream] of this.#open) if (stream.owner === owner) this.#open.delete(id);
  }

  close(): void {
    this.#open.clear();
  }
}

function parse(args: string): { readonly id: number; readonly rest: string } {
  const end = args.indexOf("\n");
  const id = args.slice(0, end);
  if (!/^[0-9]{1,10}$/.test(id)) throw new EdgeError("CALL_INVALID", "The stream is not valid.");
  return { id: Number(id), rest: args.slice(end + 1) };
}
