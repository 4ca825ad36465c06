// Reading the arguments of calls. They come from hostile code: whatever is not exactly as the method takes it is
// refused with what was expected.

import { EdgeError } from "../sdk/errors.ts";
import type { CallContext } from "../sdk/services/service.ts";
import type { Value } from "../sdk/services/values.ts";

export type Fields = Readonly<Record<string, Value>>;

function refuse(what: string, expected: string): EdgeError {
  return new EdgeError("SERVICE_INPUT", `${what}: ${expected} is expected.`);
}

export function readText(value: Value, what: string): string {
  if (typeof value === "string") return value;
  throw refuse(what, "a text");
}

export function readBytes(value: Value, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return Buffer.from(value);
  throw refuse(what, "bytes or a text");
}

export function readInteger(
  value: Value,
  what: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) {
    return Number(value);
  }
  throw refuse(what, `a whole number from ${min} to ${max}`);
}

export function readList(value: Value, what: string): readonly Value[] {
  if (Array.isArray(value)) return value as readonly Value[];
  throw refuse(what, "a list");
}

/** A plain object; undefined is taken for an empty one. */
export function readFields(value: Value, what: string): Fields {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null) throw refuse(what, "an object");
  if (Array.isArray(value) || value instanceof Uint8Array || value instanceof Date) {
    throw refuse(what, "an object");
  }
  return value as Fields;
}

/** What `read` makes of it, or null when it is undefined or null. */
export function optional<T>(
  value: Value,
  what: string,
  read: (value: Value, what: string) => T,
): T | null {
  return value === undefined || value === null ? null : read(value, what);
}

/** Refuses text of more UTF-8 bytes than that. */
export function limitText(text: string, what: string, bytesMax: number): string {
  limitSize(Buffer.byteLength(text), what, bytesMax);
  return text;
}

/** Refuses more bytes than that. */
export function limitBytes(bytes: Uint8Array, what: string, max: number): Uint8Array {
  limitSize(bytes.byteLength, what, max);
  return bytes;
}

function limitSize(bytes: number, what: string, max: number): void {
  if (bytes <= max) return;
  throw new EdgeError("SERVICE_TOO_LARGE", `${what} has ${bytes} bytes; ${max} are allowed.`);
}

/** Refuses more than one call takes. `what`: in the plural. */
export function limitCount(list: readonly Value[], what: string, max: number): readonly Value[] {
  if (list.length <= max) return list;
  throw new EdgeError("SERVICE_INPUT", `One call takes ${max} ${what}; these are ${list.length}.`);
}

/** For what is gathered for the answer. `what`: "The values are". */
export function holdOrRefuse(
  context: Pick<CallContext, "hold">,
  what: string,
  bytes: number,
): void {
  if (context.hold(bytes)) return;
  throw new EdgeError("MEMORY_LIMIT", `${what} larger than what may wait for this endpoint.`);
}
