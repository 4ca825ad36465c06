// Stands in for vitest inside an isolate, where vitest itself cannot run: what suites of packages import from it, and
// `run` for the handler around them. What is missing here shows as a failure of the tool, not of the isolate.

import { expect } from "./expect.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from "./registry.ts";
import { clearAllMocks, fn, isSpy, resetAllMocks, restoreAllMocks, spyOn } from "./spies.ts";

export { failureOf, run, type Ran } from "./registry.ts";
export { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it };
export const test: typeof it = it;
export const suite: typeof describe = describe;

interface Anything {
  (): Anything;
  readonly [name: string]: Anything;
}

/** Types are checked elsewhere. */
export const expectTypeOf = (): Anything => {
  const anything: Anything = new Proxy((() => anything) as Anything, { get: () => anything });
  return anything;
};
export const assertType = (): void => {};

interface Assert {
  (value: unknown, message?: string): void;
  readonly fail: (message: string) => void;
}

const check = (value: unknown, message = "assertion failed"): void => {
  if (!value) throw new Error(message);
};
export const assert: Assert = Object.assign(check, {
  fail: (message: string) => check(false, message),
});

const undo: (() => void)[] = [];
const undoEnv: (() => void)[] = [];
const RealDate = Date;

function unstub(list: (() => void)[]): void {
  for (const each of list.splice(0).toReversed()) each();
}

interface Vi {
  readonly fn: typeof fn;
  readonly spyOn: typeof spyOn;
  readonly isMockFunction: typeof isSpy;
  readonly clearAllMocks: () => void;
  readonly resetAllMocks: () => void;
  readonly restoreAllMocks: () => void;
  readonly mocked: (value: unknown) => unknown;
  readonly resetModules: () => void;
  readonly stubGlobal: (name: string, value: unknown) => void;
  readonly unstubAllGlobals: () => void;
  readonly stubEnv: (name: string, value: string) => void;
  readonly unstubAllEnvs: () => void;
  readonly useFakeTimers: () => Vi;
  readonly setSystemTime: (time: Date | number) => void;
  readonly useRealTimers: () => Vi;
}

export const vi: Vi = {
  fn,
  spyOn,
  isMockFunction: isSpy,
  clearAllMocks,
  resetAllMocks,
  restoreAllMocks,
  mocked: (value: unknown): unknown => value,
  /** Modules are bundled: they cannot be loaded anew. */
  resetModules: (): void => {},
  stubGlobal(name: string, value: unknown): void {
    const own = Object.getOwnPropertyDescriptor(globalThis, name);
    undo.push(() => {
      if (own === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, own);
    });
    const stub = { value, configurable: true, writable: true, enumerable: true };
    Object.defineProperty(globalThis, name, stub);
  },
  unstubAllGlobals: () => unstub(undo),
  stubEnv(name: string, value: string): void {
    const { env } = process;
    const was = env[name];
    undoEnv.push(() => {
      if (was === undefined) Reflect.deleteProperty(env, name);
      else env[name] = was;
    });
    env[name] = value;
  },
  unstubAllEnvs: () => unstub(undoEnv),
  /** The date alone: no suite here moves timers. */
  useFakeTimers: (): Vi => vi,
  setSystemTime(time: Date | number): void {
    const ms = Number(time);
    globalThis.Date = class extends RealDate {
      constructor(...args: readonly unknown[]) {
        super(...((args.length === 0 ? [ms] : args) as [number]));
      }

      static override now(): number {
        return ms;
      }
    } as DateConstructor;
  },
  useRealTimers(): Vi {
    globalThis.Date = RealDate;
    return vi;
  },
};

/** Suites may be set to find these without an import. */
Object.assign(globalThis, { afterAll, afterEach, assert, assertType, beforeAll, beforeEach });
Object.assign(globalThis, { describe, expect, expectTypeOf, it, suite, test, vi });
