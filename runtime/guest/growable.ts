// Buffers that can grow (`maxByteLength`) do not pass the engine's allocator, which keeps an isolate to its memory:
// they reserve their most (reserved.ts). All else goes to the engine's own constructors.

import { adopt, reserving } from "./reserved.ts";

const apply = Reflect.apply;
const construct = Reflect.construct;
const define = Reflect.defineProperty;
const descriptorOf = Reflect.getOwnPropertyDescriptor;

const NativeArrayBuffer = ArrayBuffer;
type Transfer = (this: ArrayBuffer, length?: unknown) => ArrayBuffer;
const { transfer } = ArrayBuffer.prototype as unknown as { readonly transfer: Transfer };
const maxLengthOf = descriptorOf(ArrayBuffer.prototype, "maxByteLength")?.get as (
  this: ArrayBuffer,
) => number;
const isResizable = descriptorOf(ArrayBuffer.prototype, "resizable")?.get as (
  this: ArrayBuffer,
) => boolean;

const ownKeys = Reflect.ownKeys;
const WHAT = "Buffers with a maxByteLength";

interface BufferConstructor {
  new (length: unknown, options?: { readonly maxByteLength: number }): object;
  readonly prototype: object;
}

/** Of the constructor's second argument, read once; undefined when the buffer keeps its length. */
function maxLength(options: unknown): number | undefined {
  if (typeof options !== "object" || options === null) return undefined;
  const { maxByteLength } = options as { readonly maxByteLength?: unknown };
  // What is no length is for the engine to refuse.
  return maxByteLength === undefined ? undefined : +(maxByteLength as number);
}

function create(
  native: BufferConstructor,
  length: unknown,
  options: unknown,
  newTarget: NewableFunction,
): object {
  const bytes = +(length as number);
  const maxByteLength = maxLength(options);
  if (maxByteLength === undefined) return construct(native, [bytes], newTarget) as object;
  const make = (): object =>
    construct(native, [bytes, { __proto__: null, maxByteLength }], newTarget) as object;
  return maxByteLength > 0 ? reserving(maxByteLength, WHAT, make) : make();
}

/** The constructor that authors get; `buffer.constructor` is the same. */
function counted(native: BufferConstructor, name: string): void {
  const wrapper = function (this: unknown, length: unknown, options?: unknown): object {
    if (new.target === undefined) throw new TypeError(`Constructor ${name} requires 'new'`);
    // Nearly all of them: as quick as without this function.
    if (options === undefined && new.target === wrapper) return new native(length);
    return create(native, length, options, new.target as unknown as NewableFunction);
  };
  const keys = ownKeys(native);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string | symbol;
    define(wrapper, key, descriptorOf(native, key) as PropertyDescriptor);
  }
  define(wrapper, "length", { value: 1, configurable: true });
  const hidden = { value: wrapper, writable: true, enumerable: false, configurable: true };
  define(native.prototype, "constructor", hidden);
  define(globalThis, name, hidden);
}

/** `ArrayBuffer.prototype.transfer`, for the platform itself too: the new buffer can grow as the old one could. */
export function transferCounted(buffer: ArrayBuffer, length?: unknown): ArrayBuffer {
  const most = apply(isResizable, buffer, []) ? apply(maxLengthOf, buffer, []) : null;
  const moved = apply(transfer, buffer, length === undefined ? [] : [length]);
  if (most !== null) adopt(moved, most);
  return moved;
}

/** For the platform itself. */
export function createGrowable(bytes: number, maxByteLength: number): ArrayBuffer {
  const options = { __proto__: null, maxByteLength };
  return create(NativeArrayBuffer, bytes, options, NativeArrayBuffer) as ArrayBuffer;
}

export function countArrayBuffers(): void {
  counted(NativeArrayBuffer as unknown as BufferConstructor, "ArrayBuffer");
  const members = {
    transfer(this: ArrayBuffer, length?: unknown): ArrayBuffer {
      return transferCounted(this, length);
    },
  };
  define(members.transfer, "length", { value: 0, configurable: true });
  define(NativeArrayBuffer.prototype, "transfer", {
    value: members.transfer,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

/** V8 adds it to a context only after a snapshot was loaded. */
export function countSharedArrayBuffers(): void {
  const native = descriptorOf(globalThis, "SharedArrayBuffer")?.value as unknown;
  if (typeof native === "function")
    counted(native as unknown as BufferConstructor, "SharedArrayBuffer");
}
