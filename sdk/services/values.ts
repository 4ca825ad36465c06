// How arguments and answers of service calls cross: JSON with marks for what JSON cannot say, and all bytes in one
// buffer beside it. Both ends use this file, and neither trusts the other: unpackValue throws a TypeError on what
// packValue cannot have made.
//
//   {"$":"b","v":[from,length]}  bytes       {"$":"n","v":"12"}   a bigint
//   {"$":"d","v":1700000000000}  a date      {"$":"f","v":"NaN"}  a number that JSON has not
//   {"$":"u"}                    undefined   {"$":"o","v":{…}}    an object with a key "$" of its own
//   {"$":"s"}                    the stream that follows in pieces
//   {"$":"t","v":"a value"}      a few bytes as text, one character each: a buffer, however small it is, costs the
//                                isolate as much as some thousand characters, and leaves it as a report of its own

export type Value =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Date
  | Uint8Array
  | typeof STREAM
  | readonly Value[]
  | { readonly [key: string]: Value };

export interface Packed {
  readonly text: string;
  /** All byte values, one behind the other; null when there are none. */
  readonly bytes: Uint8Array | null;
}

/** Deeper is nobody's data, and a reader that recursed without end would break. */
export const VALUE_DEPTH_MAX = 64;

/** As text; what goes beyond that, in all of one packed value, is quicker in a buffer. */
export const TEXT_BYTES_MAX = 1_024;

/** Each byte as one character. The two ends have different ways that are quick. */
export type BytesToText = (bytes: Uint8Array) => string;

/** Stands for an argument whose bytes follow in pieces. */
export const STREAM: unique symbol = Symbol("stream");

const MARK = "$";

// Captured: in a guest, authors may replace them.
const stringify = JSON.stringify;
const parse = JSON.parse;
const isArray = Array.isArray;
const isInteger = Number.isSafeInteger;
const keysOf = Object.keys;
const createObject = Object.create as (prototype: null) => Record<string, unknown>;
const hasOwn = Object.hasOwn;
const fromCharCode = String.fromCharCode;
const NativeUint8Array = Uint8Array;
const NativeDate = Date;
const toBigInt = BigInt;
const toText = String;
const toNumber = Number;
type Callable = (this: unknown, ...args: never[]) => unknown;
const getTime = Reflect.get(Date.prototype, "getTime") as Callable;
const setBytes = Reflect.get(Uint8Array.prototype, "set") as Callable;
const slice = Reflect.get(Uint8Array.prototype, "slice") as Callable;
const charCodeAt = Reflect.get(String.prototype, "charCodeAt") as Callable;
const apply = Reflect.apply;

/** `toText`: few bytes go as text; null: all of them beside it. */
export function packValue(value: Value, toText: BytesToText | null = null): Packed {
  const gathered: Gathered = { toText, textSize: 0, pieces: null, size: 0 };
  const text = stringify(encode(value, gathered, 0));
  return { text, bytes: join(gathered) };
}

/** Of at most TEXT_BYTES_MAX. */
export function bytesToText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.byteLength; at++) text += fromCharCode(bytes[at] as number);
  return text;
}

interface Gathered {
  readonly toText: BytesToText | null;
  /** Of what has become text. */
  textSize: number;
  pieces: Uint8Array[] | null;
  size: number;
}

function join({ pieces, size }: Gathered): Uint8Array | null {
  if (pieces === null) return null;
  const all = new NativeUint8Array(size);
  let at = 0;
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index] as Uint8Array;
    apply(setBytes, all, [piece, at]);
    at += piece.byteLength;
  }
  return all;
}

function marked(kind: string, value?: unknown): object {
  const object = createObject(null);
  object[MARK] = kind;
  if (value !== undefined) object["v"] = value;
  return object;
}

function encode(value: Value, gathered: Gathered, depth: number): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return value - value === 0 ? value : marked("f", toText(value));
    case "bigint":
      return marked("n", toText(value));
    case "undefined":
      return marked("u");
    case "object":
      return value === null ? null : encodeObject(value, gathered, depth);
    case "symbol":
      if (value === STREAM) return marked("s");
      break;
    default:
  }
  throw new TypeError("A value of this kind cannot be given to a service.");
}

function encodeObject(value: object, gathered: Gathered, depth: number): unknown {
  if (depth >= VALUE_DEPTH_MAX) {
    throw new TypeError(`A value given to a service nests deeper than ${VALUE_DEPTH_MAX}.`);
  }
  if (value instanceof NativeUint8Array) {
    return encodeBytes(value, gathered);
  }
  if (value instanceof NativeDate) {
    const time = apply(getTime, value, []) as number;
    return marked("d", time - time === 0 ? time : null);
  }
  if (isArray(value)) {
    const list = value as readonly Value[];
    const items: unknown[] = [];
    for (let at = 0; at < list.length; at++) items[at] = encode(list[at], gathered, depth + 1);
    return items;
  }
  const fields = createObject(null);
  const keys = keysOf(value);
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    fields[key] = encode((value as Record<string, Value>)[key], gathered, depth + 1);
  }
  return hasOwn(value, MARK) ? marked("o", fields) : fields;
}

function encodeBytes(bytes: Uint8Array, gathered: Gathered): object {
  const { byteLength } = bytes;
  const { toText } = gathered;
  if (toText !== null && gathered.textSize + byteLength <= TEXT_BYTES_MAX) {
    gathered.textSize += byteLength;
    return marked("t", toText(bytes));
  }
  gathered.pieces ??= [];
  gathered.pieces[gathered.pieces.length] = bytes;
  gathered.size += byteLength;
  return marked("b", [gathered.size - byteLength, byteLength]);
}

/** `bytes` is given away: a value that is all of it is it, others are copies. */
export function unpackValue(text: string, bytes: Uint8Array | null): Value {
  return decode(parse(text), bytes, 0);
}

function decode(value: unknown, bytes: Uint8Array | null, depth: number): Value {
  if (typeof value !== "object" || value === null) return value as Value;
  if (depth > 2 * VALUE_DEPTH_MAX) throw malformed();
  // Changed in place: what JSON.parse made has its keys, "__proto__" too, as properties of its own.
  const fields = value as Record<string, unknown>;
  if (isArray(value)) {
    const items = value as unknown[];
    for (let at = 0; at < items.length; at++) {
      const item = items[at];
      if (typeof item === "object" && item !== null) items[at] = decode(item, bytes, depth + 1);
    }
    return items as Value;
  }
  if (hasOwn(value, MARK)) return decodeMarked(fields, bytes, depth);
  const keys = keysOf(value);
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    const field = fields[key];
    if (typeof field === "object" && field !== null) fields[key] = decode(field, bytes, depth + 1);
  }
  return value as Value;
}

function decodeMarked(
  fields: Record<string, unknown>,
  bytes: Uint8Array | null,
  depth: number,
): Value {
  const value = fields["v"];
  switch (fields[MARK]) {
    case "b":
      return decodeBytes(value, bytes);
    case "t":
      if (typeof value === "string") return decodeText(value);
      break;
    case "d":
      return new NativeDate(typeof value === "number" ? value : NaN);
    case "n":
      if (typeof value === "string") return toBigInt(value);
      break;
    case "f":
      return toNumber(value);
    case "u":
      return undefined;
    case "s":
      return STREAM;
    case "o":
      if (typeof value === "object" && value !== null) return decodeFields(value, bytes, depth);
  }
  throw malformed();
}

/** Of an object that has the mark as a key of its own. */
function decodeFields(value: object, bytes: Uint8Array | null, depth: number): Value {
  const fields = value as Record<string, unknown>;
  const keys = keysOf(value);
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    fields[key] = decode(fields[key], bytes, depth + 2);
  }
  return fields as { readonly [key: string]: Value };
}

function decodeBytes(place: unknown, bytes: Uint8Array | null): Uint8Array {
  if (isArray(place) && place.length === 2) {
    // Not by the iterator of arrays, which an author may have replaced.
    const from: unknown = place[0];
    const length: unknown = place[1];
    if (
      isInteger(from) &&
      isInteger(length) &&
      (from as number) >= 0 &&
      (length as number) >= 0 &&
      (from as number) + (length as number) <= (bytes?.byteLength ?? 0)
    ) {
      if (bytes === null) return new NativeUint8Array(0);
      if (length === bytes.byteLength) return bytes;
      return apply(slice, bytes, [from, (from as number) + (length as number)]) as Uint8Array;
    }
  }
  throw malformed();
}

function decodeText(text: string): Uint8Array {
  if (text.length > TEXT_BYTES_MAX) throw malformed();
  const bytes = new NativeUint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const byte = apply(charCodeAt, text, [at]) as number;
    if (byte > 0xff) throw malformed();
    bytes[at] = byte;
  }
  return bytes;
}

function malformed(): TypeError {
  return new TypeError("The packed value is malformed.");
}
