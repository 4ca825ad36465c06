// Runs one isolate's slices: collects records, sends them over in batches once per turn of the event loop, on
// the lane the judge allows, and finds out how each slice ended.
//
// Inline a slice is over when the call returns. On the pool it reports by a message; meanwhile a watch looks every
// few milliseconds and charges the time to the request whose code runs (sdk/bridge.ts CELL). A slice that is cut
// off stays silent: an empty probe slice then tells whether the isolate can go on.
//
// What is charged is CPU time: of this thread inline; on the pool the engine's wall time, reduced by what the
// machine took away (cpu-share.ts). The engine cuts by its wall clock, so on a busy machine it is told to wait longer.

import { CELL, PHASE } from "../../../sdk/bridge.ts";
import { newCells, takeBytes, type Leave } from "../engine.ts";
import { threadCpuUs } from "./cpu-share.ts";
import { SliceError } from "./fault.ts";
import { Intake } from "./intake.ts";
import { Place } from "./places.ts";
import { PoolMeter } from "./pool-meter.ts";
import { ownersOf, RecordQueue, type PackedBatch } from "./queue.ts";
import {
  CUT_GRACE_MS,
  isCut,
  leftMsOf,
  Patience,
  PROBE_MS,
  timeoutFor,
  WEDGE_MS,
} from "./time-out.ts";
import { Tracer } from "./trace.ts";
import { hasEnded, wasCut, type Trailing } from "./trailing.ts";
import type { Death, PendingRecord, Runner, RunnerOptions, SliceEngine } from "./contract.ts";

/** Inline slices shorter than this, too short to be judged long, are charged by the wall clock. */
const SHORT_US = 400;

/** Where the cells tell of the slice that was just cut, and where of it when another was entered since. */
const NOW = [CELL.PHASE, CELL.RUNNING, CELL.STARTED] as const;
const BEFORE = [CELL.PREVIOUS_PHASE, CELL.PREVIOUS_RUNNING, CELL.PREVIOUS_STARTED] as const;

type State = "idle" | "waiting" | "running" | "recovering" | "dead";

export class SliceRunner implements Runner {
  readonly cells: SharedArrayBuffer = newCells();
  readonly witness: RunnerOptions["witness"];
  readonly #cell = new Int32Array(this.cells);
  readonly #host: RunnerOptions["host"];
  readonly #judge: RunnerOptions["judge"];
  readonly #cpuMs: number;
  readonly #events: RunnerOptions["events"];
  #engine: SliceEngine | null = null;
  #state: State = "idle";
  readonly #queue = new RecordQueue();
  readonly #intake: Intake;
  #slice = 0;
  /** Of those on the inline lane, the last that came to its end. */
  #reportedSlice = 0;
  #scheduled = false;
  #startedMs = 0;
  #startedNs = 0n;
  /** Of the slice under way, as the engine has it. */
  #timeoutMs = 0;
  readonly #tracer: Tracer;
  #probePatience = new Patience(0, 0);
  readonly #place: Place;
  /** A pool slice that has reported but may still run promise jobs. */
  #trailing: Trailing | null = null;
  readonly #meter: PoolMeter;

  constructor(options: RunnerOptions) {
    const { host, events } = options;
    this.witness = options.witness;
    this.#host = host;
    this.#judge = options.judge;
    this.#cpuMs = options.cpuMs;
    this.#events = events;
    this.#place = new Place(host.places);
    this.#intake = new Intake({ host, events, onEmpty: () => this.#goOn() });
    this.#meter = new PoolMeter(host, events);
    this.#tracer = new Tracer(this.#cell, (ids, reason) => {
      if (!this.#stopped()) events.rejected(ids, reason);
    });
  }

  readonly leaveInline: Leave = (slice, _settled, packed, bytes) => {
    if (slice !== 0) this.#reportedSlice = slice;
    this.#intake.put(packed, bytes === undefined ? null : takeBytes(bytes));
  };

  readonly leavePool: Leave = (slice, settled, packed, bytes) => {
    // Also for a runner that was stopped: what is not taken would keep memory of an isolate that is disposed of.
    const taken = bytes === undefined ? null : takeBytes(bytes);
    if (this.#state === "dead") return;
    const ended = slice !== 0 && slice === this.#slice && this.#state === "running";
    const leftUs = ended ? this.#reported(settled) : null;
    // First: a request that has used up its time is not answered.
    if (leftUs !== null && !this.#chargeBatch(leftUs)) return;
    this.#intake.put(packed, taken);
    this.#intake.empty();
    if (leftUs !== null) this.#goOn();
  };

  attach(engine: SliceEngine): void {
    this.#engine = engine;
    if (!this.#queue.isEmpty) this.#schedule();
  }

  push(record: PendingRecord): void {
    if (this.#state === "dead") return;
    this.#queue.push(record);
    if (this.#state === "idle") this.#schedule();
  }

  /** No thread of the pool is in the isolate or will be: what waits for it there does not block this one. */
  get quiet(): boolean {
    return this.#state === "idle" && this.#trailing === null && this.#queue.isEmpty;
  }

  /** What the guest holds that the engine does not count, as it last reported. */
  get reservedBytes(): number {
    return (this.#cell[CELL.RESERVED_KB] ?? 0) * 1_024;
  }

  flush(): void {
    this.#scheduled = false;
    const engine = this.#engine;
    if (engine === null || this.#state !== "idle") return;
    if (this.#queue.isEmpty || !this.#intake.isEmpty) return;
    const now = this.#host.now();
    if (this.#trailing !== null && hasEnded(this.#trailing, engine)) {
      this.#meter.chargeRest(engine, this.#runningIds());
      this.#stopTrailing();
      // It may have become a long one meanwhile, and would wait for itself.
      this.#place.leave();
    }
    const lane = this.#trailing === null ? this.#judge.lane(now) : "pool";
    const pace = lane === "inline" ? "short" : this.#judge.pace();
    if (pace === "short") this.#host.served();
    if (lane === "inline") return this.#runInline(engine, now);
    this.#state = "waiting";
    this.#place.take(pace, () => this.#runPool(engine));
  }

  /** Microseconds by which the running time has grown since the last look. */
  look(): number {
    return this.#engine === null ? 0 : this.#meter.look(this.#engine);
  }

  /** Right after look. */
  check(now: number): void {
    const engine = this.#engine;
    if (engine === null) return;
    if (this.#state === "recovering") {
      if (this.#probePatience.isOver(now)) this.#die("wedged");
      return;
    }
    if (this.#state !== "running" && this.#trailing === null) return;
    if (engine.disposed) return this.#die("memory");
    if (!this.#meter.idle) {
      this.#place.ran(now - this.#startedMs);
      this.#meter.charge(this.#runningIds(), this.#state === "running");
    }
    if (this.#state === "running") this.#checkSlice(engine, now);
    else if (this.#trailing !== null) this.#checkTrailing(engine, now, this.#trailing);
  }

  #checkSlice(engine: SliceEngine, now: number): void {
    if (now - this.#startedMs <= this.#timeoutMs + CUT_GRACE_MS) return;
    // It was cut, or it ended without a report, as only a guest that was tampered with does.
    const ended = this.#meter.idle && this.#meter.seenNs > this.#startedNs;
    if (ended || isCut(this.#meter.seenNs - this.#startedNs, this.#timeoutMs))
      void this.#recover(engine, now);
  }

  #checkTrailing(engine: SliceEngine, now: number, trailing: Trailing): void {
    if (wasCut(trailing, this.#tracer.cutSlice, this.#meter.seenNs)) {
      if (this.#meter.idle) void this.#recover(engine, now);
    } else if (now - this.#startedMs > WEDGE_MS + trailing.timeoutMs) {
      void this.#recover(engine, now);
    } else if (this.#meter.idle) {
      this.#stopTrailing();
      this.#goOn();
      // Last: its own next slice may be the one that starts.
      this.#place.leave();
    }
  }

  /** Whose code runs: one request's, or after the report any of those that had not answered. */
  #runningIds(): number[] {
    const running = this.#cell[CELL.RUNNING] ?? 0;
    if (this.#cell[CELL.PHASE] === PHASE.STARTING && running !== 0) return [running];
    return [...new Set(ownersOf(this.#trailing?.batch ?? this.#queue.batch))];
  }

  /** No event comes after it. */
  stop(): void {
    this.#place.leave();
    this.#state = "dead";
    this.#queue.clear();
    this.#intake.clear();
    this.#host.unwatch(this);
    this.#engine = null;
  }

  #stopped(): boolean {
    return this.#engine === null;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#host.schedule(this);
  }

  #timeout(leftMs: number, lane: "inline" | "pool"): number {
    return timeoutFor(leftMs, this.#host.forecast(this.#host.now(), lane));
  }

  #take(max: number): PackedBatch {
    const taken = this.#queue.take(max);
    this.#slice++;
    this.#startedMs = this.#host.now();
    return taken;
  }

  #runInline(engine: SliceEngine, now: number): void {
    const { packed, buffers } = this.#take(this.#judge.batchMax("inline"));
    this.witness.enter();
    const cpuBefore = threadCpuUs();
    const started = performance.now();
    let fault: unknown = null;
    this.#state = "running";
    try {
      engine.enterInline(this.#slice, now, packed, buffers, this.#timeout(this.#cpuMs, "inline"));
    } catch (error) {
      fault = error;
    }
    const wallUs = (performance.now() - started) * 1_000;
    this.witness.leave();
    const cpuUs = wallUs < SHORT_US ? wallUs : Math.min(wallUs, threadCpuUs() - cpuBefore);
    if (fault !== null && !this.#isRejection(fault)) {
      return this.#endedBadly(engine, now, fault, cpuUs);
    }
    if (fault !== null) this.#events.rejected(ownersOf(this.#queue.batch), fault);
    this.#state = "idle";
    this.#judge.ended(now, { lane: "inline", cpuUs, records: this.#queue.batch.length });
    if (!this.#chargeBatch(cpuUs)) return;
    this.#intake.empty();
    this.#goOn();
  }

  /** The engine throws what promises were rejected with and nobody handled, though the slice came to its end. */
  #isRejection(fault: unknown): boolean {
    return !(fault instanceof SliceError) && this.#reportedSlice === this.#slice;
  }

  #endedBadly(engine: SliceEngine, now: number, fault: unknown, cpuUs: number): void {
    this.#intake.empty();
    if (this.#stopped()) return;
    if (!(fault instanceof SliceError) || fault.fault !== "timeout") {
      this.#die(fault instanceof SliceError ? fault.fault : "broken");
      return;
    }
    const running = this.#cell[CELL.RUNNING] ?? 0;
    this.#events.ran(running, cpuUs);
    this.#tracer.frames = fault.frames;
    this.#blame(NOW, this.#queue.batch);
    void this.#recover(engine, now);
  }

  /** What nobody was charged for yet, in equal parts. False when that was the end of the isolate. */
  #chargeBatch(cpuUs: number): boolean {
    const batch = this.#queue.batch;
    const eachUs = cpuUs / batch.length;
    for (const { owner } of batch) {
      if (owner === 0) continue;
      this.#events.ran(owner, eachUs);
      if (this.#events.cpuLeftUs(owner) <= 0) this.#events.culprit(owner);
    }
    return !this.#stopped();
  }

  #goOn(): void {
    if (this.#state !== "idle" || !this.#intake.isEmpty) return;
    if (!this.#queue.isEmpty) this.#schedule();
    else if (this.#trailing === null) this.#events.drained();
  }

  #runPool(engine: SliceEngine): void {
    if (this.#state !== "waiting") return this.#place.leave();
    const { packed, buffers } = this.#take(this.#judge.batchMax("pool"));
    const leftMs = leftMsOf(this.#queue.batch, this.#cpuMs, this.#events);
    const timeoutMs = this.#timeout(leftMs, "pool");
    const traced = this.#tracer.begin(this.#slice, () => ownersOf(this.#queue.batch));
    this.#timeoutMs = timeoutMs;
    this.#state = "running";
    this.#startedNs = engine.runNs();
    this.#meter.begin(this.#startedNs, this.#trailing !== null);
    this.#host.watch(this);
    try {
      engine.enterPool(this.#slice, this.#startedMs, packed, buffers, { timeoutMs, traced });
    } catch {
      // The isolate was disposed of between two slices: it ran out of memory.
      this.#die("memory");
    }
  }

  /** Answers with the CPU time that nobody was charged for yet; null when that is not the end of it. */
  #reported(settled: number): number | null {
    const engine = this.#engine;
    if (engine === null) return null;
    const runNs = engine.runNs();
    const ranNs = runNs - this.#startedNs;
    const now = this.#host.now();
    if (this.#trailing !== null && wasCut(this.#trailing, this.#tracer.cutSlice, runNs)) {
      // Promise jobs of the slice before were cut off, with this one behind them.
      void this.#recover(engine, now);
      return null;
    }
    const cpuUs = (Number(ranNs) / 1_000) * this.#host.cpuShare();
    this.#judge.ended(now, { lane: "pool", cpuUs, records: this.#queue.batch.length });
    this.#state = "idle";
    this.#place.leave();
    if (settled === 1) this.#stopTrailing();
    else {
      const [slice, traced, sinceNs] = [this.#slice, this.#tracer.on, this.#startedNs];
      const { batch } = this.#queue;
      this.#trailing = { slice, traced, sinceNs, timeoutMs: this.#timeoutMs, batch };
    }
    return this.#meter.end(runNs, cpuUs);
  }

  #stopTrailing(): void {
    this.#trailing = null;
    this.#host.unwatch(this);
  }

  /** After a cut: is the isolate still of use, and who was it? */
  async #recover(engine: SliceEngine, now: number): Promise<void> {
    if (this.#engine === null) return;
    const blamed = this.#queue.batch.length === 0;
    const suspects = this.#trailing?.batch ?? this.#queue.batch;
    this.#judge.cut(now);
    // Its thread may be lost to a builtin that nothing stops.
    this.#place.stay();
    this.#state = "recovering";
    this.#trailing = null;
    this.#host.watch(this);
    const fault = await this.#probe(engine);
    if (this.#stopped()) return;
    if (fault !== null) return this.#die(fault);
    if (!blamed) this.#blame(BEFORE, suspects);
    // The last request may have been the culprit, and the isolate disposed of with it.
    if (this.#stopped()) return;
    this.#state = "idle";
    this.#place.leave();
    this.#host.unwatch(this);
    this.#goOn();
  }

  /** Once more when a slice that ended just before it was to be cut has left the cut to the probe. */
  async #probe(engine: SliceEngine, tries = 2): ReturnType<SliceEngine["probe"]> {
    const now = this.#host.now();
    const timeoutMs = this.#timeout(PROBE_MS, "pool");
    this.#probePatience = new Patience(timeoutMs + WEDGE_MS, now);
    const fault = await engine.probe(++this.#slice, now, timeoutMs);
    if (fault !== "broken" || tries === 1 || this.#stopped()) return fault;
    return await this.#probe(engine, tries - 1);
  }

  /** Reads the cells of a slice that was cut, tells the events, and puts back what was not started. */
  #blame(
    [phaseAt, runningAt, startedAt]: typeof NOW | typeof BEFORE,
    suspects: readonly PendingRecord[],
  ): void {
    const { batch } = this.#queue;
    const frames = this.#tracer.renew();
    if (this.#cell[phaseAt] !== PHASE.STARTING) {
      this.#queue.cut(batch.length);
      const ids = ownersOf(suspects);
      for (const id of ids) this.#events.burned(id, frames);
      this.#events.suspects(ids);
      return;
    }
    const started = this.#cell[startedAt] ?? batch.length;
    if (started === 0 && batch.length > 0) {
      // Nothing of the author's runs before the first record unless it was put into the bridge's way.
      return this.#die("broken");
    }
    for (const { owner } of this.#queue.cut(started)) this.#events.lost(owner);
    const running = this.#cell[runningAt] ?? 0;
    this.#events.burned(running, frames);
    this.#events.culprit(running);
  }

  #die(death: Death): void {
    const running = this.#cell[CELL.RUNNING] ?? 0;
    const ids = ownersOf(this.#queue.batch);
    this.stop();
    this.#events.died(death, running, ids);
  }
}
