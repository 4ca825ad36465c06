// From a version's files to a live instance: engine, boot, and the author's code where no snapshot holds it.

import type { Exchange, HeaderList } from "../../sdk/exchange.ts";
import { randomBytes } from "node:crypto";
import type { BundleFormat, Trust } from "../../sdk/records.ts";
import { CELL } from "../../sdk/bridge.ts";
import { EdgeError } from "../../sdk/errors.ts";
import { STARTUP_CPU_MS_MAX, type Limits } from "../../sdk/limits.ts";
import type { CallService } from "./call.ts";
import { createEngine, type Engine, type Script, type SharedSnapshot } from "./engine.ts";
import { Instance, type InstanceEvents } from "./instance.ts";
import { encodingTables } from "./encoding-tables.ts";
import { Held } from "./held.ts";
import { Startup } from "./life/startup.ts";
import type { Blank } from "./life/stock.ts";
import { createLaneJudge } from "./slice/lane.ts";
import type { SliceHost, SliceWitness } from "./slice/contract.ts";
import { SliceRunner } from "./slice/runner.ts";

const NOBODY: SliceWitness = { enter() {}, leave() {}, begin() {}, end() {} };
const BYTES_PER_MB: number = 1_024 * 1_024;
/** Restoring the platform takes a few milliseconds; this only stops what is broken, or an author's patch of it. */
const BOOT_MS_MAX = 2_000;

export type Start =
  /** Platform and bundle are in the snapshot. */
  | { readonly kind: "full"; readonly snapshot: ArrayBuffer }
  /** The bundle runs on top; without a platform snapshot the guest script runs first. */
  | {
      readonly kind: "platform";
      /** Made ahead of that snapshot, with this memory limit. */
      readonly blank?: Blank | null;
      readonly snapshot: ArrayBuffer | SharedSnapshot | null;
      readonly guest: Script;
      readonly bundle: Script;
      /** V8's, made by the checker for this very script and engine; only ever ours, never a guest's. */
      readonly codeCache: ArrayBuffer | null;
      readonly format: BundleFormat;
    };

export interface LoadOptions {
  /** Called when its turn has come, since it holds megabytes. */
  readonly start: () => Start;
  readonly limits: Limits;
  readonly trust: Trust;
  /** What the handler sees of a request's headers; absent: all of them, and nothing else. */
  readonly headersOf?: ((exchange: Exchange) => HeaderList) | undefined;
  /** The handler's `env`, as JSON. */
  readonly env: string;
  readonly host: SliceHost;
  readonly witness?: SliceWitness;
  readonly services: readonly CallService[];
  readonly events: InstanceEvents;
  /** V8 lost control of a thread: this process has to be replaced. */
  readonly onCatastrophic: (message: string) => void;
  /** A thread did not come back while it loaded: the same. */
  readonly onWedged: () => void;
  /** V8 compiles the bundle anew: it is another V8, has other options or another processor than the checker's. */
  readonly onCacheRefused?: () => void;
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
  const { limits, host, witness = NOBODY } = options;
  const held = new Held(limits.memoryMb * BYTES_PER_MB);
  const instance = new Instance({
    limits,
    held,
    services: options.services,
    headersOf: options.headersOf,
    now: () => performance.now(),
    events: options.events,
  });
  const judge = createLaneJudge(options.trust);
  const runner = new SliceRunner({ host, judge, cpuMs: limits.cpuMs, events: instance, witness });
  // Now: what the top level begins may come to an end before the load does.
  instance.attach(runner);
  const engine = await start(options, { instance, runner, witness });
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
}

interface Starting {
  readonly instance: Instance;
  readonly runner: SliceRunner;
  readonly witness: SliceWitness;
}

/** Leaves nothing behind when it fails. */
async function start(
  options: LoadOptions,
  { instance, runner, witness }: Starting,
): Promise<Engine> {
  const { host, onWedged } = options;
  const startup = new Startup({ host, witness, onWedged });
  let engine: Engine | null = null;
  await startup.begin();
  try {
    const from = options.start();
    const blank = from.kind === "platform" ? (from.blank ?? null) : null;
    blank?.own(options.onCatastrophic);
    engine =
      blank?.engine ?? (await startup.run(BOOT_MS_MAX, () => createHere(options, from, witness)));
    await runToTheEnd(engine, { options, from, startup, runner });
    if (!instance.hasRoom) throw new EdgeError("ISOLATE_FAILED", "It broke while it was loaded.");
    runner.attach(engine);
    return engine;
  } catch (error) {
    instance.dispose();
    // Touching what a lost thread still runs in could block this one.
    if (engine !== null && !startup.wedged) void disposeWhenQuiet(engine, host.now());
    throw error;
  } finally {
    startup.end();
  }
}

/** A snapshot may bring down the thread that takes it in. */
function createHere(
  { limits, onCatastrophic }: LoadOptions,
  { snapshot }: Start,
  witness: SliceWitness,
): Promise<Engine> {
  witness.enter();
  try {
    return createEngine({ memoryMb: limits.memoryMb, snapshot, onCatastrophic });
  } finally {
    witness.leave();
  }
}

interface StartParts {
  readonly options: LoadOptions;
  readonly from: Start;
  readonly startup: Startup;
  readonly runner: SliceRunner;
}

/** The platform, where no snapshot holds it; the boot; the author's top level, where no snapshot holds that. */
async function runToTheEnd(engine: Engine, parts: StartParts): Promise<void> {
  const { options, from, startup, runner } = parts;
  const { limits, env, host } = options;
  if (from.kind === "platform" && from.snapshot === null) {
    await startup.run(BOOT_MS_MAX, (timeoutMs) => engine.run({ ...from.guest, timeoutMs }));
  }
  const cells = new Int32Array(runner.cells);
  cells[CELL.TIMERS_MAX] = limits.timers;
  cells[CELL.MEMORY_MB] = limits.memoryMb;
  cells[CELL.LOG_BYTES] = limits.logBytes;
  const { leaveInline, leavePool } = runner;
  const booted = startup.run(BOOT_MS_MAX, (timeoutMs) =>
    engine.boot(
      {
        cells: runner.cells,
        encodings: encodingTables(),
        leaveInline,
        leavePool,
        seed: randomBytes(32),
        env,
        now: host.now(),
      },
      timeoutMs,
    ),
  );
  if (from.kind !== "platform" || from.format === "module") await booted;
  if (from.kind !== "platform") return;
  const { bundle, format, codeCache } = from;
  const ran = startup.run(STARTUP_CPU_MS_MAX, async (timeoutMs) => {
    const script = { ...bundle, timeoutMs };
    if (format === "module") await engine.runModule(script);
    else if (codeCache === null) await engine.run(script);
    else if (!(await engine.run({ ...script, cached: codeCache }))) options.onCacheRefused?.();
  });
  // Of a script the isolate is told all at once; it runs behind the boot.
  await Promise.all([booted, ran]);
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

  void ask();
  return () => {
    if (!runner.quiet || engine.busy) {
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
