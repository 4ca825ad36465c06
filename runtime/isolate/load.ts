// From a version's files to a live instance: engine, boot, and the author's code where no snapshot holds it.

import { randomBytes } from "node:crypto";
import type { BundleFormat, Trust } from "../../sdk/records.ts";
import { CELL } from "../../sdk/bridge.ts";
import { STARTUP_CPU_MS_MAX, type Limits } from "../../sdk/limits.ts";
import type { CallService } from "./call.ts";
import { createEngine, type Engine, type Script } from "./engine.ts";
import { Instance, type InstanceEvents } from "./instance.ts";
import { Held } from "./held.ts";
import { createLaneJudge } from "./slice/lane.ts";
import type { SliceHost, SliceWitness } from "./slice/contract.ts";
import { SliceRunner } from "./slice/runner.ts";

const NOBODY: SliceWitness = { enter() {}, leave() {}, begin() {}, end() {} };
const BYTES_PER_MB: number = 1_024 * 1_024;
/** Restoring the platform takes a few milliseconds; this only stops what is broken. */
const BOOT_MS_MAX = 2_000;

export type Start =
  /** Platform and bundle are in the snapshot. */
  | { readonly kind: "full"; readonly snapshot: ArrayBuffer }
  /** The bundle runs on top; without a platform snapshot the guest script runs first. */
  | {
      readonly kind: "platform";
      readonly snapshot: ArrayBuffer | null;
      readonly guest: Script;
      readonly bundle: Script;
      /** V8's, made by the checker for this very script and engine; only ever ours, never a guest's. */
      readonly codeCache: ArrayBuffer | null;
      readonly format: BundleFormat;
    };

export interface LoadOptions {
  readonly start: Start;
  readonly limits: Limits;
  readonly trust: Trust;
  /** The handler's `env`, as JSON. */
  readonly env: string;
  readonly host: SliceHost;
  readonly witness?: SliceWitness;
  readonly services: readonly CallService[];
  readonly events: InstanceEvents;
  /** V8 lost control of a thread: this process has to be replaced. */
  readonly onCatastrophic: (message: string) => void;
}

export interface Loaded {
  readonly instance: Instance;
  /** As last seen; never waits for what runs in the isolate. */
  heapBytes(): number;
  /** Nothing runs in it, on whichever thread. */
  readonly quiet: boolean;
  /** How often a slice of it was cut off. */
  readonly cuts: number;
  /** The instance and its isolate. Idempotent. */
  dispose(): void;
}

export async function loadInstance(options: LoadOptions): Promise<Loaded> {
  const { witness = NOBODY } = options;
  // Author code runs here too, and a snapshot may bring down whoever loads it.
  witness.enter();
  witness.begin();
  try {
    return await load(options, witness);
  } finally {
    witness.end();
    witness.leave();
  }
}

async function load(options: LoadOptions, witness: SliceWitness): Promise<Loaded> {
  const { start, limits, host } = options;
  const engine = createEngine({
    memoryMb: limits.memoryMb,
    snapshot: start.snapshot,
    onCatastrophic: options.onCatastrophic,
  });
  try {
    if (start.kind === "platform" && start.snapshot === null) {
      engine.run({ ...start.guest, timeoutMs: BOOT_MS_MAX });
    }
    const held = new Held(limits.memoryMb * BYTES_PER_MB);
    const instance = new Instance({
      limits,
      held,
      services: options.services,
      now: () => performance.now(),
      events: options.events,
    });
    const judge = createLaneJudge(options.trust);
    const runner = new SliceRunner({
      host,
      judge,
      cpuMs: limits.cpuMs,
      events: instance,
      witness,
    });
    const cells = new Int32Array(runner.cells);
    cells[CELL.TIMERS_MAX] = limits.timers;
    cells[CELL.MEMORY_MB] = limits.memoryMb;
    engine.boot(
      {
        cells: runner.cells,
        leaveInline: runner.leaveInline,
        leavePool: runner.leavePool,
        seed: randomBytes(32),
        env: options.env,
        now: host.now(),
      },
      BOOT_MS_MAX,
    );
    if (start.kind === "platform") {
      const script = { ...start.bundle, timeoutMs: STARTUP_CPU_MS_MAX };
      if (start.format === "module") await engine.runModule(script);
      else engine.run(start.codeCache === null ? script : { ...script, cached: start.codeCache });
    }
    instance.attach(runner);
    runner.attach(engine);
    const heap = createHeapGauge(engine, runner);
    return {
      instance,
      heapBytes: () => heap() + runner.reservedBytes + held.bytes,
      get quiet() {
        return runner.quiet;
      },
      get cuts() {
        return judge.cuts;
      },
      dispose() {
        instance.dispose();
        void disposeWhenQuiet(engine, host.now());
      },
    };
  } catch (error) {
    for (const service of options.services) service.close();
    engine.dispose();
    throw error;
  }
}

/** What the engine counts: reads the figure only when something has run since it was last read. */
function createHeapGauge(engine: Engine, runner: SliceRunner): () => number {
  let bytes = 0;
  let seenNs = -1n;
  let asked = false;

  async function ask(): Promise<void> {
    asked = true;
    try {
      bytes = await engine.heapBytesLater();
    } catch {
      // Gone, or on its way.
    }
    asked = false;
  }

  return () => {
    if (!runner.quiet) {
      // Asking here would wait for whatever runs in there; the answer comes between two slices.
      if (!asked) void ask();
    } else if (engine.runNs() !== seenNs) {
      bytes = engine.heapBytes();
      // Asking counts as running.
      seenNs = engine.runNs();
    }
    return bytes;
  };
}

/** What may still run in an isolate nobody waits for: a slice to its end, and its promise jobs. */
const LAST_SLICE_MS = 1_000;

/**
 * An isolate that is disposed of while a thread of the pool is inside corrupts the heap of the process. So an
 * empty slice goes first: when it has ended, so has everything before it, and what left has arrived here.
 */
async function disposeWhenQuiet(engine: Engine, now: number): Promise<void> {
  // However it ends: nothing runs in there any more.
  await engine.probe(0, now, LAST_SLICE_MS);
  engine.dispose();
}
