// Timers are kept here and counted by the host: it learns an id and a delay, and reports the id when due.

import { LIMITS } from "../../sdk/limits.ts";
import { QuotaExceededError } from "./dom-exception.ts";
import type { Port } from "./port.ts";
import { reportException } from "./report.ts";

/** HTML's clamp: from this nesting level on a timer waits at least NESTED_MS_MIN, so that chains cannot spin. */
const NESTING_CLAMPED = 5;
const NESTED_MS_MIN = 4;
const DELAY_MS_MAX = 0x7fff_ffff;

interface Timer {
  readonly run: (...args: unknown[]) => unknown;
  readonly args: readonly unknown[];
  readonly ms: number;
  readonly repeat: boolean;
  /** Set by the platform: clearTimeout does not reach it. */
  readonly internal: boolean;
  readonly nesting: number;
}

const apply = Reflect.apply;
const timers = new Map<number, Timer>();
// Bound at import: an author's Map.prototype must not get hold of the map.
const findTimer = timers.get.bind(timers);
const keepTimer = timers.set.bind(timers);
const dropTimer = timers.delete.bind(timers);
const eachTimer = timers.forEach.bind(timers);
let count = 0;
let lastId = 0;
/** Nesting level of the timer that is running now. */
let nesting = 0;
let port: Port | null = null;

export function thawTimers(thawed: Port): void {
  port = thawed;
  // What top-level code set while a snapshot was made starts now.
  eachTimer((timer, id) => thawed.setTimer(id, timer.ms));
}

function start(timer: Timer): number {
  const timersMax = port === null ? LIMITS.timers.default : port.timersMax;
  if (count >= timersMax) {
    throw new QuotaExceededError(`More than ${timersMax} timers at once`);
  }
  lastId++;
  keepTimer(lastId, timer);
  count++;
  port?.setTimer(lastId, timer.ms);
  return lastId;
}

function stop(id: number): void {
  if (!dropTimer(id)) return;
  count--;
  port?.clearTimer(id);
}

/** The host reports a timer as due. */
export function fireTimer(id: number): void {
  const timer = findTimer(id);
  if (timer === undefined) return;
  const again = timer.repeat;
  if (!again) {
    dropTimer(id);
    count--;
  }
  const outer = nesting;
  nesting = timer.nesting;
  try {
    apply(timer.run, globalThis, timer.args);
  } catch (error) {
    reportException(error);
  } finally {
    nesting = outer;
  }
  if (!again || findTimer(id) !== timer) return;
  const next = timer.nesting + 1;
  const ms = clamp(timer.ms, next);
  keepTimer(id, { ...timer, ms, nesting: next });
  port?.setTimer(id, ms);
}

function clamp(ms: number, level: number): number {
  return level > NESTING_CLAMPED && ms < NESTED_MS_MIN ? NESTED_MS_MIN : ms;
}

function parseDelay(delay: unknown): number {
  const ms = Math.trunc(Number(delay));
  // Out of range is 0 in browsers (a 32-bit wrap) and 1 in Node: soon, in any case.
  return ms > 0 && ms <= DELAY_MS_MAX ? ms : 0;
}

function schedule(
  handler: unknown,
  delay: unknown,
  args: readonly unknown[],
  repeat: boolean,
): number {
  if (typeof handler !== "function") {
    throw new TypeError("A timer's handler must be a function; code in strings is not run here");
  }
  const level = nesting + 1;
  const ms = clamp(parseDelay(delay), level);
  const run = handler as Timer["run"];
  return start({ run, args, ms, repeat, internal: false, nesting: level });
}

export function setTimeout(handler: unknown, delay?: unknown, ...args: unknown[]): number {
  return schedule(handler, delay, args, false);
}

export function setInterval(handler: unknown, delay?: unknown, ...args: unknown[]): number {
  return schedule(handler, delay, args, true);
}

export function clearTimeout(id?: unknown): void {
  const key = Number(id) | 0;
  if (findTimer(key)?.internal === false) stop(key);
}

export function clearInterval(id?: unknown): void {
  clearTimeout(id);
}

/** For the platform: a timer that author code can neither see nor clear. */
export function startTimer(run: () => void, ms: number): number {
  return start({ run, args: [], ms, repeat: false, internal: true, nesting: 0 });
}

export function stopTimer(id: number): void {
  stop(id);
}

// `await` is the one way to the microtask queue that no patched Promise can observe.
async function runLater(callback: () => unknown): Promise<void> {
  const nothing: unknown = undefined;
  await nothing;
  try {
    callback();
  } catch (error) {
    reportException(error);
  }
}

export function queueMicrotask(callback: unknown): void {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask requires a function");
  void runLater(callback as () => unknown);
}
