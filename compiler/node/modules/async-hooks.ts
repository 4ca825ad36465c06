// node:async_hooks for isolates. V8 tells nobody which promise jobs belong together, so the context goes with
// callbacks: whoever hands one to a promise, a timer or a stream gives it the context of that moment. `async`
// functions of a bundle that has this module are lowered to such callbacks, since `await` cannot be followed.
//
// Nothing of it is there in bundles that do not import it. A callback's context ends with the callback: between two
// turns there is none (decisions/036-contexts.md).

import { AsyncResource as PlainResource } from "./no-context.ts";

type Context = ReadonlyMap<object, unknown> | undefined;
type Callable = (this: unknown, ...args: unknown[]) => unknown;

const apply = Reflect.apply;
const nativeThen = Reflect.get(Promise.prototype, "then") as Callable;
let current: Context;

function within(context: Context, run: Callable, self: unknown, args: readonly unknown[]): unknown {
  const before = current;
  current = context;
  try {
    return apply(run, self, args);
  } finally {
    current = before;
  }
}

function bound<T>(callback: T): T {
  const context = current;
  if (context === undefined || typeof callback !== "function") return callback;
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    return within(context, callback as unknown as Callable, this, args);
  };
  return wrapped as unknown as T;
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

define(Promise.prototype, "then", function then(this: unknown, onValue: unknown, onError: unknown) {
  return apply(nativeThen, this, [bound(onValue), bound(onError)]) as unknown;
});

for (const name of ["setTimeout", "setInterval", "queueMicrotask", "setImmediate"] as const) {
  const native = Reflect.get(globalThis, name) as Callable | undefined;
  if (typeof native !== "function") continue;
  define(globalThis, name, (callback: unknown, ...rest: unknown[]) =>
    native(bound(callback), ...rest),
  );
}

/** The callbacks of a stream are asked for long after it was made. */
function boundMembers(source: unknown): unknown {
  if (current === undefined || typeof source !== "object" || source === null) return source;
  const context = current;
  return new Proxy(source, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => within(context, value as Callable, target, args);
    },
  });
}

for (const name of ["ReadableStream", "WritableStream", "TransformStream"] as const) {
  define(
    globalThis,
    name,
    new Proxy(globalThis[name], {
      construct: (target, [source, ...rest]: unknown[], made) =>
        Reflect.construct(target, [boundMembers(source), ...rest], made) as object,
    }),
  );
}

function changed(key: object, value: unknown): Context {
  const next = new Map(current);
  next.set(key, value);
  return next;
}

interface StorageOptions {
  readonly defaultValue?: unknown;
  readonly name?: string;
}

export class AsyncLocalStorage {
  readonly name: string;
  readonly #default: unknown;

  constructor({ defaultValue, name = "" }: StorageOptions = {}) {
    this.#default = defaultValue;
    this.name = name;
  }

  static bind<T>(callback: T): T {
    return AsyncResource.bind(callback);
  }

  static snapshot(): (run: Callable, ...args: unknown[]) => unknown {
    const context = current;
    return (run, ...args) => within(context, run, undefined, args);
  }

  getStore(): unknown {
    return current?.has(this) === true ? current.get(this) : this.#default;
  }

  run(store: unknown, run: Callable, ...args: unknown[]): unknown {
    return within(changed(this, store), run, undefined, args);
  }

  exit(run: Callable, ...args: unknown[]): unknown {
    return within(changed(this, undefined), run, undefined, args);
  }

  /** For the rest of this callback, and what follows from it. */
  enterWith(store: unknown): void {
    if (current === undefined) {
      // No callback's end would take it back.
      void apply(nativeThen, Promise.resolve(), [() => void (current = undefined)]);
    }
    current = changed(this, store);
  }

  disable(): void {
    if (current?.has(this) === true) current = changed(this, this.#default);
  }
}

export class AsyncResource extends PlainResource {
  readonly type: string;
  readonly #context: Context = current;

  constructor(type: string) {
    super();
    this.type = type;
  }

  static override bind<T>(callback: T): T {
    const context = current;
    const wrapped = function (this: unknown, ...args: unknown[]): unknown {
      return within(context, callback as unknown as Callable, this, args);
    };
    return wrapped as unknown as T;
  }

  bind<T>(callback: T): T {
    const run = (...args: unknown[]): unknown =>
      within(this.#context, callback as unknown as Callable, undefined, args);
    return run as unknown as T;
  }

  override runInAsyncScope(run: Callable, self?: unknown, ...args: unknown[]): unknown {
    return within(this.#context, run, self, args);
  }
}

export function executionAsyncId(): number {
  return 0;
}

export function triggerAsyncId(): number {
  return 0;
}

export function executionAsyncResource(): object {
  return {};
}

/** Promises are not seen one by one: hooks are never called. */
export function createHook(): { enable(): unknown; disable(): unknown } {
  const hook = { enable: () => hook, disable: () => hook };
  return hook;
}
