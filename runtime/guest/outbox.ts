// What leaves the isolate: records gathered into one string per report, and the three things of the engine.
//
// Those three (two callbacks, the ExternalCopy class) are only ever called directly, never passed on, stored in
// plain objects or spread: author code may have patched whatever else they could pass through.

import { LANE, pack } from "../../sdk/bridge.ts";

/** Filled by engine.ts; the names are its contract. */
export interface EngineArguments {
  readonly leaveInline: Leave;
  readonly leavePool: Leave;
  readonly ExternalCopy: new (
    bytes: ArrayBuffer,
    options: { readonly transferOut: true },
  ) => object;
}

/** slice: its number in its first report, 0 in later ones. settled: 1 when every request has answered. */
type Leave = (slice: number, settled: number, packed: string, bytes?: object) => void;

export interface Outbox {
  setLane(lane: number): void;
  isEmpty(): boolean;
  push(op: string, id: number, payload: string): void;
  /** Leaves at once, with everything pushed before it, because bytes cross one at a time. */
  pushBytes(op: string, id: number, payload: string, bytes: Uint8Array): void;
  report(slice: number, settled: number): void;
}

export function createOutbox(args: EngineArguments): Outbox {
  const { leaveInline, leavePool, ExternalCopy } = args;
  const transferOut = Object.freeze({ __proto__: null, transferOut: true as const });
  let lane: number = LANE.POOL;
  let out = "";

  function leave(slice: number, settled: number, bytes?: object): void {
    const packed = out;
    out = "";
    if (lane === LANE.INLINE) leaveInline(slice, settled, packed, bytes);
    else leavePool(slice, settled, packed, bytes);
  }

  return {
    setLane(next) {
      lane = next;
    },
    isEmpty: () => out === "",
    push(op, id, payload) {
      out += pack(op, id, payload);
    },
    pushBytes(op, id, payload, bytes) {
      out += pack(op, id, payload);
      const copy = new ExternalCopy(exactBuffer(bytes), transferOut) as { release(): void };
      leave(0, 0, copy);
      // The host has its share. What this end kept would be freed with the isolate, too late (heap corruption).
      copy.release();
    },
    report: (slice, settled) => leave(slice, settled),
  };
}

function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return (whole ? bytes : new Uint8Array(bytes)).buffer as ArrayBuffer;
}
