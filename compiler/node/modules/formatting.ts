// node:util: formatting by the platform's own inspect, promises and callbacks, comparison.

import { wrongType } from "./errors.ts";

export * as types from "node:util/types";
export { isDeepStrictEqual } from "./assertions/comparison.ts";
export { parseArgs } from "./system/arguments.ts";
export { parseEnv } from "./system/environment-file.ts";
export { styleText } from "./system/styles.ts";

type Callable = (this: unknown, ...args: unknown[]) => unknown;

/** What the platform gives bundles (runtime/guest/boot.ts). */
declare const __islet: { show(value: unknown, options?: { readonly depth?: number }): string };

const custom: unique symbol = Symbol.for("nodejs.util.inspect.custom");
const promisified: unique symbol = Symbol.for("nodejs.util.promisify.custom");

interface InspectOptions {
  readonly depth?: number | null;
}

interface Inspect {
  (value: unknown, options?: InspectOptions): string;
  readonly custom: symbol;
  readonly defaultOptions: object;
}

export const inspect: Inspect = Object.assign(
  (value: unknown, options?: InspectOptions): string => {
    const shown: unknown =
      typeof value === "object" && value !== null ? Reflect.get(value, custom) : undefined;
    if (typeof shown === "function") {
      const text: unknown = Reflect.apply(shown, value, [
        options?.depth ?? 2,
        options ?? {},
        inspect,
      ]);
      return typeof text === "string" ? text : __islet.show(text);
    }
    const depth = options?.depth;
    return typeof depth === "number" ? __islet.show(value, { depth }) : __islet.show(value);
  },
  { custom, defaultOptions: {} },
);

export function format(...args: unknown[]): string {
  const [first, ...rest] = args;
  if (typeof first !== "string") return args.map(plain).join(" ");
  let at = 0;
  const text = first.replace(/%[sdifjoOc%]/g, (form) => {
    if (form === "%%") return "%";
    if (at >= rest.length) return form;
    return formatted(form, rest[at++]);
  });
  return [text, ...rest.slice(at).map(plain)].join(" ");
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : inspect(value);
}

function formatted(form: string, value: unknown): string {
  switch (form) {
    case "%s":
      return typeof value === "object" ? inspect(value, { depth: 0 }) : plain(value);
    case "%d":
      return typeof value === "bigint" ? `${value}n` : String(Number(value));
    case "%i":
      return String(Number.parseInt(String(value), 10));
    case "%f":
      return String(Number.parseFloat(String(value)));
    case "%j":
      return JSON.stringify(value);
    case "%c":
      return "";
    default:
      return inspect(value);
  }
}

export function formatWithOptions(_options: unknown, ...args: unknown[]): string {
  return format(...args);
}

export function inherits(child: Callable, parent: Callable): void {
  Object.defineProperty(child, "super_", { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(child.prototype as object, parent.prototype as object);
}

interface Promisify {
  (run: Callable): (...args: unknown[]) => Promise<unknown>;
  readonly custom: symbol;
}

export const promisify: Promisify = Object.assign(
  (run: Callable): ((...args: unknown[]) => Promise<unknown>) => {
    const own: unknown = Reflect.get(run, promisified);
    if (typeof own === "function") return own as (...args: unknown[]) => Promise<unknown>;
    return function (this: unknown, ...args: unknown[]): Promise<unknown> {
      return new Promise((resolve, reject) => {
        const done = (error: unknown, value: unknown): void => {
          if (error === null || error === undefined) resolve(value);
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- what the callback was given.
          else reject(error);
        };
        Reflect.apply(run, this, [...args, done]);
      });
    };
  },
  { custom: promisified },
);

export function callbackify(run: (...args: unknown[]) => Promise<unknown>): Callable {
  return function (this: unknown, ...args: unknown[]): void {
    const done = args.pop() as Callable;
    void settle(() => Reflect.apply(run, this, args), done);
  };
}

async function settle(run: () => Promise<unknown>, done: Callable): Promise<void> {
  let args: readonly unknown[];
  try {
    args = [null, await run()];
  } catch (error) {
    args = [error];
  }
  // What it throws is its own, and no rejection.
  queueMicrotask(() => void done(...args));
}

/** Resolves when the signal aborts. */
export async function aborted(signal: unknown, resource: unknown): Promise<void> {
  if (!(signal instanceof AbortSignal)) {
    throw wrongType("signal", "an instance of AbortSignal", signal);
  }
  if (typeof resource !== "object" || resource === null) {
    throw wrongType("resource", "an instance of Object", resource);
  }
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** Warns once. */
export function deprecate(run: Callable, message: string): Callable {
  let warned = false;
  return function (this: unknown, ...args: unknown[]): unknown {
    if (!warned) console.warn(`DeprecationWarning: ${message}`);
    warned = true;
    return Reflect.apply(run, this, args);
  };
}

/** Never enabled: there is no NODE_DEBUG. */
export function debuglog(): Callable & { readonly enabled: boolean } {
  return Object.assign((): void => undefined, { enabled: false });
}

export function debug(): Callable & { readonly enabled: boolean } {
  return debuglog();
}

export function stripVTControlCharacters(text: string): string {
  return text.replace(/\u001B\[[0-9;]*[A-Za-z]/g, "");
}

export function toUSVString(text: string): string {
  return text.toWellFormed();
}

export const isArray: typeof Array.isArray = Array.isArray;
export const TextDecoder: typeof globalThis.TextDecoder = globalThis.TextDecoder;
export const TextEncoder: typeof globalThis.TextEncoder = globalThis.TextEncoder;
