// node:util: formatting by the platform's own inspect, promises and callbacks, comparison.

import * as types from "node:util/types";

export * as types from "node:util/types";

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

export function isDeepStrictEqual(a: unknown, b: unknown): boolean {
  return areEqual(a, b, new Map());
}

function areEqual(a: unknown, b: unknown, seen: Map<unknown, unknown>): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  return haveEqualContent(a, b, seen) && haveEqualFields(a, b, seen);
}

function haveEqualContent(a: object, b: object, seen: Map<unknown, unknown>): boolean {
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof RegExp) return a.toString() === (b as RegExp).toString();
  if (a instanceof Error) {
    return a.message === (b as Error).message && a.name === (b as Error).name;
  }
  if (types.isBoxedPrimitive(a)) return Object.is(a.valueOf(), b.valueOf());
  if (a instanceof Map) return hasEqualEntries(a, b as Map<unknown, unknown>, seen);
  if (a instanceof Set) {
    const others = [...(b as Set<unknown>)];
    if (a.size !== others.length) return false;
    return [...a].every((one) => others.some((other) => areEqual(one, other, seen)));
  }
  return (
    !(a instanceof ArrayBuffer) ||
    areEqual(new Uint8Array(a), new Uint8Array(b as ArrayBuffer), seen)
  );
}

function hasEqualEntries(
  a: ReadonlyMap<unknown, unknown>,
  b: ReadonlyMap<unknown, unknown>,
  seen: Map<unknown, unknown>,
): boolean {
  if (a.size !== b.size) return false;
  const others = [...b];
  return [...a].every((entry) =>
    b.has(entry[0])
      ? areEqual(entry[1], b.get(entry[0]), seen)
      : others.some((other) => areEqual(entry, other, seen)),
  );
}

function haveEqualFields(a: object, b: object, seen: Map<unknown, unknown>): boolean {
  const fields = Object.keys(a);
  if (fields.length !== Object.keys(b).length) return false;
  return fields.every(
    (field) =>
      Object.hasOwn(b, field) && areEqual(Reflect.get(a, field), Reflect.get(b, field), seen),
  );
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
