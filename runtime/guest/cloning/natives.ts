// What structuredClone copies of the language's own objects with inner state. Only the kind itself can tell whether a
// value is of it, by a getter or method that throws for all others, and an exception costs as much as copying dozens of
// properties: so the likely kind is asked first, and what cannot be is not asked. Neither is believed.

import { isArrayBuffer } from "../buffer-source.ts";
import { DOMException } from "../dom-exception.ts";
import { createGrowable } from "../growable.ts";

type Callable = (this: unknown, ...args: never[]) => unknown;

const apply = Reflect.apply;
const descriptorOf = Reflect.getOwnPropertyDescriptor;
const tagText = Object.prototype.toString;
const toStringTag: typeof Symbol.toStringTag = Symbol.toStringTag;
const setBytes = Uint8Array.prototype.set as Callable;
const dateTime = Date.prototype.getTime;
const mapSize = descriptorOf(Map.prototype, "size")?.get as Callable;
const setSize = descriptorOf(Set.prototype, "size")?.get as Callable;
const eachOfMap = Map.prototype.forEach as Callable;
const eachOfSet = Set.prototype.forEach as Callable;
const setInMap = Map.prototype.set as Callable;
const addToSet = Set.prototype.add as Callable;
const regexpSource = descriptorOf(RegExp.prototype, "source")?.get as Callable;
const regexpFlags = descriptorOf(RegExp.prototype, "flags")?.get as Callable;
const NativeArrayBuffer = ArrayBuffer;
const NativeDate = Date;
const NativeMap = Map;
const NativeSet = Set;
const NativeRegExp = RegExp;
const toObject = Object;

type Clone = (inner: unknown) => unknown;

export interface NativeCopy {
  readonly copy: object;
  /** Copies what is inside, which may refer to the value itself. */
  readonly fill: ((clone: Clone) => void) | null;
}

interface Kind {
  /** Whose instances they are, unless they were given another prototype. */
  readonly prototype: object;
  /** What Object.prototype.toString makes of them where nobody put a Symbol.toStringTag. */
  readonly tag: string;
  /** null for what is not of this kind. */
  readonly copy: (value: object) => NativeCopy | null;
}

/** Runs a getter or method that throws for all but its own kind of object. */
export function probe(method: Callable, value: object): { readonly result: unknown } | null {
  try {
    return { result: apply(method, value, []) };
  } catch {
    return null;
  }
}

function copyBuffer(buffer: object): NativeCopy | null {
  if (!isArrayBuffer(buffer)) return null;
  if (buffer.detached) {
    throw new DOMException("A detached ArrayBuffer could not be cloned", "DataCloneError");
  }
  const copy = buffer.resizable
    ? createGrowable(buffer.byteLength, buffer.maxByteLength)
    : new NativeArrayBuffer(buffer.byteLength);
  apply(setBytes, new Uint8Array(copy), [new Uint8Array(buffer)] as never[]);
  return { copy, fill: null };
}

function copyDate(date: object): NativeCopy | null {
  const time = probe(dateTime, date);
  return time && { copy: new NativeDate(time.result as number), fill: null };
}

function copyRegExp(pattern: object): NativeCopy | null {
  // The prototype answers too, without being one.
  const source = pattern === NativeRegExp.prototype ? null : probe(regexpSource, pattern);
  if (source === null) return null;
  const flags = apply(regexpFlags, pattern, []) as string;
  return { copy: new NativeRegExp(source.result as string, flags), fill: null };
}

function copyMap(map: object): NativeCopy | null {
  if (probe(mapSize, map) === null) return null;
  const copy = new NativeMap();
  const fill = (clone: Clone): void => {
    const entries: unknown[] = [];
    // The entries as they are now: getters further down may change the map.
    const collect = (value: unknown, key: unknown): void => {
      entries[entries.length] = key;
      entries[entries.length] = value;
    };
    apply(eachOfMap, map, [collect] as never[]);
    for (let i = 0; i < entries.length; i += 2) {
      const pair = [clone(entries[i]), clone(entries[i + 1])];
      apply(setInMap, copy, pair as never[]);
    }
  };
  return { copy, fill };
}

function copySet(set: object): NativeCopy | null {
  if (probe(setSize, set) === null) return null;
  const copy = new NativeSet();
  const fill = (clone: Clone): void => {
    const entries: unknown[] = [];
    const collect = (value: unknown): void => {
      entries[entries.length] = value;
    };
    apply(eachOfSet, set, [collect] as never[]);
    for (let i = 0; i < entries.length; i++) apply(addToSet, copy, [clone(entries[i])] as never[]);
  };
  return { copy, fill };
}

function boxed(prototype: object, tag: string): Kind {
  const { valueOf } = prototype as { readonly valueOf: Callable };
  const copy = (value: object): NativeCopy | null => {
    const unboxed = probe(valueOf, value);
    return unboxed && { copy: toObject(unboxed.result) as object, fill: null };
  };
  return { prototype, tag, copy };
}

const UNTAGGED = "[object Object]";
const kinds: readonly Kind[] = [
  { prototype: NativeArrayBuffer.prototype, tag: UNTAGGED, copy: copyBuffer },
  { prototype: NativeDate.prototype, tag: "[object Date]", copy: copyDate },
  { prototype: NativeMap.prototype, tag: UNTAGGED, copy: copyMap },
  { prototype: NativeSet.prototype, tag: UNTAGGED, copy: copySet },
  boxed(Number.prototype, "[object Number]"),
  boxed(String.prototype, "[object String]"),
  boxed(Boolean.prototype, "[object Boolean]"),
  boxed(BigInt.prototype, UNTAGGED),
  { prototype: NativeRegExp.prototype, tag: "[object RegExp]", copy: copyRegExp },
];

/** null when `value`, whose prototype is given, is of none of these kinds. */
export function copyNative(value: object, prototype: object | null): NativeCopy | null {
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i] as Kind;
    const copy = kind.prototype === prototype ? kind.copy(value) : null;
    if (copy !== null) return copy;
  }
  // Without a Symbol.toStringTag it is the engine's word. Where there is one, its getter is not run.
  const tag = toStringTag in value ? null : apply(tagText, value, []);
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i] as Kind;
    const copy = tag === null || tag === kind.tag ? kind.copy(value) : null;
    if (copy !== null) return copy;
  }
  return null;
}
