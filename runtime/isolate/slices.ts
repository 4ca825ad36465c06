// Runs one isolate's slices: collects records, sends them over in batches once per turn of the event loop, on
// the lane the judge allows, and finds out how each slice ended.
//
// Inline a slice is over when the call returns. On the pool it reports by a message; a slice that is cut off
// there stays silent, so a watch looks at the isolate's own running time. After a cut, an empty probe slice
// tells whether the isolate can go on, and the cells tell whose code was running (sdk/bridge.ts CELL).

import { CELL, PHASE, pack } from "../../sdk/bridge.ts";
import {
  SliceError,
  newCells,
  takeBytes,
  type Engine,
  type Leave,
  type SliceFault,
} from "./engine.ts";
import type { LaneJudge } from "./lane.ts";

/** How long after its time limit a silent pool slice is looked at: the engine's own time-out comes first. */
const CUT_GRACE_MS = 25;
/** A probe that does not come back means a builtin that nothing stops: the thread is lost, and with it the worker. */
const WEDGE_MS = 2_000;

export interface PendingRecord {
  /** The exchange it concerns, 0 for none. */
  readonly id: number;
  readonly op: string;
  /** Made when the batch leaves: what is known only then (a body that came in the same turn) is in it. */
  readonly payload: string | (() => string);
  /** Crosses beside the record; the payload then is its index. */
  readonly buffer: ArrayBuffer | null;
}

export type Death = SliceFault | "wedged" | "broken";

export interface SliceEvents {
  deliver(packed: string, bytes: ArrayBuffer | null): void;
  /** This request's code held the slice too long; it must not be answered by the guest any more. */
  culprit(id: number): void;
  /** Cut while promise jobs ran: any unanswered request that had a record in this slice may be to blame. */
  suspects(ids: readonly number[]): void;
  /** A body chunk or a reply to a call was lost with a cut slice. */
  lost(id: number): void;
  /** The isolate is of no use any more. `running`: whose code ran, 0 when unknown. */
  died(death: Death, running: number, ids: readonly number[]): void;
}

/** Shared by all isolates of a worker. */
export interface SliceHost {
  now(): number;
  /** Calls runner.flush() later in this turn of the event loop. */
  schedule(runner: SliceRunner): void;
  /** Runs `start` when fewer pool slices than the cap are under way; `start` must be followed by release. */
  acquire(start: () => void): void;
  release(): void;
  /** Calls runner.check(now) every few milliseconds until unwatch. */
  watch(runner: SliceRunner): void;
  unwatch(runner: SliceRunner): void;
}

type State = "idle" | "waiting" | "running" | "recovering" | "dead";

export class SliceRunner {
  readonly cells: SharedArrayBuffer = newCells();
  readonly #cell = new Int32Array(this.cells);
  readonly #host: SliceHost;
  readonly #judge: LaneJudge;
  readonly #sliceMs: number;
  readonly #events: SliceEvents;
  #engine: Engine | null = null;
  #state: State = "idle";
  #pending: PendingRecord[] = [];
  #batch: PendingRecord[] = [];
  #slice = 0;
  #scheduled = false;
  #startedMs = 0;
  #startedNs = 0n;
  #recoveringSinceMs = 0;
  /** Whether this runner has one of the host's places for pool slices. */
  #holding = false;
  /** A pool slice that has reported but may still run promise jobs: running time at its report. */
  #trailingNs: bigint | null = null;

  constructor(host: SliceHost, judge: LaneJudge, sliceMs: number, events: SliceEvents) {
    this.#host = host;
    this.#judge = judge;
    this.#sliceMs = sliceMs;
    this.#events = events;
  }

  readonly leaveInline: Leave = (_slice, _settled, packed, bytes) => {
    this.#left.push(packed);
    this.#leftBytes.push(bytes === undefined ? null : takeBytes(bytes));
  };

  readonly leavePool: Leave = (slice, settled, packed, bytes) => {
    if (this.#state === "dead") return;
    if (slice !== 0 && slice === this.#slice && this.#state === "running") this.#reported(settled);
    this.#events.deliver(packed, bytes === undefined ? null : takeBytes(bytes));
  };

  /** What an inline slice sent: handled only after it, since host code in a slice would count as the guest's. */
  #left: string[] = [];
  #leftBytes: (ArrayBuffer | null)[] = [];

  attach(engine: Engine): void {
    this.#engine = engine;
    if (this.#pending.length > 0) this.#schedule();
  }

  push(record: PendingRecord): void {
    if (this.#state === "dead") return;
    this.#pending.push(record);
    if (this.#state === "idle") this.#schedule();
  }

  /** True when no slice is under way and none is due: the isolate may be disposed of without cutting anything. */
  get quiet(): boolean {
    return this.#state === "idle" && this.#pending.length === 0;
  }

  flush(): void {
    this.#scheduled = false;
    const engine = this.#engine;
    if (engine === null || this.#state !== "idle" || this.#pending.length === 0) return;
    const now = this.#host.now();
    const lane = this.#trailingNs === null ? this.#judge.lane(now) : "pool";
    if (lane === "inline") {
      this.#runInline(engine, now);
    } else {
      this.#state = "waiting";
      this.#host.acquire(() => this.#runPool(engine));
    }
  }

  check(now: number): void {
    const engine = this.#engine;
    if (engine === null) return;
    const overdue = now - this.#startedMs > this.#sliceMs + CUT_GRACE_MS;
    if (this.#state === "recovering") {
      if (now - this.#recoveringSinceMs > WEDGE_MS + this.#sliceMs) this.#die("wedged");
    } else if (this.#state === "running") {
      if (engine.disposed) this.#die("memory");
      else if (overdue && this.#ranTooLong(engine, this.#startedNs))
        void this.#recover(engine, now);
    } else if (this.#trailingNs !== null) {
      if (engine.disposed) this.#die("memory");
      else if (this.#ranTooLong(engine, this.#trailingNs)) void this.#recover(engine, now);
      else if (overdue) this.#endTrailing();
    }
  }

  /** No event comes after it. */
  stop(): void {
    this.#giveBack();
    this.#state = "dead";
    this.#pending = [];
    this.#host.unwatch(this);
    this.#engine = null;
  }

  #giveBack(): void {
    if (!this.#holding) return;
    this.#holding = false;
    this.#host.release();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#host.schedule(this);
  }

  #ranTooLong(engine: Engine, sinceNs: bigint): boolean {
    return engine.runNs() - sinceNs >= BigInt(this.#sliceMs) * 950_000n;
  }

  /** Takes the next batch out of what is pending and packs it. */
  #pack(max: number): { packed: string; buffers: ArrayBuffer[] } {
    const all = this.#pending;
    this.#batch = all.length <= max ? all : all.slice(0, max);
    this.#pending = all.length <= max ? [] : all.slice(max);
    const buffers: ArrayBuffer[] = [];
    let packed = "";
    for (const { op, id, payload, buffer } of this.#batch) {
      if (buffer === null) {
        packed += pack(op, id, typeof payload === "string" ? payload : payload());
      } else {
        packed += pack(op, id, `${buffers.length}`);
        buffers.push(buffer);
      }
    }
    this.#slice++;
    this.#startedMs = this.#host.now();
    return { packed, buffers };
  }

  #runInline(engine: Engine, now: number): void {
    const { packed, buffers } = this.#pack(this.#judge.batchMax("inline"));
    const started = performance.now();
    this.#state = "running";
    try {
      engine.enterInline(this.#slice, now, packed, buffers, this.#sliceMs);
      this.#state = "idle";
      this.#judge.ended(now, (performance.now() - started) * 1_000, this.#batch.length);
    } catch (error) {
      this.#deliverInline();
      if (error instanceof SliceError && error.fault === "timeout") {
        this.#blame(CELL.PHASE, CELL.RUNNING, CELL.STARTED);
        void this.#recover(engine, now);
      } else {
        this.#die(error instanceof SliceError ? error.fault : "broken");
      }
      return;
    }
    this.#deliverInline();
    if (this.#pending.length > 0) this.#schedule();
  }

  #deliverInline(): void {
    const left = this.#left;
    const bytes = this.#leftBytes;
    this.#left = [];
    this.#leftBytes = [];
    for (let i = 0; i < left.length; i++) this.#events.deliver(left[i] ?? "", bytes[i] ?? null);
  }

  #runPool(engine: Engine): void {
    this.#holding = true;
    if (this.#state !== "waiting") {
      this.#giveBack();
      return;
    }
    const { packed, buffers } = this.#pack(this.#judge.batchMax("pool"));
    this.#state = "running";
    this.#startedNs = engine.runNs();
    this.#host.watch(this);
    try {
      engine.enterPool(this.#slice, this.#startedMs, packed, buffers, this.#sliceMs);
    } catch {
      // The isolate was disposed of between two slices: it ran out of memory.
      this.#die("memory");
    }
  }

  #reported(settled: number): void {
    const engine = this.#engine;
    const ranNs = engine === null ? 0n : engine.runNs() - this.#startedNs;
    this.#judge.ended(this.#host.now(), Number(ranNs) / 1_000, this.#batch.length);
    this.#state = "idle";
    this.#giveBack();
    if (settled === 1 || engine === null) this.#endTrailing();
    else this.#trailingNs = engine.runNs();
    if (this.#pending.length > 0) this.#schedule();
  }

  #endTrailing(): void {
    this.#trailingNs = null;
    this.#host.unwatch(this);
  }

  /** After a cut: is the isolate still of use, and who was it? */
  async #recover(engine: Engine, now: number): Promise<void> {
    const blamed = this.#batch.length === 0;
    this.#judge.cut(now);
    this.#giveBack();
    this.#state = "recovering";
    this.#recoveringSinceMs = now;
    this.#trailingNs = null;
    this.#host.watch(this);
    try {
      await engine.probe(++this.#slice, now, this.#sliceMs);
    } catch (error) {
      if (this.#engine === null) return;
      this.#die(error instanceof SliceError ? error.fault : "broken");
      return;
    }
    if (this.#engine === null) return;
    if (!blamed) this.#blame(CELL.PREVIOUS_PHASE, CELL.PREVIOUS_RUNNING, CELL.PREVIOUS_STARTED);
    this.#state = "idle";
    this.#host.unwatch(this);
    if (this.#pending.length > 0) this.#schedule();
  }

  /** Reads the cells of a slice that was cut, tells the events, and puts back what was not started. */
  #blame(phaseCell: number, runningCell: number, startedCell: number): void {
    const batch = this.#batch;
    this.#batch = [];
    if (this.#cell[phaseCell] !== PHASE.STARTING) {
      this.#events.suspects(idsOf(batch));
      return;
    }
    const rest = batch.slice(this.#cell[startedCell] ?? batch.length);
    for (const record of rest) if (record.buffer !== null) this.#events.lost(record.id);
    this.#pending = [...rest.filter((record) => record.buffer === null), ...this.#pending];
    this.#events.culprit(this.#cell[runningCell] ?? 0);
  }

  #die(death: Death): void {
    const running = this.#cell[CELL.RUNNING] ?? 0;
    const ids = idsOf(this.#batch);
    this.stop();
    this.#events.died(death, running, ids);
  }
}

function idsOf(batch: readonly PendingRecord[]): number[] {
  return batch.map((record) => record.id).filter((id) => id !== 0);
}
