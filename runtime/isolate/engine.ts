// The only door to isolated-vm. Everything else speaks of an Engine: one V8 isolate with one context, the
// guest script in it, and a pair of batched functions over its edge (see sdk/bridge.ts).
//
// Invariants
// - No ivm object can be reached from guest code. Three go in: two callbacks and the ExternalCopy class, as
//   arguments of `__islet.boot`, which keeps them in closures; author code never sees that call.
// - A slice (one run of guest code) always has a time-out. Some builtins ignore it (an operator's choice of
//   trust decides which thread such code may hold); the supervisor's heartbeat is the last resort.
// - After a catastrophic error the thread never comes back: the process must be replaced, not the isolate.

import { createRequire } from "node:module";
import { setFlagsFromString } from "node:v8";
import type ivmTypes from "isolated-vm";
import { CELLS_LENGTH } from "../../sdk/bridge.ts";
import { EdgeError } from "../../sdk/errors.ts";
import { SliceError, sliceFault, type SliceFault, type SliceTrace } from "./slice/fault.ts";

const require = createRequire(import.meta.url);
const ivm = require("isolated-vm") as typeof ivmTypes;

/** Releases below this one have a published way out of the isolate (GHSA-864f-rcv7-6rh4). */
export const ENGINE_VERSION_MIN = "7.0.1";

/** What every process asks before it runs or loads code of authors. Throws ENGINE_UNSAFE. */
export function safeEngineVersion(version: string = engineVersion()): string {
  if (!isBelow(version, ENGINE_VERSION_MIN)) return version;
  const message = `isolated-vm ${version} has a known way out of the isolate; ${ENGINE_VERSION_MIN} is the least`;
  throw new EdgeError("ENGINE_UNSAFE", message, { detail: { version, least: ENGINE_VERSION_MIN } });
}

/** What cannot be read counts as below. */
function isBelow(version: string, least: string): boolean {
  const numbers = (text: string): number[] => (text.split("-")[0] ?? "").split(".").map(Number);
  const [have, need] = [numbers(version), numbers(least)];
  for (const [at, wanted] of need.entries()) {
    const got = have[at] ?? Number.NaN;
    if (got !== wanted) return !(got > wanted);
  }
  return version.includes("-");
}

export function engineVersion(): string {
  const manifest: unknown = require("isolated-vm/package.json");
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}

export interface EngineOptions {
  readonly memoryMb: number;
  /**
   * From makeSnapshot, its hash verified by the caller: a damaged one aborts the process. Taken over (detached):
   * the isolate needs the bytes as long as it lives, and a copy costs a tenth of the time that making it takes.
   */
  readonly snapshot: ArrayBuffer | SharedSnapshot | null;
  readonly onCatastrophic: (message: string) => void;
}

/** A snapshot's bytes, taken over, for any number of isolates, that only read them. */
export class SharedSnapshot {
  readonly #copy: ivmTypes.ExternalCopy<ArrayBuffer>;

  constructor(bytes: ArrayBuffer) {
    this.#copy = new ivm.ExternalCopy(bytes, { transferOut: true });
  }

  static copyOf(snapshot: SharedSnapshot): ivmTypes.ExternalCopy<ArrayBuffer> {
    return snapshot.#copy;
  }
}

export interface Script {
  readonly code: string;
  readonly filename: string;
}

export interface BootOptions {
  readonly cells: SharedArrayBuffer;
  /** sdk/text/encodings.ts; empty where no request will be answered. */
  readonly encodings: SharedArrayBuffer;
  /** Runs in the middle of a slice on this thread: must only store what it is given. */
  readonly leaveInline: Leave;
  /** Runs as a task of its own on this thread. */
  readonly leavePool: Leave;
  /** 32 bytes from the host's generator. */
  readonly seed: Uint8Array;
  /** The `env` of the handler: vars, as JSON. Never part of a snapshot. */
  readonly env: string;
  readonly now: number;
}

/**
 * A slice on the accepting thread holds up everybody: a worker that is silent for three seconds is taken for dead. What
 * takes longer is cut, though its request may have more time, and has lost the inline lane with that.
 */
const INLINE_MS_MAX = 1_250;

/** slice: the number given to enter, 0 for what left later; bytes: takes them with takeBytes. */
export type Leave = (slice: number, settled: number, packed: string, bytes?: unknown) => void;

export function newCells(): SharedArrayBuffer {
  return new SharedArrayBuffer(CELLS_LENGTH * Int32Array.BYTES_PER_ELEMENT);
}

/** Detaches what the guest sent along; at most once per value. null when it is not what the bridge sends. */
export function takeBytes(value: unknown): ArrayBuffer | null {
  if (!(value instanceof ivm.ExternalCopy)) return null;
  // Copied and released on the spot: memory of the guest's allocator must not outlive its isolate (heap corruption).
  const bytes: unknown = value.copy({ release: true });
  return bytes instanceof ArrayBuffer ? bytes : null;
}

/**
 * Scripts and the state they leave. Blocks, without limits of time or memory: only in a process to be killed. The
 * warm-up runs in a second context that has run the scripts as well and is thrown away: only the code it made V8
 * compile is kept. What a script hands to `eval` is compiled whole, with every function in it.
 */
export function makeSnapshot(scripts: readonly Script[], warmUp?: string): ArrayBuffer {
  // Set back at once: code caches know the flags they were made with. Snapshots do not.
  setFlagsFromString("--no-lazy-eval");
  try {
    const list = scripts.map(({ code, filename }) => ({ code, filename }));
    return ivm.Isolate.createSnapshot(list, warmUp).copy({ transferIn: true, release: true });
  } finally {
    setFlagsFromString("--lazy-eval");
  }
}

/** A script of which V8 compiles nothing later. Flags are the process's: only where one thing is done at a time. */
async function compiledWhole<T>(compile: () => Promise<T>): Promise<T> {
  setFlagsFromString("--no-lazy");
  try {
    return await compile();
  } finally {
    setFlagsFromString("--lazy");
  }
}

/** A catastrophe that is none of V8's: code that does not end although it was cut off. isolated-vm stops its thread. */
export function isWedge(catastrophe: string): boolean {
  return catastrophe === "Script failed to terminate";
}

/** The isolate is made on this thread, before it returns; no code runs in that. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { snapshot: given } = options;
  const own =
    given instanceof ArrayBuffer ? new ivm.ExternalCopy(given, { transferOut: true }) : null;
  const snapshot = given instanceof SharedSnapshot ? SharedSnapshot.copyOf(given) : own;
  const isolate = new ivm.Isolate({
    memoryLimit: options.memoryMb,
    onCatastrophicError: options.onCatastrophic,
    ...(snapshot === null ? {} : { snapshot }),
  });
  // The isolate keeps the bytes; waiting for the collector to let go of them here would hold megabytes each.
  own?.release();
  try {
    return new Engine(isolate, await guardedAsync(isolate.createContext()));
  } catch (error) {
    if (!isolate.isDisposed) isolate.dispose();
    throw error;
  }
}

/** What is asynchronous runs on a thread of the pool. */
export class Engine {
  readonly #isolate: ivmTypes.Isolate;
  readonly #context: ivmTypes.Context;
  #enter: ivmTypes.Reference | null = null;

  constructor(isolate: ivmTypes.Isolate, context: ivmTypes.Context) {
    this.#isolate = isolate;
    this.#context = context;
  }

  /**
   * Runs a script to its end. All is asked of the isolate before this returns, and done in the order of asking: whoever
   * asks for several things at once is spared the ways between the threads. Resolves to false when V8 refused the
   * cache.
   */
  async run(script: Script & { timeoutMs: number; cached?: ArrayBuffer }): Promise<boolean> {
    const { code, filename, timeoutMs, cached } = script;
    // What is run next is the same text, for which V8 takes what it has just read of the cache.
    const compiled =
      cached === undefined
        ? null
        : this.#isolate.compileScript(code, { filename, cachedData: new ivm.ExternalCopy(cached) });
    const ran = this.#context.eval(code, { filename, timeout: timeoutMs });
    const [read] = await guardedAsync(Promise.all([compiled, ran]));
    return read === null || Reflect.get(read, "cachedDataRejected") !== true;
  }

  /**
   * Compiles every function of a script. V8 remembers it: whoever compiles the same text in here afterwards is given
   * that. Only in a process to be killed.
   */
  async compileWhole({ code, filename }: Script): Promise<void> {
    await compiledWhole(() => guardedAsync(this.#isolate.compileScript(code, { filename })));
  }

  /** V8's code cache of what is compiled of a script so far; null when it makes none. */
  async codeCache({ code, filename }: Script): Promise<ArrayBuffer | null> {
    const info = { filename, produceCachedData: true };
    const compiled = await guardedAsync(this.#isolate.compileScript(code, info));
    const cache: unknown = Reflect.get(compiled, "cachedData");
    return cache instanceof ivm.ExternalCopy
      ? (cache as ivmTypes.ExternalCopy<ArrayBuffer>).copy()
      : null;
  }

  /** Runs a module with no imports to its end, top-level await included, and registers its exports. */
  async runModule(script: Script & { timeoutMs: number }): Promise<void> {
    const isolate = this.#isolate;
    const main = await guardedAsync(
      isolate.compileModule(script.code, { filename: script.filename }),
    );
    const glue = await guardedAsync(
      isolate.compileModule('import * as exports from "main"; __islet.register(() => exports);', {
        filename: "islet:register",
      }),
    );
    await glue.instantiate(this.#context, (specifier) => {
      if (specifier === "main") return main;
      throw new EdgeError("SOURCE_INVALID", `The bundle still imports "${specifier}".`);
    });
    await guardedAsync(glue.evaluate({ timeout: script.timeoutMs }));
  }

  /** Evaluates an expression over the guest's globals and resolves to it when it is a primitive. */
  evaluate(code: string, timeoutMs: number): Promise<unknown> {
    return guardedAsync<unknown>(this.#context.eval(code, { timeout: timeoutMs }));
  }

  /** Once, before the first enter. After it the guest's own code is the only code in there. */
  async boot(options: BootOptions, timeoutMs: number): Promise<void> {
    const enter: unknown = await guardedAsync<unknown>(
      this.#context.evalClosure(
        '"use strict"; return __islet.boot({__proto__:null,cells:$0,leaveInline:$1,leavePool:$2,' +
          "ExternalCopy:$3.ExternalCopy,seed:$4,env:$5,now:$6,encodings:$7});",
        [
          new ivm.ExternalCopy(options.cells).copyInto({ release: true }),
          new ivm.Callback(options.leaveInline, { sync: true }),
          new ivm.Callback(options.leavePool, { ignored: true }),
          ivm,
          new ivm.ExternalCopy(options.seed).copyInto({ release: true }),
          options.env,
          options.now,
          new ivm.ExternalCopy(options.encodings).copyInto({ release: true }),
        ],
        { result: { reference: true }, timeout: timeoutMs, filename: "islet:boot" },
      ),
    );
    if (!(enter instanceof ivm.Reference))
      throw new EdgeError("INTERNAL", "The guest did not boot.");
    this.#enter = enter;
  }

  /** A slice on this thread. Throws SliceError when it was cut or the isolate is gone. */
  enterInline(
    slice: number,
    now: number,
    packed: string,
    buffers: readonly ArrayBuffer[],
    timeoutMs: number,
  ): void {
    guarded(() =>
      this.#reference().applySync(undefined, this.#args(0, slice, now, packed, buffers), {
        timeout: Math.min(timeoutMs, INLINE_MS_MAX),
      }),
    );
  }

  /**
   * A slice on a thread of the pool; it reports by leavePool and is silent when it is cut. `traced` is told what the
   * engine knows of its end, which costs a promise.
   */
  enterPool(
    slice: number,
    now: number,
    packed: string,
    buffers: readonly ArrayBuffer[],
    { timeoutMs, traced }: { timeoutMs: number; traced: SliceTrace | null },
  ): void {
    const reference = this.#reference();
    const args = this.#args(1, slice, now, packed, buffers);
    if (traced === null) {
      reference.applyIgnored(undefined, args, { timeout: timeoutMs });
      return;
    }
    guardedAsync(reference.apply(undefined, args, { timeout: timeoutMs })).catch((error) => {
      if (!(error instanceof SliceError)) traced.rejected(error);
      else if (error.fault === "timeout") traced.cut(error.frames);
    });
  }

  /**
   * An empty slice on the pool, before the boot an empty script, that resolves when it and all before it have ended: to
   * null when all is well.
   */
  async probe(
    slice: number,
    now: number,
    timeoutMs: number,
  ): Promise<SliceFault | "broken" | null> {
    const args = this.#args(1, slice, now, "", []);
    const options = { timeout: timeoutMs };
    try {
      if (this.#enter === null) await guardedAsync(this.#context.eval("", options));
      else await guardedAsync(this.#enter.apply(undefined, args, options));
      return null;
    } catch (error) {
      return error instanceof SliceError ? error.fault : "broken";
    }
  }

  /** Nanoseconds of wall time that this isolate has run so far. */
  runNs(): bigint {
    return this.#isolate.isDisposed ? 0n : this.#isolate.cpuTime;
  }

  /**
   * Whether a thread is inside: its running time then grows from one look to the next. Promise jobs go on behind slices
   * that have reported, and whatever is asked of the isolate here and now would wait for them.
   */
  get busy(): boolean {
    return this.runNs() !== this.runNs();
  }

  heapBytes(): number {
    if (this.#isolate.isDisposed) return 0;
    return heapBytesOf(this.#isolate.getHeapStatisticsSync());
  }

  /** The same, read on a thread of the pool after whatever runs now. */
  async heapBytesLater(): Promise<number> {
    return heapBytesOf(await this.#isolate.getHeapStatistics());
  }

  get disposed(): boolean {
    return this.#isolate.isDisposed;
  }

  dispose(): void {
    this.#enter = null;
    if (this.#isolate.isDisposed) return;
    this.#context.release();
    this.#isolate.dispose();
  }

  #reference(): ivmTypes.Reference {
    if (this.#enter === null || this.#isolate.isDisposed) {
      throw new SliceError("disposed", "The isolate is gone.");
    }
    return this.#enter;
  }

  #args(
    lane: number,
    slice: number,
    now: number,
    packed: string,
    buffers: readonly ArrayBuffer[],
  ): unknown[] {
    const args: unknown[] = [lane, slice, now, packed];
    for (const buffer of buffers) {
      args.push(
        new ivm.ExternalCopy(buffer, { transferOut: true }).copyInto({
          transferIn: true,
          release: true,
        }),
      );
    }
    return args;
  }
}

function heapBytesOf(heap: ivmTypes.HeapStatistics): number {
  return heap.used_heap_size + heap.externally_allocated_size;
}

function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw sliceFault(error);
  }
}

async function guardedAsync<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw sliceFault(error);
  }
}
