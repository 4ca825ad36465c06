// The guest's end of the bridge: unpacks what the host enters, runs the handler, packs what leaves.
//
// Author code is hostile and may have patched every prototype. So: the three things of the engine (two
// callbacks, ExternalCopy) are only ever called directly, never passed, stored in objects or spread; the
// order of promise jobs is kept by `await` on native promises, which cannot be patched; and nothing here
// is trusted by the host, whose checks are the ones that count.
//
// Records are started one after the other, and after each one promise jobs run until its request has answered
// or for a bounded number of turns (a handler that waits for I/O). So the code that runs is nearly always that of
// the request named in the cells, and its calls are charged to it. A slice reports once, after the last record.

import { CELL, ENTER, LANE, LEAVE, PHASE, pack, unpack } from "../../sdk/bridge.ts";
import { createCalls } from "./calls.ts";
import { Requests } from "./requests.ts";
import type { Wire } from "./payload.ts";
import type { Platform, Port } from "./port.ts";

/** Filled by engine.ts; the names are its contract. */
export interface BootArguments {
  readonly cells: SharedArrayBuffer;
  readonly leaveInline: Leave;
  readonly leavePool: Leave;
  readonly ExternalCopy: new (
    bytes: ArrayBuffer,
    options: { readonly transferOut: true },
  ) => object;
  readonly seed: Uint8Array;
  readonly env: string;
  readonly now: number;
}

/** slice: its number in its first report, 0 in later ones. settled: 1 when every request has answered. */
type Leave = (slice: number, settled: number, packed: string, bytes?: object) => void;

export type Enter = (
  lane: number,
  slice: number,
  now: number,
  packed: string,
  ...buffers: ArrayBuffer[]
) => void;

/**
 * Promise turns a record gets before the next one starts. An async handler that awaits a few resolved promises
 * (a router with middleware) answers well within; more only delays those behind a handler that waits for I/O.
 */
const TURNS_MAX = 24;

interface EnteredRecord {
  readonly op: string;
  readonly id: number;
  readonly payload: string;
}

export function createBridge(
  platform: Platform,
  args: BootArguments,
  handler: () => unknown,
): Enter {
  const { leaveInline, leavePool, ExternalCopy } = args;
  const transferOut = Object.freeze({ __proto__: null, transferOut: true as const });
  const cells = new Int32Array(args.cells);
  const bootedAt = args.now;
  const timerOwners = new Map<number, number>();
  let now = args.now;
  let out = "";
  let lane: number = LANE.POOL;
  let slice = 0;
  let current = 0;
  /** Counts enters: a run that was cut off must not go on when its promise jobs do. */
  let run = 0;
  /** Whether a report is due anyway, so that a push need not ask for one. */
  let reporting = false;

  function report(reported: number, settled: number, bytes?: object): void {
    const packed = out;
    out = "";
    if (lane === LANE.INLINE) leaveInline(reported, settled, packed, bytes);
    else leavePool(reported, settled, packed, bytes);
  }

  async function runRecords(
    records: readonly EnteredRecord[],
    buffers: readonly ArrayBuffer[],
  ): Promise<void> {
    const mine = ++run;
    let settled = 1;
    reporting = true;
    for (let i = 0; i < records.length; i++) {
      const record = records[i];
      if (record === undefined) break;
      cells[CELL.STARTED] = i + 1;
      start(record, buffers);
      for (let turn = 0; turn < TURNS_MAX && requests.isWaiting(current); turn++) {
        await undefined;
        if (run !== mine) return;
      }
      if (requests.isWaiting(current)) settled = 0;
    }
    cells[CELL.RUNNING] = 0;
    cells[CELL.PHASE] = PHASE.REPORTED;
    reporting = false;
    const reported = slice;
    slice = 0;
    report(reported, settled);
  }

  /** Something was pushed outside of a slice's records: promise jobs of an earlier one. */
  async function reportLater(): Promise<void> {
    reporting = true;
    const mine = run;
    await undefined;
    if (run !== mine) return;
    reporting = false;
    report(0, 0);
  }

  function exactBuffer(bytes: Uint8Array): ArrayBuffer {
    const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
    return (whole ? bytes : new Uint8Array(bytes)).buffer as ArrayBuffer;
  }

  const wire: Wire = {
    push(op, id, payload) {
      out += pack(op, id, payload);
      if (!reporting) void reportLater();
    },
    pushBytes(op, id, payload, bytes) {
      out += pack(op, id, payload);
      report(0, 0, new ExternalCopy(exactBuffer(bytes), transferOut));
    },
    current: () => current,
    setCurrent(id) {
      current = id;
      cells[CELL.RUNNING] = id;
    },
  };

  const requests = new Requests({ platform, wire, handler, env: JSON.parse(args.env) as unknown });
  const calls = createCalls(wire);
  const port: Port = {
    now: () => now,
    monotonic: () => now - bootedAt,
    fetch: calls.fetch,
    bytesCall: calls.bytesCall,
    setTimer(id, ms) {
      timerOwners.set(id, current);
      wire.push(LEAVE.TIMER_SET, id, `${ms}`);
    },
    clearTimer(id) {
      timerOwners.delete(id);
      wire.push(LEAVE.TIMER_CLEAR, id, "");
    },
    log: (level, text) => wire.push(LEAVE.LOG, current, `${level}\n${text}`),
  };
  platform.thaw(port, args.seed);

  function start({ op, id, payload }: EnteredRecord, buffers: readonly ArrayBuffer[]): void {
    switch (op) {
      case ENTER.REQUEST:
        wire.setCurrent(id);
        requests.start(id, payload);
        break;
      case ENTER.CALL_OK:
        calls.succeed(id, payload, buffers);
        break;
      case ENTER.CALL_FAIL:
        calls.fail(id, payload);
        break;
      case ENTER.TIMER:
        wire.setCurrent(timerOwners.get(id) ?? 0);
        timerOwners.delete(id);
        platform.fireTimer(id);
        break;
      default:
        wire.setCurrent(id);
        requests.advance(op, id, payload, buffers);
    }
  }

  return function enter(nextLane, nextSlice, nextNow, packed, ...buffers) {
    cells[CELL.PREVIOUS_PHASE] = cells[CELL.PHASE] ?? 0;
    cells[CELL.PREVIOUS_RUNNING] = cells[CELL.RUNNING] ?? 0;
    cells[CELL.PREVIOUS_STARTED] = cells[CELL.STARTED] ?? 0;
    cells[CELL.PHASE] = PHASE.STARTING;
    cells[CELL.STARTED] = 0;
    cells[CELL.RUNNING] = 0;
    lane = nextLane;
    slice = nextSlice;
    now = nextNow;
    const records: EnteredRecord[] = [];
    unpack(packed, (op, id, payload) => {
      records[records.length] = { op, id, payload };
    });
    void runRecords(records, buffers);
  };
}
