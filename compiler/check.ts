// Checks code before it may reach a worker: a dry run on top of the platform exactly as a worker would do it, which
// leaves a code cache. That is all where running the top level again costs next to nothing; else the full snapshot
// follows where that is safe, probed in a process that knows nothing of how it was made.
//
// Refuses what fails the dry run. What fails later costs only the full snapshot: the version then starts from
// the platform's snapshot, with the code cache. Nothing of the author's runs in this process.

import { EdgeError } from "../sdk/errors.ts";
import type { Code } from "../sdk/errors.ts";
import { BUNDLE_BYTES_MAX, STARTUP_CPU_MS_MAX, STARTUP_MEMORY_MB_MAX } from "../sdk/limits.ts";
import type { Checker, CheckInput, CheckResult, HandlerNeed } from "../sdk/node.ts";
import { diagnosticsError } from "./diagnostics.ts";
import type { Guest } from "./guest.ts";
import type { JailEnd, Jails } from "./jails.ts";
import type { DryRun, Inspection, JailVerdict } from "./jail-protocol.ts";
import { codeCacheKey, snapshotKey } from "./snapshot-store.ts";
import type { SnapshotBasis, SnapshotStore } from "./snapshot-store.ts";
import { createStackMapper } from "./source-map.ts";
import { createTurns } from "./turns.ts";

export interface CheckerOptions {
  readonly guest: Guest;
  /** Its guestHash is the guest's. */
  readonly basis: SnapshotBasis;
  readonly store: SnapshotStore;
  readonly jails: Jails;
}

export interface PlatformChecker extends Checker {
  /**
   * Makes the platform's own snapshot unless a whole one is stored. Resolves to its key, null when it cannot
   * be made.
   */
  preparePlatform(): Promise<string | null>;
}

/** The dry run bounds the top level itself; this is for platform and compiler too, and what gets around that. */
const CHECK_CPU_MS_MAX: number = STARTUP_CPU_MS_MAX * 5 + 1_000;
const QUICK: CheckResult["start"] = { kind: "quick" };
/** About 40 ms, and twice the top level: it is run again, and once more to warm up. */
const SNAPSHOT_CPU_MS_MAX = 4_000;
const PROBE_CPU_MS_MAX = 4_000;
/** Each takes a core and up to 512 MB. */
const CHECKS_AT_ONCE_MAX = 2;
/** At about 150 ms a check, what a person would still wait for. */
const CHECKS_WAITING_MAX = 64;
/** 64 bytes each. */
const PASSED_MAX = 10_000;

export function createChecker(options: CheckerOptions): PlatformChecker {
  const turns = createTurns(CHECKS_AT_ONCE_MAX, CHECKS_WAITING_MAX);
  const passed = rememberPassed(options);
  let platform: Promise<string | null> | null = null;
  const preparePlatform = (): Promise<string | null> => (platform ??= makePlatform(options));
  return {
    preparePlatform,
    async check(input) {
      const bytes = Buffer.byteLength(input.code);
      if (bytes > BUNDLE_BYTES_MAX) {
        const message = `The bundle has ${bytes} bytes, the limit is ${BUNDLE_BYTES_MAX}`;
        throw new EdgeError("BUNDLE_TOO_LARGE", message);
      }
      const known = passed.get(input);
      if (known !== null) return { start: known, checkMs: 0, snapshotMs: 0 };
      const result = await turns.take(async () =>
        checkNow(options, await preparePlatform(), input),
      );
      passed.add(input, result.start);
      return result;
    },
  };
}

interface PassedBundles {
  get(input: CheckInput): CheckResult["start"] | null;
  add(input: CheckInput, start: CheckResult["start"]): void;
}

/**
 * Bundles that this process has checked and whose snapshot or code cache is still whole: publishing the same code
 * with other vars or routes needs no second dry run. What may depend on those is checked each time.
 */
function rememberPassed({ basis, store }: CheckerOptions): PassedBundles {
  const passed = new Map<string, CheckResult["start"]>();
  const keyOf = ({ bundleHash, needs = [] }: CheckInput): string => [bundleHash, ...needs].join();
  return {
    get(input) {
      const start = passed.get(keyOf(input));
      if (input.format !== "script" || start === undefined) return null;
      const key = start.kind === "full" ? snapshotKey : codeCacheKey;
      return store.read(key(basis, input.bundleHash)) === null ? null : start;
    },
    add(input, start) {
      if (start.kind === "platform") return;
      if (passed.size >= PASSED_MAX) passed.clear();
      passed.set(keyOf(input), start);
    },
  };
}

async function makePlatform(options: CheckerOptions): Promise<string | null> {
  const { guest, store, jails } = options;
  const key = snapshotKey(options.basis, null);
  jails.refill();
  if (store.read(key) !== null) return key;
  const candidate = store.candidatePath();
  const job = { kind: "platform", guestCode: guest.code, candidate } as const;
  const made = await jails.run(job, { cpuMs: SNAPSHOT_CPU_MS_MAX });
  jails.refill();
  const failure = failureOf(made) ?? (await probe(options, candidate, false));
  if (failure === null) {
    store.promote(candidate, key);
    return key;
  }
  store.discard(candidate);
  return null;
}

async function checkNow(
  options: CheckerOptions,
  platform: string | null,
  input: CheckInput,
): Promise<CheckResult> {
  const { guest, jails, store } = options;
  const candidate = store.candidatePath();
  const codeCache = store.candidatePath();
  const began = performance.now();
  const dryRun: { passed: Passed | null } = { passed: null };
  input.onStage?.("check");
  try {
    const end = await jails.run(
      {
        kind: "check",
        guestCode: guest.code,
        platform: platform === null ? null : options.store.path(platform),
        format: input.format,
        code: input.code,
        env: input.env ?? "{}",
        candidate,
        codeCache,
      },
      {
        cpuMs: CHECK_CPU_MS_MAX,
        nextCpuMs: SNAPSHOT_CPU_MS_MAX,
        onStage: (report) => {
          dryRun.passed = { at: performance.now(), ...report.dryRun };
          if (!report.dryRun.isQuick) input.onStage?.("snapshot");
        },
      },
    );
    const { passed } = dryRun;
    if (passed === null) throw refusal(end, input);
    assertAllowed(passed.inspection, input);
    const checkMs = passed.at - began;
    const start = passed.isQuick ? QUICK : await startOf(options, end, candidate);
    if (start.kind === "full") {
      store.promote(candidate, snapshotKey(options.basis, input.bundleHash));
    } else if (passed.hasCodeCache) {
      store.promote(codeCache, codeCacheKey(options.basis, input.bundleHash));
    }
    return { start, checkMs, snapshotMs: passed.isQuick ? 0 : performance.now() - passed.at };
  } finally {
    store.discard(candidate);
    store.discard(codeCache);
    jails.refill();
  }
}

interface Passed extends DryRun {
  readonly at: number;
}

async function startOf(
  options: CheckerOptions,
  end: JailEnd,
  candidate: string,
): Promise<CheckResult["start"]> {
  const reason = snapshotFailure(end) ?? (await probe(options, candidate, true));
  return reason === null ? { kind: "full" } : { kind: "platform", reason };
}

/** Why a snapshot cannot be used, or null. */
async function probe(
  options: CheckerOptions,
  candidate: string,
  bundle: boolean,
): Promise<string | null> {
  const job = { kind: "probe", snapshot: candidate, bundle } as const;
  const failure = failureOf(await options.jails.run(job, { cpuMs: PROBE_CPU_MS_MAX }));
  return failure === null ? null : `A snapshot of the module does not load: ${failure}`;
}

function snapshotFailure(end: JailEnd): string | null {
  if (end.kind === "verdict" && end.verdict.kind === "checked") {
    return end.verdict.snapshot.made ? null : end.verdict.snapshot.reason;
  }
  return `The module cannot be snapshotted: ${failureOf(end) ?? "no answer"}`;
}

function failureOf(end: JailEnd): string | null {
  switch (end.kind) {
    case "timeout":
      return "it takes too long";
    case "starved":
      return "the machine has no time for it";
    case "memory":
      return "it takes too much memory";
    case "died":
      return `the process died (${end.how})`;
    case "verdict":
      return verdictFailure(end.verdict);
  }
}

function verdictFailure(verdict: JailVerdict): string | null {
  switch (verdict.kind) {
    case "checked":
    case "done":
      return null;
    case "timeout":
      return "it takes too long";
    case "memory":
      return "it takes too much memory";
    case "threw":
    case "failed":
    case "catastrophic":
      return verdict.message;
  }
}

function assertAllowed(inspection: Inspection, { format, needs = [] }: CheckInput): void {
  const call = inspection.io[0];
  if (call !== undefined) throw topLevelIo(call);
  const missing = needs.find((need) => !inspection.methods.includes(need));
  if (inspection.handler === "object" && missing !== undefined) throw methodMissing(missing);
  if (inspection.handler !== "none") return;
  // A top-level await on something that only I/O could settle ends the load without any export.
  const maybe = format === "module" ? ", or its top-level await never settles" : "";
  throw new EdgeError("NO_DEFAULT_EXPORT", `The module has no usable default export${maybe}`);
}

function methodMissing(method: HandlerNeed): EdgeError {
  const what = { scheduled: "Crons are configured", queue: "A queue is to be consumed" }[method];
  const message = `${what}, but the default export has no method ${method}`;
  return new EdgeError("HANDLER_MISSING", message, { detail: { method } });
}

function topLevelIo(call: string): EdgeError {
  const message = `The module calls ${call} while it loads`;
  return new EdgeError("TOP_LEVEL_IO", message, { detail: { call } });
}

function refusal(end: JailEnd, input: CheckInput): EdgeError {
  switch (end.kind) {
    case "timeout":
      return startupCpu();
    case "starved":
      return new EdgeError("OVERLOADED", "The machine has no time to check the module");
    case "memory":
      return startupMemory();
    case "died":
      return new EdgeError(
        "STARTUP_CRASH",
        `The module crashes the engine while it loads: ${end.how}`,
      );
    case "verdict":
      return refusalOf(end.verdict, input);
  }
}

function refusalOf(verdict: JailVerdict, input: CheckInput): EdgeError {
  switch (verdict.kind) {
    case "timeout":
      return startupCpu();
    case "memory":
      return startupMemory();
    case "catastrophic":
      return /memory|heap/i.test(verdict.message)
        ? startupMemory()
        : new EdgeError("STARTUP_CRASH", `The engine gave up: ${verdict.message}`);
    case "threw":
      return thrown(verdict, input);
    case "failed":
      if (verdict.code !== undefined) return new EdgeError(verdict.code, verdict.message);
      return new EdgeError("INTERNAL", "The check did not come to an end", { cause: verdict });
    case "checked":
    case "done":
      return new EdgeError("INTERNAL", "The check did not come to an end", { cause: verdict });
  }
}

function startupCpu(): EdgeError {
  const message = `The module's top level takes more than ${STARTUP_CPU_MS_MAX} ms of CPU time`;
  return new EdgeError("STARTUP_CPU", message, { detail: { limitMs: STARTUP_CPU_MS_MAX } });
}

function startupMemory(): EdgeError {
  const message = `The module's top level takes more than ${STARTUP_MEMORY_MB_MAX} MB of memory`;
  return new EdgeError("STARTUP_MEMORY", message, { detail: { limitMb: STARTUP_MEMORY_MB_MAX } });
}

/** What crypto.subtle rejects with while a module loads. */
const CRYPTO_REFUSED = /Cryptography works in handlers, not at top level/;

function thrown(verdict: JailVerdict & { kind: "threw" }, input: CheckInput): EdgeError {
  const call = CRYPTO_REFUSED.test(verdict.message) ? "crypto.subtle" : verdict.io[0];
  const mapper = createStackMapper(input.map ?? null);
  const place = mapper.topPosition(`${verdict.message}\n${verdict.stack}`);
  const code: Code = verdict.syntax ? "SOURCE_INVALID" : "TOP_LEVEL_THROW";
  const text = call === undefined ? describeThrown(verdict) : `${call} is called at top level`;
  const diagnostic = {
    file: place?.file ?? "",
    line: place?.line ?? 0,
    column: place?.column ?? 0,
    text,
    severity: "error",
  } as const;
  const finding = { diagnostic, lineText: "", length: 0 };
  return diagnosticsError(call === undefined ? code : "TOP_LEVEL_IO", [finding], verdict);
}

function describeThrown({ name, message }: JailVerdict & { kind: "threw" }): string {
  // isolated-vm appends the place to a SyntaxError's message; the diagnostic has it already.
  const plain = message.replace(/ \[islet:bundle:\d+:\d+\]$/, "");
  return name === "" ? `The module throws ${plain}` : `${name}: ${plain}`;
}
