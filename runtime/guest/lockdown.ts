// Takes away what would let author code make code from strings, stop its thread, read the machine's clock, or
// run outside a slice, where no limit applies. `lockdown` runs while the guest script is evaluated, before any
// author code; `thawLockdown` does the rest in each isolate, for what V8 adds to a context only after a snapshot
// was loaded (WebAssembly, SharedArrayBuffer, Float16Array and others: a context from a snapshot ends up with
// exactly what a fresh one has, so nothing needs to be restored).
//
// What runs outside slices, found by experiment: V8 finishes WebAssembly.compile and instantiate, and resolves
// Atomics.waitAsync, in tasks of its own; promise jobs of the author then run with no time-out, and a loop there
// holds the isolate for good. FinalizationRegistry's callbacks are such tasks too. So compiling is done within
// the slice (wasm.ts), waiting is refused, and registries take objects but never call back, which the language allows.
// WeakRef stays: it starts no work; that it shows when garbage was collected is accepted. SharedArrayBuffer
// stays: with one thread to an isolate and no way to share, it is memory like any other.
//
// What thaws runs after the author's top level where a snapshot holds that: it uses no iterator, array method or global
// that could have been replaced by then.

import { hideEngineClock } from "./clock.ts";
import { countArrayBuffers, countSharedArrayBuffers } from "./growable.ts";
import { exposeInterface } from "./interface.ts";
import { thawReserved } from "./reserved.ts";
import { replaceWebAssembly } from "./wasm.ts";

const define = Reflect.defineProperty;
const descriptorOf = Reflect.getOwnPropertyDescriptor;
const prototypeOf = Reflect.getPrototypeOf;
const setPrototype = Reflect.setPrototypeOf;
const symbolKey = Symbol.keyFor;

function hide(target: object, name: string | symbol, value: unknown): void {
  define(target, name, { value, writable: true, enumerable: false, configurable: true });
}

function valueOf(target: object, name: string): unknown {
  return descriptorOf(target, name)?.value;
}

function refuseCode(): never {
  throw new EvalError("Code generation from strings is not allowed here");
}

/** The four prototypes whose `constructor` turns text into functions. */
const FUNCTION_KINDS: readonly { readonly name: string; readonly prototype: object }[] = [
  { name: "Function", prototype: Function.prototype },
  { name: "AsyncFunction", prototype: prototypeOf(async () => undefined) as object },
  { name: "GeneratorFunction", prototype: prototypeOf(function* () {}) as object },
  { name: "AsyncGeneratorFunction", prototype: prototypeOf(async function* () {}) as object },
];

function replaceFunctionConstructors(): void {
  let base: object | null = null;
  for (const { name, prototype } of FUNCTION_KINDS) {
    // A function, not a class: both Function("…") and new Function("…") must throw the same.
    const replacement = function (_code: unknown): never {
      return refuseCode();
    };
    define(replacement, "name", { value: name, configurable: true });
    define(replacement, "prototype", { value: prototype, writable: false });
    // The other three inherit from Function: the engine's own must not be left there.
    if (base === null) base = replacement;
    else setPrototype(replacement, base);
    // Keeps the attributes that the engine gave: writable for Function, not for the others.
    const writable = descriptorOf(prototype, "constructor")?.writable === true;
    define(prototype, "constructor", {
      value: replacement,
      writable,
      enumerable: false,
      configurable: true,
    });
  }
  hide(globalThis, "Function", base);
  const members = {
    eval(_code: unknown): never {
      return refuseCode();
    },
  };
  hide(globalThis, "eval", members.eval);
}

function replaceWaiting(): void {
  const atomics = valueOf(globalThis, "Atomics");
  if (typeof atomics !== "object" || atomics === null) return;
  const members = {
    wait(_array: unknown, _index: unknown, _value: unknown, _timeout: unknown): never {
      throw new TypeError("Atomics.wait cannot be called in this context");
    },
    waitAsync(_array: unknown, _index: unknown, _value: unknown, _timeout: unknown): never {
      throw new TypeError("Atomics.waitAsync cannot be called in this context");
    },
  };
  hide(atomics, "wait", members.wait);
  hide(atomics, "waitAsync", members.waitAsync);
}

function isWeakKey(value: unknown): boolean {
  if (typeof value === "symbol") return symbolKey(value) === undefined;
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** Accepts what the engine's accepts; its callback never runs. */
class FinalizationRegistry {
  readonly #brand = true;

  constructor(cleanup: unknown) {
    if (typeof cleanup !== "function") throw new TypeError("The cleanup must be a function");
  }

  register(target: unknown, held: unknown, _token?: unknown): void {
    const valid = this.#brand && isWeakKey(target) && target !== held;
    if (!valid) throw new TypeError("Invalid target of FinalizationRegistry.register");
  }

  unregister(token: unknown): boolean {
    const valid = this.#brand && isWeakKey(token);
    if (!valid) throw new TypeError("Invalid token of FinalizationRegistry.unregister");
    return false;
  }
}
exposeInterface(FinalizationRegistry, "FinalizationRegistry");

export function lockdown(): void {
  replaceFunctionConstructors();
  hideEngineClock();
  replaceWaiting();
  hide(globalThis, "FinalizationRegistry", FinalizationRegistry);
  countArrayBuffers();
}

/** `memoryBytes`: the isolate's limit. */
export function thawLockdown(memoryBytes: number): void {
  thawReserved(memoryBytes);
  countSharedArrayBuffers();
  replaceWebAssembly();
}
