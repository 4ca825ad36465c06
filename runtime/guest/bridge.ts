// The guest's end of the bridge: unpacks what the host enters, runs the handler, packs what leaves.
//
// Author code is hostile and may have patched every prototype. So the order of promise jobs is kept by `await` on
// no promise at all, which cannot be patched, and nothing here is trusted by the host, whose checks count.
//
// Records are started one after the other, and after each one promise jobs run until its request is done
// or for a bounded number of turns (a handler that waits for I/O). So the code that runs is nearly always that of
// the request named in the cells, and its calls are charged to it. A slice reports once, after the last record.

import { CELL, ENTER, LEAVE, OPEN_MAX, PHASE, Records } from "../../sdk/bridge.ts";
import { LIMITS } from "../../sdk/limits.ts";
import { Calls } from "./calls.ts";
import { createOutbox, type EngineArguments, type Outbox } from "./outbox.ts";
import { Requests } from "./requests.ts";
import type { Wire } from "./payload.ts";
import type { AuthorModule, Platform, Port } from "./port.ts";
import { reservedBytes } from "./reserved.ts";
import { Table } from "./table.ts";

/** Captured: boot follows the author's top level where a snapshot holds it, and the cells are not for authors. */
const NativeInt32Array = Int32Array;

export interface BootArguments extends EngineArguments {
  readonly cells: SharedArrayBuffer;
  readonly seed: Uint8Array;
  readonly env: string;
  readonly now: number;
  /** The tables of legacy encodings; none for a warm-up. */
  readonly encodings?: SharedArrayBuffer;
}

export type Enter = (
  lane: number,
  slice: number,
  now: number,
  packed: string,
  ...buffers: ArrayBuffer[]
) => void;

const BYTES_PER_KB = 1_024;
const BYTES_PER_MB: number = 1_024 * 1_024;

/**
 * Promise turns a record gets before the next one starts. An async handler that awaits a few resolved promises
 * (a router with middleware) answers well within; more only delays those behind a handler that waits for I/O.
 */
const TURNS_MAX = 24;

/**
 * Promise jobs that go on behind a slice may send something in each turn, and each report is a task on the host's
 * thread. So each waits for twice as many turns as the one before, up to some milliseconds' worth of them: what is late
 * by that is never later than the jobs had run already.
 */
const GATHERS_MAX = 4_096;

export function createBridge(platform: Platform, args: BootArguments, author: AuthorModule): Enter {
  const bridge = new Bridge(platform, args, author);
  return (lane, slice, now, packed, ...buffers) => bridge.enter(lane, slice, now, packed, buffers);
}

function atLeastZero(number: number): number {
  return number > 0 ? number : 0;
}

class Bridge implements Wire {
  readonly logBytesMax: number;
  readonly #platform: Platform;
  readonly #cells: Int32Array;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #calls: Calls;
  readonly #timerOwners = new Table<number>();
  readonly #bootedAt: number;
  #now: number;
  #current = 0;
  /** Counts enters: a run that was cut off must not go on when its promise jobs do. */
  #run = 0;
  /** Whether a report is due anyway, so that a push need not ask for one. */
  #reporting = false;
  /** Promise turns that the next report outside of a slice's records waits for more. */
  #gathers = 1;

  constructor(platform: Platform, args: BootArguments, author: AuthorModule) {
    this.#platform = platform;
    this.#cells = new NativeInt32Array(args.cells);
    this.logBytesMax = this.#told(CELL.LOG_BYTES, LIMITS.logBytes.default);
    this.#outbox = createOutbox(args);
    this.#bootedAt = args.now;
    this.#now = args.now;
    this.#calls = new Calls(this);
    const port = this.#port();
    platform.thaw(port, args.seed, args.encodings);
    const { env, services } = platform.createEnvironment(args.env, port);
    this.#requests = new Requests({ platform, wire: this, author, env, services });
  }

  enter(
    lane: number,
    slice: number,
    now: number,
    packed: string,
    buffers: readonly ArrayBuffer[],
  ): void {
    const cells = this.#cells;
    cells[CELL.PREVIOUS_PHASE] = cells[CELL.PHASE] ?? 0;
    cells[CELL.PREVIOUS_RUNNING] = cells[CELL.RUNNING] ?? 0;
    cells[CELL.PREVIOUS_STARTED] = cells[CELL.STARTED] ?? 0;
    cells[CELL.PHASE] = PHASE.STARTING;
    cells[CELL.STARTED] = 0;
    cells[CELL.RUNNING] = 0;
    this.#outbox.setLane(lane);
    this.#now = now;
    this.#gathers = 1;
    void this.#runRecords(slice, new Records(packed), buffers);
  }

  push(op: string, id: number, payload: string): void {
    this.#outbox.push(op, id, payload);
    if (!this.#reporting) void this.#reportLater();
  }

  pushBytes(op: string, id: number, payload: string, bytes: Uint8Array): void {
    this.#outbox.pushBytes(op, id, payload, bytes);
  }

  current(): number {
    return this.#current;
  }

  now(): number {
    return this.#now;
  }

  remaining(id: number, startedAt: number): { cpuMs: number; wallMs: number } {
    const cells = this.#cells;
    const cpuUs = (cells[CELL.CPU_LIMIT_US] ?? 0) - (cells[CELL.USED_US + (id % OPEN_MAX)] ?? 0);
    const wallMs = (cells[CELL.WALL_LIMIT_MS] ?? 0) - (this.#now - startedAt);
    return { cpuMs: atLeastZero(cpuUs / 1_000), wallMs: atLeastZero(wallMs) };
  }

  setCurrent(id: number): void {
    this.#current = id;
    this.#cells[CELL.RUNNING] = id;
  }

  async #runRecords(
    slice: number,
    records: Records,
    buffers: readonly ArrayBuffer[],
  ): Promise<void> {
    const mine = ++this.#run;
    const requests = this.#requests;
    let settled = 1;
    this.#reporting = true;
    this.#calls.entered();
    this.#requests.sockets.entered();
    let more = records.next();
    for (let started = 1; more; started++) {
      this.#cells[CELL.STARTED] = started;
      this.#start(records.op, records.id, records.payload, buffers);
      more = records.next();
      // Answers to one request come together, and so do the promise jobs behind them: they are all its own.
      if (more && this.#isAnswerToCurrent(records)) continue;
      for (let turn = 0; turn < TURNS_MAX && requests.isBusy(this.#current); turn++) {
        // oxlint-disable-next-line typescript/await-thenable -- one turn of the promise jobs.
        await undefined;
        if (this.#run !== mine) return;
      }
      if (requests.isBusy(this.#current)) settled = 0;
    }
    this.#cells[CELL.RUNNING] = 0;
    this.#cells[CELL.RESERVED_KB] = reservedBytes() / BYTES_PER_KB;
    this.#cells[CELL.LISTENS] = this.#platform.listensForRejections() ? 1 : 0;
    this.#cells[CELL.PHASE] = PHASE.REPORTED;
    this.#reporting = false;
    this.#outbox.report(slice, settled);
  }

  /** Something was pushed outside of a slice's records: promise jobs of an earlier one. */
  async #reportLater(): Promise<void> {
    this.#reporting = true;
    const mine = this.#run;
    for (let turn = 0; turn < this.#gathers; turn++) {
      // oxlint-disable-next-line typescript/await-thenable -- one turn of the promise jobs.
      await undefined;
      if (this.#run !== mine) return;
    }
    if (this.#gathers < GATHERS_MAX) this.#gathers *= 2;
    this.#reporting = false;
    if (!this.#outbox.isEmpty()) this.#outbox.report(0, 0);
  }

  #isAnswerToCurrent({ op, id }: Records): boolean {
    if (op !== ENTER.CALL_OK && op !== ENTER.CALL_FAIL) return false;
    return this.#calls.ownerOf(id) === this.#current;
  }

  #start(op: string, id: number, payload: string, buffers: readonly ArrayBuffer[]): void {
    switch (op) {
      case ENTER.REQUEST:
        this.setCurrent(id);
        this.#requests.start(id, payload);
        break;
      case ENTER.EVENT:
        this.setCurrent(id);
        this.#requests.startEvent(id, payload);
        break;
      case ENTER.CALL_OK:
        this.#calls.succeed(id, payload, buffers);
        break;
      case ENTER.CALL_FAIL:
        this.#calls.fail(id, payload);
        break;
      case ENTER.TIMER:
        this.setCurrent(this.#timerOwners.get(id) ?? 0);
        this.#timerOwners.delete(id);
        this.#platform.fireTimer(id);
        break;
      case ENTER.REJECTION:
        this.setCurrent(id);
        this.#platform.reportRejection(payload);
        break;
      default:
        this.setCurrent(id);
        this.#requests.advance(op, id, payload, buffers);
    }
  }

  /** What the host has set; a checker or a warm-up sets nothing. */
  #told(cell: number, usual: number): number {
    const told = this.#cells[cell] ?? 0;
    return told > 0 ? told : usual;
  }

  #port(): Port {
    return {
      now: () => this.#now,
      monotonic: () => this.#now - this.#bootedAt,
      fetch: (request) => this.#calls.fetch(request),
      begin: (name, callArgs, bytes) => this.#calls.begin(name, callArgs, bytes),
      cancel: (id) => this.#calls.cancel(id),
      bytesCall: (name, args, bytes) => this.#calls.bytesCall(name, args, bytes),
      setTimer: (id, ms) => {
        this.#timerOwners.set(id, this.#current);
        this.push(LEAVE.TIMER_SET, id, `${ms}\n${this.#current}`);
      },
      memoryBytes: this.#told(CELL.MEMORY_MB, LIMITS.memoryMb.default) * BYTES_PER_MB,
      timersMax: this.#told(CELL.TIMERS_MAX, LIMITS.timers.default),
      clearTimer: (id) => {
        this.#timerOwners.delete(id);
        this.push(LEAVE.TIMER_CLEAR, id, "");
      },
      log: (level, text) => this.#requests.log(this.#current, level, text),
      waitUntil: (work) => this.#requests.waitUntil(this.#current, work),
      exports: () => this.#requests.exportsFor(this.#current),
    };
  }
}
