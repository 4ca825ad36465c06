// Real instances for tests: the guest as it ships, author code as a module's text, a generation around it, and
// exchanges without sockets. No HTTP, no processes.

import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { buildGuest } from "../../compiler/guest.ts";
import {
  BUNDLE_FILE,
  EXPORTS_NAME,
  GUEST_FILE,
  snapshotScripts,
  wrapScript,
} from "../../compiler/script.ts";
import { WARM_UP } from "../../compiler/warm-up.ts";
import type { CallService } from "../../runtime/isolate/call.ts";
import { createCompressionCalls } from "../../runtime/isolate/compression/compression-calls.ts";
import { createGate } from "../../runtime/isolate/compression/gate.ts";
import { createCryptoCalls } from "../../runtime/isolate/crypto-calls.ts";
import { makeSnapshot, type Script } from "../../runtime/isolate/engine.ts";
import { Generation } from "../../runtime/isolate/generation.ts";
import { loadInstance, type Loaded, type Start } from "../../runtime/isolate/load.ts";
import { Counted, type Pace } from "../../runtime/isolate/slice/places.ts";
import { createSliceHost, type SliceHostHandle } from "../../runtime/isolate/slice/host.ts";
import type { Death } from "../../runtime/isolate/slice/contract.ts";
import type { HandlerEvent, Ticket, Usage } from "../../runtime/isolate/ticket.ts";
import type { Code } from "../../sdk/errors.ts";
import { resolveLimits, type LimitOverrides } from "../../sdk/limits.ts";
import type { Outcome } from "../../sdk/outcome.ts";
import type { Trust } from "../../sdk/records.ts";
import { cacheFolder } from "../platform.ts";
import { MemoryExchange, type RequestInput } from "./memory-exchange.ts";

const ENTRY: string = fileURLToPath(new URL("../../runtime/guest/boot.ts", import.meta.url));

/** Wall time and drains that no test is about: not over on a busy machine, but before the test is. */
const PATIENCE_MS = 40_000;

export type StartKind = "full" | "platform" | "bare" | "module";

export interface InstanceInput {
  /** An ES module whose default export is the handler. */
  readonly source: string;
  readonly trust?: Trust;
  readonly limits?: LimitOverrides;
  readonly start?: StartKind;
  readonly env?: string;
  readonly services?: () => readonly CallService[];
  /** Runs before every load, so that a test can refuse one. */
  readonly beforeLoad?: () => void;
  readonly drainTimeoutMs?: number;
  /** Added to the generation's clock. */
  readonly aheadMs?: () => number;
}

/** One request, from the client's and from the worker's side. */
export class Sent implements Ticket {
  readonly exchange: MemoryExchange;
  readonly event: HandlerEvent | null;
  readonly startedMs: number = performance.now();
  outcome: Outcome | null = null;
  /** Decisions about the outcome; more than one is a bug. */
  decisions = 0;
  readonly logs: string[] = [];
  readonly failures: Code[] = [];
  usage: Usage | null = null;

  constructor(input: RequestInput, event: HandlerEvent | null = null) {
    this.exchange = new MemoryExchange(input);
    this.event = event;
  }

  fail(code: Code, logged?: string): void {
    this.decisions++;
    this.failures.push(code);
    this.outcome ??= code;
    if (logged !== undefined) this.log("error", logged);
    if (this.exchange.state === "open") this.exchange.reply(500, "", code);
    else if (this.exchange.state === "streaming") this.exchange.reset();
  }

  answered(outcome: Outcome): void {
    this.decisions++;
    this.outcome ??= outcome;
  }

  used({ cpuUs, slices, burned }: Usage): void {
    this.usage = { cpuUs, slices, burned };
  }

  whenDone(listener: () => void): void {
    const { state } = this.exchange;
    if (state === "done" || state === "gone") listener();
    else this.exchange.onDone(listener);
  }

  log(level: string, text: string): void {
    this.logs.push(`${level} ${text}`);
  }

  /** The outcome, once the exchange has ended. */
  async ended(): Promise<Outcome | null> {
    await this.exchange.done;
    return this.outcome;
  }

  /** The reply's text; throws unless the handler answered. */
  async text(): Promise<string> {
    const outcome = await this.ended();
    if (outcome !== "ok") throw new Error(`${String(outcome)}: ${this.logs.join("; ")}`);
    return this.exchange.text;
  }
}

export interface Opened {
  readonly generation: Generation;
  readonly deaths: Death[];
  readonly loaded: () => Loaded | null;
  readonly loads: () => number;
  /** Resolves with the next death. */
  readonly death: () => Promise<Death>;
  readonly gone: Promise<void>;
  send(input?: RequestInput | string, event?: HandlerEvent): Sent;
  text(input?: RequestInput | string): Promise<string>;
  outcome(input?: RequestInput | string): Promise<Outcome | null>;
}

export interface Workshop {
  readonly host: SliceHostHandle;
  readonly guest: Script;
  readonly catastrophes: string[];
  open(input: InstanceInput): Opened;
  snapshot(source: string): ArrayBuffer;
  /** Ends everything that was opened. */
  close(): void;
}

export function bundleOf(source: string): string {
  return transformSync(source, { format: "iife", globalName: EXPORTS_NAME, target: "es2024" }).code;
}

export function scriptOf(source: string): Script {
  return { code: wrapScript(bundleOf(source)), filename: BUNDLE_FILE };
}

export interface WorkshopOptions {
  /** Of slices on the pool. */
  readonly places?: Readonly<Record<Pace, number>>;
  /** Another guest than the one that ships, for tests that must see a planted fault. */
  readonly guestEntry?: string;
}

export async function openWorkshop(options: WorkshopOptions = {}): Promise<Workshop> {
  const entry = options.guestEntry ?? ENTRY;
  const { code } = await buildGuest({ entry, cacheDir: cacheFolder() });
  const guest = { code, filename: GUEST_FILE };
  const platform = makeSnapshot([guest], WARM_UP);
  const { short, long } = options.places ?? { short: 2, long: 2 };
  const host = createSliceHost({ short: new Counted(short), long: new Counted(long) });
  const catastrophes: string[] = [];
  const opened: Generation[] = [];
  const expiry = setInterval(() => {
    for (const generation of opened) generation.expire(performance.now());
  }, 50);

  function snapshot(source: string): ArrayBuffer {
    return makeSnapshot(snapshotScripts(code, bundleOf(source)), WARM_UP);
  }

  /** For one load: the engine takes a snapshot's bytes over. */
  function startOf({ start = "platform", source }: InstanceInput): () => Start {
    if (start === "full") {
      const made = snapshot(source);
      return () => ({ kind: "full", snapshot: made.slice(0) });
    }
    const format = start === "module" ? "module" : "script";
    const bundle = start === "module" ? { code: source, filename: BUNDLE_FILE } : scriptOf(source);
    const codeCache = null;
    return () => {
      const under = start === "bare" ? null : platform.slice(0);
      return { kind: "platform", snapshot: under, guest, bundle, codeCache, format };
    };
  }

  function open(input: InstanceInput): Opened {
    const start = startOf(input);
    const deaths: Death[] = [];
    let waiters: ((death: Death) => void)[] = [];
    let loaded: Loaded | null = null;
    let loads = 0;
    const limits = resolveLimits({ wallMs: PATIENCE_MS, ...input.limits });
    const { promise: gone, resolve: onGone } = Promise.withResolvers<void>();
    const onDeath = (death: Death): void => {
      deaths.push(death);
      for (const waiter of waiters) waiter(death);
      waiters = [];
    };
    const generation = new Generation({
      limits,
      async load(events) {
        input.beforeLoad?.();
        loads++;
        loaded = await loadInstance({
          start,
          limits,
          trust: input.trust ?? "untrusted",
          env: input.env ?? "{}",
          host,
          services: input.services?.() ?? [
            createCryptoCalls(),
            createCompressionCalls(createGate()),
          ],
          events,
          onCatastrophic: (message) => catastrophes.push(message),
          onWedged: () => onDeath("wedged"),
        });
        return loaded;
      },
      drainTimeoutMs: input.drainTimeoutMs ?? PATIENCE_MS,
      now: () => performance.now() + (input.aheadMs?.() ?? 0),
      onGone,
      onDeath,
      onLoadError: () => undefined,
    });
    opened.push(generation);
    const send = (request: RequestInput | string = {}, event?: HandlerEvent): Sent => {
      const sent = new Sent(typeof request === "string" ? { url: request } : request, event);
      generation.accept(sent);
      return sent;
    };
    return {
      generation,
      deaths,
      loaded: () => loaded,
      loads: () => loads,
      death: () => new Promise((resolve) => waiters.push(resolve)),
      gone,
      send,
      text: (request) => send(request).text(),
      outcome: (request) => send(request).ended(),
    };
  }

  return {
    host,
    guest,
    catastrophes,
    open,
    snapshot,
    close() {
      clearInterval(expiry);
      for (const generation of opened) generation.abandon();
      host.close();
    },
  };
}

/** Serves short requests until one is answered on the accepting thread; on a busy machine that takes some. */
export async function earnInline(opened: Opened, url = "/ok"): Promise<void> {
  let inline = false;
  while (!inline) inline = await isInline(opened, url);
}

/** Whether a short request is answered within its own turn of the event loop, which the pool cannot do. */
export async function isInline(opened: Opened, url = "/ok"): Promise<boolean> {
  const sent = opened.send(url);
  await new Promise((resolve) => setImmediate(resolve));
  const answered = sent.exchange.state === "done";
  await sent.text();
  return answered;
}

/**
 * How a request ends whose code does not: cut off when its time is over, which on a busy machine may be before it has
 * used up its CPU time.
 */
export function verdictOnLoop({ usage }: Sent, cpuMs: number): Outcome {
  return (usage?.cpuUs ?? 0) >= 0.9 * cpuMs * 1_000 ? "CPU_LIMIT" : "OVERLOADED";
}

/** What its heap is once nothing runs in it: while a thread is on its way out, the figure is the one before. */
export async function heapOf({ generation }: Opened): Promise<number> {
  let bytes = 0;
  for (let before = -1; bytes === 0 || bytes !== before; bytes = generation.heapBytes()) {
    before = bytes;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return bytes;
}
