// Main module of the compiler's children: runs one job over code that nobody has checked yet, and waits to be
// killed. A composition root: joins the checker's protocol with the engine.
//
// Whatever the author's code does to this process is the parent's to notice; here nothing is defended but the
// truth of what is reported.

import { EdgeError } from "../sdk/errors.ts";
import { STARTUP_CPU_MS_MAX, STARTUP_MEMORY_MB_MAX } from "../sdk/limits.ts";
import {
  BUNDLE_FILE,
  GUEST_FILE,
  GUEST_NAME,
  snapshotScripts,
  wrapScript,
} from "../compiler/script.ts";
import { readChecked, writeChecked } from "../compiler/snapshot-store.ts";
import { WARM_UP } from "../compiler/warm-up.ts";
import { JAIL_WALL_MS_MAX } from "../compiler/jail-protocol.ts";
import type {
  CheckJob,
  DryRun,
  Inspection,
  JailJob,
  JailReport,
  JailVerdict,
  SnapshotVerdict,
} from "../compiler/jail-protocol.ts";
import { createEngine, makeSnapshot, newCells, safeEngineVersion } from "./isolate/engine.ts";
import type { Engine } from "./isolate/engine.ts";
import { SliceError } from "./isolate/slice/fault.ts";
import { withinCpu } from "./jail/within-cpu.ts";

/** The engine's time-outs count wall time, which says nothing here: the parent bounds what the platform takes. */
const TIMEOUT_MS: number = JAIL_WALL_MS_MAX;
/**
 * CPU time of a top level that starts from an isolate made ahead (isolate/life/stock.ts) and needs no snapshot: less
 * than half of what making an isolate from its own would cost.
 */
const QUICK_TOP_LEVEL_MS = 3;
const NOT_NEEDED: SnapshotVerdict = { made: false, reason: "It is not needed." };
const SEED_BYTES = 32;
/** Of larger scripts only what their top level calls is in the code cache: reading one takes 10 ms per megabyte. */
const WHOLE_CHARS_MAX: number = 1_024 * 1_024;

function report(message: JailReport): void {
  process.send?.(message);
}

process.once("message", (job: JailJob) => {
  void perform(job).then((verdict) => report({ type: "verdict", verdict }));
});
// The parent is gone.
process.once("disconnect", () => process.exit(0));
report({ type: "ready" });

async function perform(job: JailJob): Promise<JailVerdict> {
  try {
    safeEngineVersion();
    switch (job.kind) {
      case "check":
        return await check(job);
      case "platform":
        writeChecked(
          job.candidate,
          makeSnapshot([{ code: job.guestCode, filename: GUEST_FILE }], WARM_UP),
        );
        return { kind: "done" };
      case "probe":
        return await probe(job.snapshot, job.bundle);
    }
  } catch (error) {
    return verdictOf(error);
  }
}

async function check(job: CheckJob): Promise<JailVerdict> {
  const passed = await dryRun(job);
  if ("kind" in passed) return passed;
  report({ type: "stage", dryRun: passed });
  const { inspection, isQuick } = passed;
  const isRefused = inspection.handler === "none" || inspection.io.length > 0;
  const isNeeded = !isRefused && !isQuick;
  const verdict = isNeeded ? snapshot(job, inspection) : NOT_NEEDED;
  return { kind: "checked", inspection, snapshot: verdict };
}

/** How a worker starts a bundle on top of the platform, within limits. */
async function dryRun(job: CheckJob): Promise<DryRun | (JailVerdict & { kind: "threw" })> {
  const engine = await createPlatform(job, STARTUP_MEMORY_MB_MAX);
  try {
    const preview = `${GUEST_NAME}.preview(${JSON.stringify(job.env)})`;
    await engine.run({ code: preview, filename: GUEST_FILE, timeoutMs: TIMEOUT_MS });
    const isModule = job.format === "module";
    const script = { code: isModule ? job.code : wrapScript(job.code), filename: BUNDLE_FILE };
    if (!isModule && script.code.length <= WHOLE_CHARS_MAX) await engine.compileWhole(script);
    const clocks = { cpuMs, runMs: () => Number(engine.runNs()) / 1e6 };
    const topLevelMs = await withinCpu(STARTUP_CPU_MS_MAX, clocks, async () => {
      if (isModule) await engine.runModule({ ...script, timeoutMs: TIMEOUT_MS });
      else await engine.run({ ...script, timeoutMs: TIMEOUT_MS });
    });
    const inspection = await inspect(engine);
    const cache = isModule ? null : await engine.codeCache(script);
    if (cache !== null) writeChecked(job.codeCache, cache);
    const hasCodeCache = cache !== null;
    const isAlike = inspection.reads.length === 0;
    const isQuick = hasCodeCache && isAlike && topLevelMs <= QUICK_TOP_LEVEL_MS;
    // Only now: a thread may still be inside an isolate that failed, and this process ends with the verdict.
    engine.dispose();
    return { inspection, hasCodeCache, isQuick };
  } catch (error) {
    const verdict = verdictOf(error);
    if (verdict.kind !== "threw" || verdict.syntax || engine.disposed) throw error;
    // What it threw may be the platform's refusal of a call.
    return { ...verdict, io: (await inspect(engine)).io };
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function snapshot(job: CheckJob, inspection: Inspection): SnapshotVerdict {
  if (job.format === "module") {
    return { made: false, reason: "The module uses top-level await." };
  }
  if (inspection.reads.length > 0) {
    const what = inspection.reads.join(" and ");
    return { made: false, reason: `The module reads ${what} at top level.` };
  }
  try {
    const payload = makeSnapshot(snapshotScripts(job.guestCode, job.code), WARM_UP);
    writeChecked(job.candidate, payload);
    return { made: true };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { made: false, reason: `The module cannot be snapshotted: ${message}` };
  }
}

async function probe(file: string, holdsBundle: boolean): Promise<JailVerdict> {
  const payload = readChecked(file);
  if (payload === null) return { kind: "failed", message: "The snapshot's file is damaged." };
  const engine = await createEngine({
    memoryMb: STARTUP_MEMORY_MB_MAX,
    snapshot: payload,
    onCatastrophic,
  });
  const before = await inspect(engine);
  if (holdsBundle && before.handler === "none") {
    return { kind: "failed", message: "The snapshot has lost the handler." };
  }
  await engine.boot(
    {
      cells: newCells(),
      encodings: new SharedArrayBuffer(0),
      leaveInline: () => undefined,
      leavePool: () => undefined,
      seed: new Uint8Array(SEED_BYTES),
      env: "{}",
      now: 0,
    },
    TIMEOUT_MS,
  );
  engine.dispose();
  return { kind: "done" };
}

async function createPlatform(
  job: { readonly platform: string | null; readonly guestCode: string },
  memoryMb: number,
): Promise<Engine> {
  const payload = job.platform === null ? null : readChecked(job.platform);
  const engine = await createEngine({ memoryMb, snapshot: payload, onCatastrophic });
  if (payload === null) {
    await engine.run({ code: job.guestCode, filename: GUEST_FILE, timeoutMs: TIMEOUT_MS });
  }
  return engine;
}

/** The thread that runs the isolate never comes back: this is the child's last word. */
function onCatastrophic(message: string): void {
  report({ type: "verdict", verdict: { kind: "catastrophic", message } });
}

async function inspect(engine: Engine): Promise<Inspection> {
  const text = await engine.evaluate(`${GUEST_NAME}.inspect()`, TIMEOUT_MS);
  const found: unknown = JSON.parse(String(text));
  if (typeof found !== "object" || found === null || !("handler" in found)) {
    throw new EdgeError("INTERNAL", "The guest does not say what it has loaded.");
  }
  return {
    handler: String(found.handler),
    methods: namesIn("methods" in found ? found.methods : [], {}),
    io: namesIn("io" in found ? found.io : [], IO_NAMES),
    reads: namesIn("reads" in found ? found.reads : [], READ_NAMES),
  };
}

/** What the guest counts, for people. */
const IO_NAMES: Readonly<Record<string, string>> = { fetch: "fetch()", crypto: "crypto.subtle" };
const READ_NAMES: Readonly<Record<string, string>> = {
  time: "the time",
  randomness: "random values",
  environment: "env",
};

function namesIn(list: unknown, names: Readonly<Record<string, string>>): string[] {
  if (!Array.isArray(list)) throw new EdgeError("INTERNAL", "The guest's list is not a list.");
  return list.map((name) => names[String(name)] ?? String(name));
}

function verdictOf(error: unknown): JailVerdict {
  if (error instanceof SliceError) {
    if (error.fault === "timeout") return { kind: "timeout" };
    return { kind: "memory" };
  }
  if (error instanceof EdgeError) {
    return { kind: "failed", message: error.message, code: error.code };
  }
  if (!(error instanceof Error)) {
    const message = `a value that is not an Error: ${String(error)}`;
    return { kind: "threw", syntax: false, name: "", message, stack: "", io: [] };
  }
  const { name, message, stack = "" } = error;
  return { kind: "threw", syntax: name === "SyntaxError", name, message, stack, io: [] };
}
