// The host's end of the calls of `crypto`, with node:crypto.
//
//   crypto.digest       args: algorithm            bytes: data       answer: the digest
//   crypto.digest.push  args: stream \n algorithm  bytes: more data  answer: nothing
//   crypto.digest.end   args: stream \n what to do                   answer: the digest, or nothing
//   crypto.subtle       args: method \n a list of values (sdk/services/values.ts), its bytes beside it
//                       answer: a value: [result], or [name, message] of the exception that the author is to meet
//
// Hashing, HMAC included, runs on the event loop in pieces; all else takes its turn in Node's thread pool.

import { CALLS } from "../../sdk/bridge.ts";
import { EdgeError, errorData } from "../../sdk/errors.ts";
import { packValue, unpackValue, type Value } from "../../sdk/services/values.ts";
import type { Call, CallService } from "./call.ts";
import { DigestStreams } from "./crypto/digest-streams.ts";
import { absorb, openHash } from "./crypto/hashing.ts";
import { malformed, refusalOf } from "./crypto/node-subtle.ts";
import { OPERATIONS, type Work } from "./crypto/operations.ts";
import { SealedKeys } from "./crypto/sealed-keys.ts";
import { Turns } from "./crypto/turns.ts";

/** What an operation costs the host beside its arguments while it waits. */
const OPERATION_BYTES = 1_024;

export function createCryptoCalls(): CallService {
  return new CryptoCalls();
}

class CryptoCalls implements CallService {
  readonly #keys = new SealedKeys();
  readonly #turns = new Turns();
  readonly #streams = new DigestStreams();

  call(name: string, call: Call): boolean {
    try {
      switch (name) {
        case CALLS.DIGEST:
          void this.#digest(call);
          return true;
        case CALLS.DIGEST_PUSH:
          this.#streams.push(call);
          return true;
        case CALLS.DIGEST_END:
          this.#streams.end(call);
          return true;
        case CALLS.SUBTLE:
          this.#begin(call);
          return true;
        default:
          return false;
      }
    } catch (error) {
      fail(call, error);
      return true;
    }
  }

  async #digest(call: Call): Promise<void> {
    try {
      const hash = openHash(call.args);
      await absorb(hash, new Uint8Array(call.bytes ?? new ArrayBuffer(0)), () => this.#keys.closed);
      // A Buffer may lie in a pool; the bridge wants an ArrayBuffer of its own.
      call.okBytes(new Uint8Array(hash.digest()).buffer);
    } catch (error) {
      fail(call, error);
    }
  }

  #begin(call: Call): void {
    const end = call.args.indexOf("\n");
    const prepare = OPERATIONS.get(call.args.slice(0, end));
    if (prepare === undefined) throw malformed();
    if (!call.hold(OPERATION_BYTES)) {
      throw new EdgeError("MEMORY_LIMIT", "Too much waits in this endpoint's calls.");
    }
    const bytes = call.bytes === null ? null : new Uint8Array(call.bytes);
    const { lane, run } = prepare(unpackArguments(call.args.slice(end + 1), bytes), this.#keys);
    if (lane === null) {
      void runWork(run, call);
      return;
    }
    const added = this.#turns.add(lane, {
      owner: call.owner,
      run: () => runWork(run, call),
      cancel: () => call.fail("CANCELLED", "The request is over."),
    });
    if (!added) throw new EdgeError("OVERLOADED", "Too many operations of crypto.subtle wait.");
  }

  // What has begun comes to its end.
  cancel(): void {}

  ownerDone(owner: number, died: boolean): void {
    this.#streams.ownerDone(owner);
    if (died) this.#turns.cancel(owner);
  }

  close(): void {
    this.#keys.close();
    this.#turns.close();
    this.#streams.close();
  }
}

function unpackArguments(text: string, bytes: Uint8Array | null): readonly Value[] {
  let value: Value;
  try {
    value = unpackValue(text, bytes);
  } catch {
    throw malformed();
  }
  if (!Array.isArray(value)) throw malformed();
  return value as readonly Value[];
}

async function runWork(run: Work["run"], call: Call): Promise<void> {
  try {
    answer(call, [await run()]);
  } catch (error) {
    fail(call, error);
  }
}

function fail(call: Call, error: unknown): void {
  const refusal = refusalOf(error);
  if (refusal !== null) {
    answer(call, [refusal.name, refusal.message]);
    return;
  }
  const { code, message } = errorData(error);
  call.fail(code, message);
}

function answer(call: Call, value: readonly Value[]): void {
  const { text, bytes } = packValue(value);
  if (!call.hold(text.length + (bytes?.byteLength ?? 0))) {
    call.fail("MEMORY_LIMIT", "The answer is larger than what may wait for this endpoint.");
  } else if (bytes === null) call.ok(`\n${text}`);
  else call.okBytes(bytes.buffer as ArrayBuffer, text);
}
