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
/** Time-out of a probe: on a busy machine a short one would condemn isolates for nothing. */
const PROBE_MS = 1_000;

export interface PendingRecord {
  /** The exchange's, except for calls and timers, which have numbers of their own. */
  readonly id: number;
  /** The exchange whose code it starts, 0 for none. */
  readonly owner: number;
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

interface Trailing {
  /** Running time when the slice started. */
  readonly sinceNs: bigint;
  readonly batch: readonly PendingRecord[];
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
  /** A pool slice that has reported but may still run promise jobs. */
  #trailing: Trailing | null = null;
  /** Running time when it was last looked at: unchanged means that nothing runs. */
  #seenNs = 0n;

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
    // Also for a runner that was stopped: what is not taken would keep memory of an isolate that is disposed of.
    const taken = bytes === undefined ? null : takeBytes(bytes);
    if (this.#state === "dead") return;
    if (slice !== 0 && slice === this.#slice && this.#state === "running") this.#reported(settled);
    this.#events.deliver(packed, taken);
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

  /** No thread of the pool can be in the isolate: what waits for it there does not block this one. */
  get quiet(): boolean {
    return this.#state === "idle" && this.#trailing === null;
  }

  flush(): void {
    this.#scheduled = false;
    const engine = this.#engine;
    if (engine === null || this.#state !== "idle" || this.#pending.length === 0) return;
    const now = this.#host.now();
    const lane = this.#trailing === null ? this.#judge.lane(now) : "pool";
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
    if (this.#state === "recovering") {
      if (now - this.#recoveringSinceMs > WEDGE_MS + this.#sliceMs) this.#die("wedged");
      return;
    }
    if (this.#state !== "running" && this.#trailing === null) return;
    if (engine.disposed) {
      this.#die("memory");
      return;
    }
    const ranNs = engine.runNs();
    const still = ranNs !== this.#seenNs;
    this.#seenNs = ranNs;
    if (now - this.#startedMs <= this.#sliceMs + CUT_GRACE_MS) return;
    if (this.#state === "running") {
      // It was cut, or it ended without a report, as only a guest that was tampered with does.
      const ended = !still && ranNs > this.#startedNs;
      if (ended || this.#isTooLong(ranNs - this.#startedNs)) void this.#recover(engine, now);
    } else if (this.#trailing !== null) {
      if (this.#isTooLong(ranNs - this.#trailing.sinceNs)) void this.#recover(engine, now);
      else if (!still) this.#endTrailing();
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

  #stopped(): boolean {
    return this.#engine === null;
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

  /** The engine's time-out and its clock do not agree to the last microsecond. */
  #isTooLong(ranNs: bigint): boolean {
    return ranNs >= BigInt(this.#sliceMs) * 950_000n;
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
    const cpuBefore = this.#judge.wantsCpuTime() ? threadCpuUs() : null;
    const started = performance.now();
    this.#state = "running";
    try {
      engine.enterInline(this.#slice, now, packed, buffers, this.#sliceMs);
      this.#state = "idle";
      this.#judge.ended(now, {
        lane: "inline",
        wallUs: (performance.now() - started) * 1_000,
        cpuUs: cpuBefore === null ? null : threadCpuUs() - cpuBefore,
        records: this.#batch.length,
      });
    } catch (error) {
      this.#deliverInline();
      if (this.#stopped()) return;
      if (error instanceof SliceError && error.fault === "timeout") {
        this.#blame(CELL.PHASE, CELL.RUNNING, CELL.STARTED, this.#batch);
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
    if (engine === null) return;
    const ranNs = engine.runNs() - this.#startedNs;
    const now = this.#host.now();
    if (this.#trailing !== null && this.#isTooLong(ranNs)) {
      // More than one slice may take: promise jobs of the one before were cut off, with this one behind them.
      void this.#recover(engine, now);
      return;
    }
    this.#judge.ended(now, {
      lane: "pool",
      wallUs: Number(ranNs) / 1_000,
      cpuUs: null,
      records: this.#batch.length,
    });
    this.#state = "idle";
    this.#giveBack();
    if (settled === 1) this.#endTrailing();
    else this.#trailing = { sinceNs: this.#startedNs, batch: this.#batch };
    if (this.#pending.length > 0) this.#schedule();
  }

  #endTrailing(): void {
    this.#trailing = null;
    this.#host.unwatch(this);
  }

  /** After a cut: is the isolate still of use, and who was it? */
  async #recover(engine: Engine, now: number): Promise<void> {
    if (this.#engine === null) return;
    const blamed = this.#batch.length === 0;
    const suspects = this.#trailing?.batch ?? this.#batch;
    this.#judge.cut(now);
    this.#giveBack();
    this.#state = "recovering";
    this.#recoveringSinceMs = now;
    this.#trailing = null;
    this.#host.watch(this);
    try {
      await engine.probe(++this.#slice, now, PROBE_MS);
    } catch (error) {
      if (this.#engine === null) return;
      this.#die(error instanceof SliceError ? error.fault : "broken");
      return;
    }
    if (this.#engine === null) return;
    if (!blamed) {
      const { PREVIOUS_PHASE, PREVIOUS_RUNNING, PREVIOUS_STARTED } = CELL;
      this.#blame(PREVIOUS_PHASE, PREVIOUS_RUNNING, PREVIOUS_STARTED, suspects);
    }
    // The last request may have been the culprit, and the isolate disposed of with it.
    if (this.#stopped()) return;
    this.#state = "idle";
    this.#host.unwatch(this);
    if (this.#pending.length > 0) this.#schedule();
  }

  /** Reads the cells of a slice that was cut, tells the events, and puts back what was not started. */
  #blame(
    phaseCell: number,
    runningCell: number,
    startedCell: number,
    suspects: readonly PendingRecord[],
  ): void {
    const batch = this.#batch;
    this.#batch = [];
    if (this.#cell[phaseCell] !== PHASE.STARTING) {
      this.#events.suspects(idsOf(suspects));
      return;
    }
    const started = this.#cell[startedCell] ?? batch.length;
    if (started === 0 && batch.length > 0) {
      // Nothing of the author's runs before the first record unless it was put into the bridge's way.
      this.#batch = batch;
      this.#die("broken");
      return;
    }
    const rest = batch.slice(started);
    for (const record of rest) if (record.buffer !== null) this.#events.lost(record.owner);
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

function threadCpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

function idsOf(batch: readonly PendingRecord[]): number[] {
  return batch.map((record) => record.owner).filter((owner) => owner !== 0);
}
