// node:timers over the platform's; what they return is a number, as everywhere in isolates. The globals are looked at
// when they are called: node:async_hooks puts its own in their place.

export * as promises from "node:timers/promises";

type Callback = (...args: unknown[]) => void;
type Timer = unknown;

export function setTimeout(callback: Callback, ms?: number, ...args: unknown[]): Timer {
  return globalThis.setTimeout(callback, ms, ...args);
}

export function clearTimeout(timer: Timer): void {
  globalThis.clearTimeout(timer as number);
}

export function setInterval(callback: Callback, ms?: number, ...args: unknown[]): Timer {
  return globalThis.setInterval(callback, ms, ...args);
}

export function clearInterval(timer: Timer): void {
  globalThis.clearInterval(timer as number);
}

/** In a turn of its own, behind what waits already. */
export function setImmediate(callback: Callback, ...args: unknown[]): Timer {
  return globalThis.setTimeout(callback, 0, ...args);
}

export function clearImmediate(timer: Timer): void {
  globalThis.clearTimeout(timer as number);
}
