// The host's end of the calls crypto.digest and crypto.hmac: hashing with node:crypto, which is an order of
// magnitude faster than hashing inside the guest.
//
//   crypto.digest  args: algorithm          bytes: data            answer: the digest
//   crypto.hmac    args: hash \n key length bytes: key, then data  answer: the signature
//
// Hashing runs on the event loop in pieces, with a turn of the loop between them, so that the largest input an
// isolate can hold delays its neighbours by one piece at a time.

import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { CALLS } from "../../sdk/bridge.ts";
import { EdgeError, errorData } from "../../sdk/errors.ts";
import type { Call, CallService } from "./call.ts";

/** One piece: below a millisecond for each of the hashes on the processors of the last ten years. */
export const HASH_PIECE_BYTES: number = 256 * 1024;

/** WebCrypto's names, and MD5, which Workers code may ask for. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  MD5: "md5",
  "SHA-1": "sha1",
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512",
};

export function createCryptoCalls(): CallService {
  // Ends what is under way; large inputs are let go at the next piece.
  let closed = false;

  async function absorb(hash: Hash | Hmac, data: Uint8Array, call: Call): Promise<void> {
    for (let at = 0; at < data.byteLength; at += HASH_PIECE_BYTES) {
      if (at > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (closed) return call.fail("CANCELLED", "The isolate is gone.");
      hash.update(data.subarray(at, at + HASH_PIECE_BYTES));
    }
    // A Buffer may lie in a pool; the bridge wants an ArrayBuffer of its own.
    call.okBytes(new Uint8Array(hash.digest()).buffer);
  }

  return {
    call(name, call) {
      if (name !== CALLS.DIGEST && name !== CALLS.HMAC) return false;
      try {
        const { hash, data } = name === CALLS.DIGEST ? parseDigest(call) : parseHmac(call);
        void absorb(hash, data, call);
      } catch (error) {
        const { code, message } = errorData(error);
        call.fail(code, message);
      }
      return true;
    },
    // The guest cannot cancel a hash, and nothing is kept per call or exchange.
    cancel: () => undefined,
    ownerDone: () => undefined,
    close() {
      closed = true;
    },
  };
}

interface Hashing {
  readonly hash: Hash | Hmac;
  readonly data: Uint8Array;
}

function parseDigest(call: Call): Hashing {
  return { hash: createHash(parseAlgorithm(call.args)), data: parseBytes(call) };
}

function parseHmac(call: Call): Hashing {
  const [algorithm = "", length = "", ...more] = call.args.split("\n");
  const bytes = parseBytes(call);
  const keyLength = /^[0-9]{1,10}$/.test(length) ? Number(length) : -1;
  if (keyLength < 0 || keyLength > bytes.byteLength || more.length > 0) {
    throw new EdgeError("CALL_INVALID", "The key's length is not valid.");
  }
  const hash = createHmac(parseAlgorithm(algorithm), bytes.subarray(0, keyLength));
  return { hash, data: bytes.subarray(keyLength) };
}

function parseBytes(call: Call): Uint8Array {
  return new Uint8Array(call.bytes ?? new ArrayBuffer(0));
}

function parseAlgorithm(name: string): string {
  const upper = name.toUpperCase();
  const algorithm = Object.hasOwn(ALGORITHMS, upper) ? ALGORITHMS[upper] : undefined;
  if (algorithm === undefined) {
    throw new EdgeError("CALL_INVALID", "The host does not know this hash algorithm.");
  }
  return algorithm;
}
