// Web IDL's BufferSource: the bytes behind an ArrayBuffer or any view, without a copy. The getters are
// captured, so that what an author's prototype claims does not matter.

const apply = Reflect.apply;
const isView = ArrayBuffer.isView;

function getterOf(prototype: object, key: string | symbol): (this: unknown) => unknown {
  const getter = Object.getOwnPropertyDescriptor(prototype, key)?.get;
  if (getter === undefined) throw new TypeError(`no getter ${String(key)}`);
  return getter;
}

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const typedBuffer = getterOf(typedArray, "buffer");
const typedOffset = getterOf(typedArray, "byteOffset");
const typedLength = getterOf(typedArray, "byteLength");
const typedTag = getterOf(typedArray, Symbol.toStringTag);
const dataBuffer = getterOf(DataView.prototype, "buffer");
const dataOffset = getterOf(DataView.prototype, "byteOffset");
const dataLength = getterOf(DataView.prototype, "byteLength");
const bufferLength = getterOf(ArrayBuffer.prototype, "byteLength");
const bufferDetached = getterOf(ArrayBuffer.prototype, "detached");

export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  if (typeof value !== "object" || value === null) return false;
  try {
    apply(bufferLength, value, []);
    return true;
  } catch {
    // The getter throws for everything that has no [[ArrayBufferData]], shared buffers included.
    return false;
  }
}

/** "Uint8Array" and so on; undefined for anything that is no typed array. */
export function typedArrayName(value: unknown): string | undefined {
  return apply(typedTag, value, []) as string | undefined;
}

/** The bytes of a BufferSource as a view on the same memory; null when `value` is none. */
export function bytesOf(value: unknown): Uint8Array | null {
  if (isView(value)) {
    const typed = typedArrayName(value) !== undefined;
    const buffer = apply(typed ? typedBuffer : dataBuffer, value, []) as ArrayBuffer;
    if (isArrayBuffer(buffer) && apply(bufferDetached, buffer, [])) return new Uint8Array(0);
    const offset = apply(typed ? typedOffset : dataOffset, value, []) as number;
    const length = apply(typed ? typedLength : dataLength, value, []) as number;
    return new Uint8Array(buffer, offset, length);
  }
  if (!isArrayBuffer(value)) return null;
  return apply(bufferDetached, value, []) ? new Uint8Array(0) : new Uint8Array(value);
}

/** As bytesOf, but null for a view on shared memory, which can change at any time. */
export function unsharedBytesOf(value: unknown): Uint8Array | null {
  const bytes = bytesOf(value);
  return bytes !== null && isArrayBuffer(apply(typedBuffer, bytes, [])) ? bytes : null;
}

/** As bytesOf, and for a SharedArrayBuffer too, which some interfaces allow. */
export function bytesOfShared(value: unknown): Uint8Array | null {
  const bytes = bytesOf(value);
  if (bytes !== null || typeof value !== "object" || value === null) return bytes;
  // Not captured at import: the name is missing while a snapshot is made.
  const shared = typeof SharedArrayBuffer === "undefined" ? undefined : SharedArrayBuffer;
  return shared !== undefined && value instanceof shared ? new Uint8Array(value) : null;
}
