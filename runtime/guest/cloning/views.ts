// Views of buffers, as structuredClone copies them: their constructors by name, and what the language does not tell of
// them.

const apply = Reflect.apply;

export type ViewConstructor = new (
  buffer: ArrayBuffer,
  byteOffset: number,
  length?: number,
) => ArrayBufferView;
const VIEWS: Record<string, ViewConstructor> = Object.assign(Object.create(null) as object, {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
});

/** undefined for a name that is no view's. */
export function viewConstructor(name: string): ViewConstructor | undefined {
  // Not captured at import: Float16Array is missing while a snapshot is made.
  return VIEWS[name] ?? (globalThis as unknown as Record<string, ViewConstructor>)[name];
}

/** Its buffer was detached or has shrunk. */
export function isOutOfBounds(view: ArrayBufferView, name: string): boolean {
  try {
    if (name === "DataView") return view.byteLength < 0;
    // The constructor refuses such a source; only an empty one can be one.
    return (view as Uint8Array).length === 0 && new Uint8Array(view as Uint8Array).length > 0;
  } catch {
    return true;
  }
}

type Resize = (this: ArrayBuffer, length: number) => void;
const { resize } = ArrayBuffer.prototype as unknown as { readonly resize: Resize };
const ELEMENT_BYTES_MAX = 8;

/**
 * undefined for a view that is as long as its buffer, whatever that becomes. The language does not tell, so the buffer
 * is lengthened for a moment; one that has its full length already passes for fixed.
 */
export function lengthOf(
  view: ArrayBufferView,
  name: string,
  buffer: ArrayBuffer,
): number | undefined {
  const count = (): number => (name === "DataView" ? view.byteLength : (view as Uint8Array).length);
  const length = count();
  if (!buffer.resizable || buffer.byteLength === buffer.maxByteLength) return length;
  const bytes = buffer.byteLength;
  const more = bytes + ELEMENT_BYTES_MAX;
  apply(resize, buffer, [more < buffer.maxByteLength ? more : buffer.maxByteLength]);
  const tracks = count() !== length;
  apply(resize, buffer, [bytes]);
  return tracks ? undefined : length;
}
