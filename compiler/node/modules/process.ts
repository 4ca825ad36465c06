// node:process as far as an isolate has one: the endpoint's variables, the clock, and what packages look at to find out
// where they are.

import { named } from "./system/named.ts";

type Listener = (...args: unknown[]) => void;

/** What the platform gives bundles (runtime/guest/boot.ts). */
declare const __islet: { workers(): { readonly env: Record<string, unknown> } };

const variables: Record<string, unknown> = __islet.workers().env;
const written: Record<string, string | undefined> = Object.create(null) as typeof written;

function read(name: string | symbol): string | undefined {
  if (typeof name === "symbol") return undefined;
  if (Object.hasOwn(written, name)) return written[name];
  const value = variables[name];
  return typeof value === "string" ? value : undefined;
}

function names(): string[] {
  const all = new Set([...Object.keys(variables), ...Object.keys(written)]);
  return [...all].filter((name) => read(name) !== undefined);
}

/** Texts among the variables and secrets; what is written is this isolate's. */
export const env: Record<string, string | undefined> = new Proxy(
  {},
  {
    get: (_, name) => read(name),
    has: (_, name) => read(name) !== undefined,
    set(_, name, value) {
      if (typeof name === "string") written[name] = String(value);
      return true;
    },
    deleteProperty(_, name) {
      if (typeof name === "string") written[name] = undefined;
      return true;
    },
    ownKeys: names,
    getOwnPropertyDescriptor(_, name) {
      const value = read(name);
      if (value === undefined) return undefined;
      return { value, writable: true, enumerable: true, configurable: true };
    },
  },
);

export function nextTick(callback: Listener, ...args: unknown[]): void {
  queueMicrotask(() => callback(...args));
}

/** Of those that the bundle asks for by literal texts; nothing else is in it. */
export function getBuiltinModule(name: string): unknown {
  const short = name.replace(/^node:/, "");
  return Object.hasOwn(named, short) ? named[short]?.() : undefined;
}

export function cwd(): string {
  return "/";
}

export function uptime(): number {
  return performance.now() / 1_000;
}

function now(): bigint {
  return BigInt(Math.round(performance.now() * 1_000)) * 1_000n;
}

interface HrTime {
  (before?: readonly [number, number]): [number, number];
  bigint(): bigint;
}

export const hrtime: HrTime = Object.assign(
  (before: readonly [number, number] = [0, 0]): [number, number] => {
    const ns = now() - BigInt(before[0]) * 1_000_000_000n - BigInt(before[1]);
    return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
  },
  { bigint: now },
);

export function emitWarning(warning: unknown): void {
  console.warn(warning instanceof Error ? `${warning.name}: ${warning.message}` : warning);
}

export function exit(): never {
  throw new Error("process.exit() does not exist in isolates.");
}

/** Nothing is ever emitted. */
export function on(): typeof globalThis {
  return globalThis;
}

export function addListener(): typeof globalThis {
  return globalThis;
}

export function off(): typeof globalThis {
  return globalThis;
}

export function once(): typeof globalThis {
  return globalThis;
}

export function removeListener(): typeof globalThis {
  return globalThis;
}

export function emit(): boolean {
  return false;
}

export function listenerCount(): number {
  return 0;
}

export function listeners(): readonly Listener[] {
  return [];
}

export function removeAllListeners(): typeof globalThis {
  return globalThis;
}

interface Output {
  readonly isTTY: boolean;
  write(text: unknown): boolean;
}

function output(print: (text: string) => void): Output {
  return {
    isTTY: false,
    write(text) {
      print(String(text).replace(/\n$/, ""));
      return true;
    },
  };
}

export const stdout: Output = output((text) => console.log(text));
export const stderr: Output = output((text) => console.error(text));
export const title = "islet";
export const platform = "linux";
export const arch = "";
export const pid = 1;
export const argv: readonly string[] = [];
export const execArgv: readonly string[] = [];
/** For packages that compare it: what of Node is here is of this line. */
export const version = "v22.0.0";
export const versions: Readonly<Record<string, string>> = { node: "22.0.0" };
export const release: Readonly<Record<string, string>> = { name: "node" };
export const features: Readonly<Record<string, boolean>> = {};
