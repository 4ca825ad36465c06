// WebAssembly within the isolate's limits.
//
// Memory: the engine counts none of it, and code can grow a memory by an opcode that nobody sees. So every memory
// is made here, with a maximum that was reserved for it (reserved.ts); modules are changed so that they import the
// one they would define (wasm-binary.ts). Modules are counted too.
//
// Time: V8 finishes `compile` and `instantiate` in tasks of its own, outside of any slice. They compile within the
// slice instead: its time-out then covers them and what follows, and nothing of the engine's is ever under way
// between two slices. Stacks that suspend are taken away: they are memory, and run where V8 likes.

import { bytesOfShared } from "./buffer-source.ts";
import { reserving, roomToGrow } from "./reserved.ts";
import { replaceStreaming } from "./wasm-streaming.ts";
import {
  MEMORY_FIELD,
  MEMORY_MODULE,
  openMemory,
  type Binary,
  type MemoryType,
} from "./wasm-binary.ts";

const PAGE_BYTES: number = 64 * 1024;
/** Of a module's size, for its machine code and the bytes themselves. */
const MODULE_FACTOR = 4;

const REMOVED: readonly string[] = ["promising", "Suspending", "SuspendError"];

const apply = Reflect.apply;
const construct = Reflect.construct;
const define = Reflect.defineProperty;
const deleteProperty = Reflect.deleteProperty;
const descriptorOf = Reflect.getOwnPropertyDescriptor;
const ownKeys = Reflect.ownKeys;
const prototypeOf = Reflect.getPrototypeOf;
const setPrototype = Reflect.setPrototypeOf;
const create = Object.create as (prototype: object | null) => object;
const NativeArrayBuffer = ArrayBuffer;
const NativeUint8Array = Uint8Array;
const NativeBigInt = BigInt;
const NativeBoolean = Boolean;
const NativeNumber = Number;
const truncate = Math.trunc;
const UINT32_MAX = 2 ** 32 - 1;
const UINT64_MAX = 2 ** 64;
const { set } = Uint8Array.prototype;
const viewLength = descriptorOf(
  Reflect.getPrototypeOf(Uint8Array.prototype) as object,
  "byteLength",
)?.get as (this: unknown) => number;

/** Of each module: the kind of memory that it wants, null for none. */
const memories = new WeakMap<object, MemoryType | null>();
const memoryOf = memories.get.bind(memories);
const keepMemory = memories.set.bind(memories);

type Constructor = new (...args: never[]) => object;

interface Native {
  readonly Module: Constructor;
  readonly Instance: Constructor;
  readonly Memory: Constructor;
  readonly CompileError: new (message: string) => Error;
}

interface MemoryDescriptor {
  readonly address?: unknown;
  readonly initial?: unknown;
  readonly maximum?: unknown;
  readonly minimum?: unknown;
  readonly shared?: unknown;
}

/** Once, in each isolate: V8 adds WebAssembly to a context only after a snapshot was loaded. */
export function replaceWebAssembly(): void {
  const wasm = descriptorOf(globalThis, "WebAssembly")?.value as object | undefined;
  if (wasm === undefined) return;
  const native: Native = {
    Module: valueOf(wasm, "Module"),
    Instance: valueOf(wasm, "Instance"),
    Memory: valueOf(wasm, "Memory"),
    CompileError: valueOf(wasm, "CompileError"),
  };
  const constructors = wrap(native);
  replaceConstructor(wasm, "Module", native.Module, constructors.Module);
  replaceConstructor(wasm, "Instance", native.Instance, constructors.Instance);
  replaceConstructor(wasm, "Memory", native.Memory, constructors.Memory);
  replaceImports(native.Module, constructors.Module);
  replaceCompiling(wasm, native);
  for (let i = 0; i < REMOVED.length; i++) deleteProperty(wasm, REMOVED[i] as string);
}

function valueOf<T>(target: object, name: string): T {
  return descriptorOf(target, name)?.value as T;
}

function wrap(native: Native): Readonly<Record<"Module" | "Instance" | "Memory", object>> {
  return {
    Module: function (bytes: unknown): object {
      return createModule(native, bytes, constructing(new.target, "Module"));
    },
    Instance: function (module: unknown, imports?: unknown): object {
      return createInstance(native, { module, imports }, constructing(new.target, "Instance"));
    },
    Memory: function (descriptor: unknown): object {
      return createMemory(native, descriptor, constructing(new.target, "Memory"));
    },
  };
}

function constructing(newTarget: unknown, name: string): NewableFunction {
  if (newTarget !== undefined) return newTarget as NewableFunction;
  throw new TypeError(`WebAssembly.${name} must be invoked with 'new'`);
}

/** `object.constructor` leads to the replacement too: nothing leads to the engine's own. */
function replaceConstructor(wasm: object, name: string, native: Constructor, made: object): void {
  const keys = ownKeys(native);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string | symbol;
    define(made, key, descriptorOf(native, key) as PropertyDescriptor);
  }
  setPrototype(made, prototypeOf(native));
  const hidden = { value: made, writable: true, enumerable: false, configurable: true };
  define(native.prototype as object, "constructor", hidden);
  define(wasm, name, hidden);
}

/** Does not tell of the memory that a module was made to import. It is the last one. */
function replaceImports(native: Constructor, made: object): void {
  const importsOf = valueOf<(module: unknown) => unknown[]>(native, "imports");
  const members = {
    imports(module: object): unknown[] {
      const list = apply(importsOf, native, [module]);
      if (memoryOf(module) !== null) list.length--;
      return list;
    },
  };
  define(made, "imports", { ...descriptorOf(native, "imports"), value: members.imports });
}

function replaceCompiling(wasm: object, native: Native): void {
  const { Module, Instance } = native;
  const members = {
    async compile(bytes: unknown): Promise<object> {
      return createModule(native, bytes, Module);
    },
    async instantiate(source: unknown, imports: unknown = undefined): Promise<object> {
      if (typeof source === "object" && source !== null && memoryOf(source) !== undefined) {
        return createInstance(native, { module: source, imports }, Instance);
      }
      const module = createModule(native, source, Module);
      // The standard's: imports are looked at once the module is compiled, in a later turn.
      // oxlint-disable-next-line typescript/await-thenable -- one turn of the promise jobs.
      await undefined;
      return { module, instance: createInstance(native, { module, imports }, Instance) };
    },
  };
  const shown = { writable: true, enumerable: true, configurable: true };
  define(wasm, "compile", { ...shown, value: members.compile });
  define(wasm, "instantiate", { ...shown, value: members.instantiate });
  replaceStreaming(wasm, (bytes) => createModule(native, bytes, Module), members.instantiate);
}

function createModule(native: Native, source: unknown, newTarget: NewableFunction): object {
  const binary = copyOf(source);
  const { opened, memory } = open(native, binary);
  const module = reserving(opened.length * MODULE_FACTOR, "WebAssembly modules", () => {
    const bytes = new NativeUint8Array(opened.buffer, 0, opened.length);
    return construct(native.Module, [bytes], newTarget) as object;
  });
  keepMemory(module, memory);
  return module;
}

/** Of our own from here on: nobody else may change it between two looks. */
function copyOf(source: unknown): Binary {
  const bytes = bytesOfShared(source);
  if (bytes === null)
    throw new TypeError("WebAssembly.Module(): Argument 0 must be a buffer source");
  const length = apply(viewLength, bytes, []);
  const buffer = new NativeArrayBuffer(length);
  apply(set, new NativeUint8Array(buffer), [bytes]);
  return { buffer, length };
}

function open(native: Native, binary: Binary): ReturnType<typeof openMemory> {
  try {
    return openMemory(binary);
  } catch (error) {
    // Most likely V8 does not take it either, and tells better what is wrong.
    construct(native.Module, [binary.buffer]);
    throw new native.CompileError(`WebAssembly.Module(): ${(error as SyntaxError).message}`);
  }
}

function createInstance(
  native: Native,
  { module, imports }: { readonly module: unknown; readonly imports: unknown },
  newTarget: NewableFunction,
): object {
  const known = typeof module === "object" && module !== null ? memoryOf(module) : undefined;
  if (known === undefined) {
    throw new TypeError("WebAssembly.Instance(): Argument 0 must be a WebAssembly.Module");
  }
  if (known === null) return construct(native.Instance, [module, imports], newTarget) as object;
  if (imports !== undefined && (typeof imports !== "object" || imports === null)) {
    throw new TypeError("WebAssembly.Instance(): Argument 1 must be an object");
  }
  const all = create(imports ?? null);
  const memory = reserveMemory(native, known, native.Memory);
  define(all, MEMORY_MODULE, { value: { __proto__: null, [MEMORY_FIELD]: memory } });
  return construct(native.Instance, [module, all], newTarget) as object;
}

function createMemory(native: Native, descriptor: unknown, newTarget: NewableFunction): object {
  if (typeof descriptor !== "object" || descriptor === null) {
    throw new TypeError("WebAssembly.Memory(): Argument 0 must be a memory descriptor");
  }
  // Each property is read once, in Web IDL's order, and becomes a primitive that cannot change any more.
  const given = descriptor as MemoryDescriptor;
  const { address } = given;
  const kind = address === undefined ? "i32" : `${address as string}`;
  const wide = kind === "i64";
  const initial = pagesOf(given.initial, wide);
  const maximum = pagesOf(given.maximum, wide);
  const minimum = pagesOf(given.minimum, wide);
  const { shared } = given;
  const min = initial ?? minimum;
  if (min === null) throw new TypeError("WebAssembly.Memory(): 'initial' is required");
  const max = maximum ?? Infinity;
  if (min > max) throw new RangeError("WebAssembly.Memory(): 'maximum' is below 'initial'");
  const plain = { min, max, shared: NativeBoolean(shared), wide };
  const wrong = kind !== "i32" && !wide;
  if (wrong || (plain.shared && max === Infinity)) {
    throw new TypeError("WebAssembly.Memory(): The descriptor is not that of a memory");
  }
  return reserveMemory(native, plain, newTarget);
}

/** Web IDL's `[EnforceRange] unsigned long`; null when it is not given. */
function pagesOf(value: unknown, wide: boolean): number | null {
  if (value === undefined) return null;
  const pages = wide ? NativeNumber(NativeBigInt(value as bigint)) : truncate(+(value as number));
  if (pages >= 0 && pages <= (wide ? UINT64_MAX : UINT32_MAX)) return pages;
  throw new TypeError("WebAssembly.Memory(): a number of pages is out of range");
}

function reserveMemory(native: Native, type: MemoryType, newTarget: NewableFunction): object {
  const { min, max, shared, wide } = type;
  const room = (roomToGrow(min * PAGE_BYTES, max * PAGE_BYTES) / PAGE_BYTES) >>> 0;
  const most = room > min ? room : min;
  return reserving(most * PAGE_BYTES, "WebAssembly memories", () => {
    const limits = wide
      ? { initial: NativeBigInt(min), maximum: NativeBigInt(most), address: "i64" }
      : { initial: min, maximum: most };
    return construct(native.Memory, [{ __proto__: null, ...limits, shared }], newTarget) as object;
  });
}
