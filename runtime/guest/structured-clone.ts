// structuredClone: serialising and deserialising in one walk. Platform objects register how they are copied;
// those that do not are refused, as the standard asks. With a transfer list it walks twice: first into an
// intermediate copy in which stand-ins take the place of buffers that will move (all getters run now), then,
// the buffers moved, into the result.

import { isArrayBuffer, typedArrayName } from "./buffer-source.ts";
import { copyNative, probe } from "./cloning/natives.ts";
import { isOutOfBounds, lengthOf, viewConstructor } from "./cloning/views.ts";
import { DOMException, QuotaExceededError } from "./dom-exception.ts";
import { transferCounted } from "./growable.ts";
import { isPlatformObject } from "./interface.ts";

type Callable = (this: unknown, ...args: never[]) => unknown;

const apply = Reflect.apply;
const ownKeys = Reflect.ownKeys;
const descriptorOf = Reflect.getOwnPropertyDescriptor;
const prototypeOf = Reflect.getPrototypeOf;
const define = Object.defineProperty;
const objectPrototype = Object.prototype;
const tagText = Object.prototype.toString;
const isArray = Array.isArray;
const isView = ArrayBuffer.isView;
const getFromMap = Map.prototype.get as Callable;
const setInMap = Map.prototype.set as Callable;
const NativeMap = Map;

const ERRORS: Readonly<Record<string, ErrorConstructor>> = Object.assign(
  Object.create(null) as object,
  { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError },
);

/** Kinds with inner state that nothing here can copy; told by their tag. */
const OPAQUE_TAGS: readonly string[] = [
  "[object Promise]",
  "[object WeakMap]",
  "[object WeakSet]",
  "[object WeakRef]",
  "[object FinalizationRegistry]",
  "[object Generator]",
  "[object AsyncGenerator]",
  "[object SharedArrayBuffer]",
];

/** Copies a platform object; null when `value` is none of its kind. */
type Cloner = (value: object, clone: (inner: unknown) => unknown) => object | null;
const cloners: Cloner[] = [];
const refusals: ((value: object) => boolean)[] = [];

/** At import only. */
export function registerCloner(cloner: Cloner): void {
  cloners[cloners.length] = cloner;
}

/** Takes a platform object's inside out of it and into a new one; null when it is detached or in use. */
interface Transferable {
  readonly isKind: (value: unknown) => boolean;
  readonly canMove: (value: object) => boolean;
  readonly move: (value: object) => object;
}
const transferables: Transferable[] = [];

/** At import only. */
export function registerTransferable(kind: Transferable): void {
  transferables[transferables.length] = kind;
}

function transferableOf(value: unknown): Transferable | null {
  for (let i = 0; i < transferables.length; i++) {
    const kind = transferables[i] as Transferable;
    if (kind.isKind(value)) return kind;
  }
  return null;
}

/** At import only: `isKind` tells an object without an interface of its own that cannot be cloned. */
export function refuseToClone(isKind: (value: object) => boolean): void {
  refusals[refusals.length] = isKind;
}

registerCloner((value) => {
  if (!(value instanceof DOMException)) return null;
  const copy =
    value instanceof QuotaExceededError
      ? new QuotaExceededError(value.message, amountsOf(value))
      : new DOMException(value.message, value.name);
  define(copy, "stack", { value: value.stack, writable: true, configurable: true });
  return copy;
});

function amountsOf({ quota, requested }: QuotaExceededError): object {
  return { quota: quota ?? undefined, requested: requested ?? undefined };
}

interface MovingView {
  readonly standIn: object;
  readonly buffer: ArrayBuffer;
  readonly name: string;
  readonly offset: number;
  /** undefined for a view that is as long as its resizable buffer. */
  readonly length: number | undefined;
}

interface Walk {
  /** Original → copy; also what keeps cycles and shared references. */
  readonly seen: Map<object, object>;
  /** What will move; views of a buffer get stand-ins too. */
  readonly moving: readonly object[];
  readonly views: MovingView[];
}

function createWalk(moving: readonly object[]): Walk {
  return { seen: new NativeMap<object, object>(), moving, views: [] };
}

function seenCopy(walk: Walk, value: object): object | undefined {
  return apply(getFromMap, walk.seen, [value] as never[]) as object | undefined;
}

function remember<T extends object>(walk: Walk, value: object, copy: T): T {
  apply(setInMap, walk.seen, [value, copy] as never[]);
  return copy;
}

function refuse(message: string): never {
  throw new DOMException(message, "DataCloneError");
}

export function structuredClone(value: unknown, options?: { transfer?: unknown } | null): unknown {
  if (arguments.length === 0) throw new TypeError("structuredClone requires an argument");
  return cloneMoving(value, options?.transfer).data;
}

export interface Moved {
  readonly data: unknown;
  /** The new object of each in the transfer list. */
  readonly moved: readonly object[];
}

/** `transfer` is the author's list; `forbidden` may not be in it. */
export function cloneMoving(value: unknown, transfer: unknown, forbidden?: object): Moved {
  const items: object[] = [];
  if (transfer !== undefined) {
    for (const item of transfer as Iterable<unknown>) {
      checkTransfer(item);
      if (item === forbidden) refuse("A port cannot be transferred by itself");
      for (let i = 0; i < items.length; i++) {
        if (items[i] === item) refuse("An object cannot be transferred twice");
      }
      items[items.length] = item as object;
    }
  }
  if (items.length === 0) return { data: clone(value, createWalk([])), moved: items };
  return cloneAndMove(value, items);
}

function checkTransfer(item: unknown): void {
  if (!isArrayBuffer(item) && transferableOf(item) === null) {
    refuse("The object cannot be transferred");
  }
}

function canMove(item: object): boolean {
  return isArrayBuffer(item) ? !item.detached : transferableOf(item)?.canMove(item) === true;
}

function move(item: object): object {
  return isArrayBuffer(item) ? transferCounted(item) : (transferableOf(item)?.move(item) ?? item);
}

function cloneAndMove(value: unknown, items: readonly object[]): Moved {
  const first = createWalk(items);
  for (let i = 0; i < items.length; i++) {
    const item = items[i] as object;
    if (!canMove(item)) refuse("The object is detached or in use");
    remember(first, item, {});
  }
  const intermediate = clone(value, first);
  const second = createWalk([]);
  for (let i = 0; i < items.length; i++) {
    if (!canMove(items[i] as object)) refuse("The object was detached while it was being cloned");
  }
  const targets = new NativeMap<object, object>();
  const moved: object[] = [];
  for (let i = 0; i < items.length; i++) {
    const item = items[i] as object;
    const target = move(item);
    moved[i] = target;
    apply(setInMap, targets, [item, target] as never[]);
    const standIn = seenCopy(first, item);
    if (standIn !== undefined) remember(second, standIn, target);
  }
  for (let i = 0; i < first.views.length; i++) {
    const { standIn, buffer, name, offset, length } = first.views[i] as MovingView;
    const target = apply(getFromMap, targets, [buffer] as never[]) as ArrayBuffer;
    remember(second, standIn, createView(name, target, offset, length));
  }
  return { data: clone(intermediate, second), moved };
}

function clone(value: unknown, walk: Walk): unknown {
  if (typeof value === "symbol") refuse("A symbol could not be cloned");
  if (typeof value === "function") refuse("A function could not be cloned");
  if (typeof value !== "object" || value === null) return value;
  const copied = seenCopy(walk, value);
  if (copied !== undefined) return copied;
  if (isArray(value)) {
    const copy: unknown[] = [];
    copy.length = value.length;
    return cloneProperties(value, remember(walk, value, copy), walk);
  }
  const prototype = prototypeOf(value);
  const plain = prototype === objectPrototype || prototype === null;
  return plain && apply(tagText, value, []) === "[object Object]"
    ? cloneProperties(value, remember(walk, value, {}), walk)
    : cloneSpecial(value, prototype, walk);
}

function cloneProperties(from: object, to: object, walk: Walk): object {
  const keys = ownKeys(from);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (typeof key !== "string" || descriptorOf(from, key)?.enumerable !== true) continue;
    define(to, key, {
      value: clone((from as Record<string, unknown>)[key], walk),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return to;
}

function cloneSpecial(value: object, prototype: object | null, walk: Walk): object {
  if (isView(value)) return cloneView(value, walk);
  const native = copyNative(value, prototype);
  if (native !== null) {
    remember(walk, value, native.copy);
    native.fill?.((inner) => clone(inner, walk));
    return native.copy;
  }
  for (let i = 0; i < cloners.length; i++) {
    const copy = cloners[i]?.(value, (inner) => clone(inner, walk)) ?? null;
    if (copy !== null) return remember(walk, value, copy);
  }
  for (let i = 0; i < refusals.length; i++) {
    if (refusals[i]?.(value) === true) refuse("The object could not be cloned");
  }
  if (isPlatformObject(value)) refuse("The object could not be cloned");
  if (isError(value)) return cloneError(value, walk);
  const tag = apply(tagText, value, []);
  for (let i = 0; i < OPAQUE_TAGS.length; i++) {
    if (tag === OPAQUE_TAGS[i]) refuse(`A ${tag.slice(8, -1)} could not be cloned`);
  }
  if (probe(symbolValue, value) !== null) refuse("A symbol could not be cloned");
  return cloneProperties(value, remember(walk, value, {}), walk);
}
const symbolValue = Symbol.prototype.valueOf as Callable;

function cloneView(view: ArrayBufferView, walk: Walk): object {
  const name = typedArrayName(view) ?? "DataView";
  if (isOutOfBounds(view, name)) refuse(`A ${name} without its memory could not be cloned`);
  const { buffer, byteOffset: offset } = view;
  if (!isArrayBuffer(buffer)) refuse("Shared memory could not be cloned");
  const length = lengthOf(view, name, buffer);
  if (isMoving(walk, buffer)) {
    const standIn = {};
    walk.views[walk.views.length] = { standIn, buffer, name, offset, length };
    return remember(walk, view, standIn);
  }
  const copy = createView(name, clone(buffer, walk) as ArrayBuffer, offset, length);
  return remember(walk, view, copy);
}

function createView(name: string, buffer: ArrayBuffer, offset: number, length?: number): object {
  const View = viewConstructor(name) ?? refuse(`A ${name} could not be cloned`);
  return new View(buffer, offset, length);
}

function isMoving({ moving }: Walk, buffer: object): boolean {
  for (let i = 0; i < moving.length; i++) if (moving[i] === buffer) return true;
  return false;
}

function isError(value: object): value is Error {
  // Error.isError is missing while a snapshot is made.
  const native = (Error as unknown as { isError?: (value: unknown) => boolean }).isError;
  return native?.(value) ?? value instanceof Error;
}

function cloneError(error: Error, walk: Walk): object {
  const name: unknown = error.name;
  const constructor = (typeof name === "string" ? ERRORS[name] : undefined) ?? Error;
  const message = descriptorOf(error, "message");
  const copy = remember(walk, error, new constructor());
  if (message !== undefined && "value" in message)
    hide(copy, "message", `${message.value as string}`);
  const stack: unknown = error.stack;
  if (typeof stack === "string") hide(copy, "stack", stack);
  const cause = descriptorOf(error, "cause");
  if (cause !== undefined) hide(copy, "cause", clone(error.cause, walk));
  return copy;
}

function hide(target: object, key: string, value: unknown): void {
  define(target, key, { value, writable: true, configurable: true });
}
