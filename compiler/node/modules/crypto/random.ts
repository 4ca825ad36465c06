// Randomness, all of it the isolate's crypto.getRandomValues().

import { Buffer } from "node:buffer";
import { checkCallback, checkInteger, outOfRange, wrongType } from "../errors.ts";

const SIZE_MAX: number = 2 ** 31 - 1;
/** getRandomValues() takes no more at once. */
const CHUNK_BYTES = 65_536;
/** randomInt() draws so many bits. */
const INTEGERS: number = 2 ** 48;
const INTEGER_BYTES = 6;

export const getRandomValues: typeof crypto.getRandomValues = (array) =>
  crypto.getRandomValues(array);
export const randomUUID = (): string => crypto.randomUUID();

export function randomBytes(size: number, callback?: unknown): Buffer | undefined {
  const buffer = Buffer.alloc(checkInteger("size", size, 0, SIZE_MAX));
  fill(buffer);
  return later(buffer, callback);
}

export function randomFillSync<T>(target: T, offset?: unknown, size?: unknown): T {
  fill(part(target, offset, size));
  return target;
}

/** (target, callback), (target, offset, callback) or (target, offset, size, callback). */
export function randomFill(target: unknown, ...args: unknown[]): void {
  const callback = checkCallback(args.pop());
  const [offset, size] = args;
  later(randomFillSync(target, offset, size), callback);
}

/** (max), (min, max), and either with a callback. */
export function randomInt(...args: unknown[]): number | undefined {
  const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
  const [min, max] = args.length < 2 ? [0, args[0]] : args;
  const low = safe("min", min);
  const high = safe("max", max);
  if (high <= low) {
    throw outOfRange("max", `greater than the value of "min" (${low})`, high);
  }
  const range = high - low;
  if (range >= INTEGERS) throw outOfRange("max - min", `<= ${INTEGERS - 1}`, range);
  return later(low + below(range), callback);
}

/** Even over the range: what would make the lower numbers likelier is drawn again. */
function below(range: number): number {
  const bytes = Buffer.alloc(INTEGER_BYTES);
  for (;;) {
    const drawn = fill(bytes).readUIntBE(0, INTEGER_BYTES);
    if (drawn < INTEGERS - (INTEGERS % range)) return drawn % range;
  }
}

function safe(name: string, value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw wrongType(name, "a safe integer", value);
}

function fill<T extends Uint8Array>(bytes: T): T {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, at + CHUNK_BYTES) as Uint8Array<ArrayBuffer>);
  }
  return bytes;
}

/** Offset and size count elements of typed arrays. */
function part(target: unknown, offset: unknown = 0, size?: unknown): Uint8Array {
  const isView = ArrayBuffer.isView(target);
  if (!isView && !(target instanceof ArrayBuffer)) {
    throw wrongType("buf", "an instance of ArrayBuffer or ArrayBufferView", target);
  }
  const unit = isView && "BYTES_PER_ELEMENT" in target ? Number(target.BYTES_PER_ELEMENT) : 1;
  const length = target.byteLength / unit;
  const from = checkInteger("offset", offset, 0, length);
  const count = size === undefined ? length - from : checkInteger("size", size, 0, SIZE_MAX);
  if (from + count > length) {
    throw outOfRange("size + offset", `<= ${length}`, from + count);
  }
  const whole = isView
    ? new Uint8Array(target.buffer, target.byteOffset, target.byteLength)
    : new Uint8Array(target);
  return whole.subarray(from * unit, (from + count) * unit);
}

function later<T>(value: T, callback: unknown): T | undefined {
  if (callback === undefined) return value;
  const call = checkCallback(callback);
  queueMicrotask(() => call(null, value));
  return undefined;
}
