// The host's end of CompressionStream and DecompressionStream: zlib on the thread pool, in pieces.
//
//   compression.open  args: compress or decompress, a space, format  answer: nothing
//   compression.push  args: id of the opening call \n step          answer: bytes, if there are any; "more" when the
//                     bytes: input, for the step push               step has more of them
//
// Steps: `push` gives input, `end` says that there is none any more, `more` asks for the rest of either. An answer is a
// piece of output at most, and zlib stands still until the next is asked for: whatever a few bytes blow up to, this
// process holds two pieces of it.
//
// One piece of an isolate is worked on at a time, and few of all isolates together (gate.ts): the thread pool is also
// the file system's and the resolver's.

import { CALLS } from "../../../sdk/bridge.ts";
import { EdgeError, errorData } from "../../../sdk/errors.ts";
import type { Call, CallService } from "../call.ts";
import { Coder, type Kind, STATE_BYTES } from "./coder.ts";
import type { Gate, Turns } from "./gate.ts";

/** In one isolate at once. A thousand requests may each have one; their memory is the tighter bound. */
export const CODERS_MAX = 1_024;
/** Those whose request is over, and which nobody has ended: what is left lying about is closed. */
export const LEFT_MAX = 8;

interface Open {
  readonly coder: Coder;
  readonly owner: number;
  readonly release: () => void;
}

export function createCompressionCalls(gate: Gate): CallService {
  return new CompressionCalls(gate.createTurns());
}

class CompressionCalls implements CallService {
  readonly #turns: Turns;
  readonly #open = new Map<number, Open>();
  /** The oldest first. */
  readonly #left = new Set<number>();

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  call(name: string, call: Call): boolean {
    if (name !== CALLS.COMPRESSION_OPEN && name !== CALLS.COMPRESSION_PUSH) return false;
    try {
      if (name === CALLS.COMPRESSION_OPEN) this.#begin(call);
      else this.#push(call);
    } catch (error) {
      const { code, message } = errorData(error);
      call.fail(code, message);
    }
    return true;
  }

  cancel(id: number): void {
    this.#end(id);
  }

  ownerDone(owner: number, died: boolean): void {
    for (const [id, open] of this.#open) {
      if (open.owner !== owner) continue;
      if (died) this.#end(id);
      else this.#left.add(id);
    }
    for (const id of this.#left) {
      if (this.#left.size <= LEFT_MAX) return;
      this.#end(id);
    }
  }

  close(): void {
    for (const id of this.#open.keys()) this.#end(id);
  }

  #begin(call: Call): void {
    const kind = parseKind(call.args);
    if (this.#open.has(call.id)) throw new EdgeError("CALL_INVALID", "This number is in use.");
    const release = this.#open.size < CODERS_MAX ? call.keep(STATE_BYTES[kind]) : null;
    if (release === null) {
      const text = "Too much is being compressed or decompressed at once (limit memoryMb).";
      throw new EdgeError("MEMORY_LIMIT", text);
    }
    this.#open.set(call.id, { coder: new Coder(kind), owner: call.owner, release });
    call.ok("");
  }

  #push(call: Call): void {
    const [id = "", step = "", ...rest] = call.args.split("\n");
    if (!/^[0-9]{1,10}$/.test(id) || rest.length > 0) {
      throw new EdgeError("CALL_INVALID", "The call names no stream.");
    }
    const open = this.#open.get(Number(id));
    if (open === undefined) throw new EdgeError("CANCELLED", "The stream is closed.");
    const bytes = new Uint8Array(call.bytes ?? new ArrayBuffer(0));
    if (!open.coder.accepts(step)) throw new EdgeError("CALL_INVALID", "A step too many.");
    this.#turns.run((done) => {
      open.coder.step(step, bytes, (outcome) => {
        done();
        if (outcome.state === "failed") {
          this.#end(Number(id));
          call.fail("CALL_INVALID", outcome.message);
          return;
        }
        const rest = outcome.state === "more" ? "more" : "";
        if (outcome.state === "over") this.#end(Number(id));
        if (outcome.bytes === null) call.ok(`\n${rest}`);
        else call.okBytes(outcome.bytes, rest);
      });
    });
  }

  #end(id: number): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    this.#left.delete(id);
    if (open === undefined) return;
    open.coder.close();
    open.release();
  }
}

function parseKind(args: string): Kind {
  if (Object.hasOwn(STATE_BYTES, args)) return args as Kind;
  throw new EdgeError("CALL_INVALID", "The host does not know this compression.");
}
