// Headers. A list is kept in one of two forms: packed ("name\nvalue\n" repeated, as it crosses the bridge) or
// flat (name, value, name, value …). Packed turns into flat at the first look, flat into packed when it
// leaves; a list nobody looks at is never parsed. Names are in lower case, several of one name stay apart.
//
// The flat array never becomes `this` of a patchable method: whoever held it could put line breaks into it.

import { exposeInterface } from "./interface.ts";
import { headerName, headerValue } from "./header-text.ts";

export type HeadersInit = unknown;
export type HeadersGuard = "none" | "immutable";

const split = String.prototype.split;
const apply = Reflect.apply;
const keysOf = Object.keys;
const symbolsOf = Object.getOwnPropertySymbols;
const iteratorSymbol: typeof Symbol.iterator = Symbol.iterator;

function parse(packed: string): string[] {
  const flat = apply(split, packed, ["\n"]) as string[];
  flat.length -= 1;
  return flat;
}

function put(flat: string[], name: string, value: string): void {
  const end = flat.length;
  flat[end] = name;
  flat[end + 1] = value;
}

export let packHeaders: (headers: Headers) => string;
export let headersFromPacked: (packed: string, guard: HeadersGuard) => Headers;
export let isHeaders: (value: unknown) => value is Headers;

let sortedPairs: (headers: Headers) => [string, string][];

/** A value for the constructor that no author can have: makes Headers over a packed list. */
const INTERNAL = {};

export class Headers {
  #packed: string | null;
  #flat: string[] | null;
  /** What iteration sees, until the next change. */
  #sorted: [string, string][] | null;
  #guard: HeadersGuard;

  constructor(init: HeadersInit = undefined) {
    this.#packed = "";
    this.#flat = null;
    this.#sorted = null;
    this.#guard = "none";
    if (init !== undefined && init !== INTERNAL) this.#packed = packInit(init, null);
  }

  static {
    packHeaders = (headers) => headers.#pack();
    headersFromPacked = (packed, guard) => {
      const headers = new Headers(INTERNAL);
      headers.#packed = packed;
      headers.#guard = guard;
      return headers;
    };
    sortedPairs = (headers) => headers.#sort();
    isHeaders = (value): value is Headers =>
      typeof value === "object" && value !== null && #guard in value;
  }

  #pack(): string {
    if (this.#packed !== null) return this.#packed;
    const flat = this.#flat ?? [];
    let packed = "";
    for (let i = 0; i < flat.length; i += 2) packed += `${flat[i]}\n${flat[i + 1]}\n`;
    this.#packed = packed;
    return packed;
  }

  #read(): string[] {
    const flat = this.#flat ?? parse(this.#packed ?? "");
    this.#flat = flat;
    return flat;
  }

  /** The flat list, about to be changed. */
  #change(): string[] {
    const flat = this.#read();
    this.#packed = null;
    this.#sorted = null;
    return flat;
  }

  #sort(): [string, string][] {
    const sorted = this.#sorted ?? sortAndCombine(this.#read());
    this.#sorted = sorted;
    return sorted;
  }

  #check(): void {
    if (this.#guard === "immutable") throw new TypeError("These headers are immutable.");
  }

  get(name: string): string | null {
    const flat = this.#read();
    const wanted = headerName(name);
    let found: string | null = null;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== wanted) continue;
      const value = flat[i + 1] ?? "";
      found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }

  has(name: string): boolean {
    const flat = this.#read();
    const wanted = headerName(name);
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === wanted) return true;
    return false;
  }

  getSetCookie(): string[] {
    const flat = this.#read();
    const cookies: string[] = [];
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === "set-cookie") cookies[cookies.length] = flat[i + 1] ?? "";
    }
    return cookies;
  }

  /** Of Workers, from before there was getSetCookie. */
  getAll(name: unknown): string[] {
    if (`${name as string}`.toLowerCase() === "set-cookie") return this.getSetCookie();
    throw new TypeError('getAll is for "Set-Cookie" alone.');
  }

  append(name: string, value: string): void {
    if (arguments.length < 2) throw new TypeError("append needs a name and a value.");
    const [checkedName, checkedValue] = this.#checked(name, value);
    this.#sorted = null;
    if (this.#flat === null) this.#packed += `${checkedName}\n${checkedValue}\n`;
    else put(this.#change(), checkedName, checkedValue);
  }

  set(name: string, value: string): void {
    if (arguments.length < 2) throw new TypeError("set needs a name and a value.");
    const [checkedName, checkedValue] = this.#checked(name, value);
    const flat = this.#change();
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== checkedName) continue;
      flat[i + 1] = checkedValue;
      removeName(flat, checkedName, i + 2);
      return;
    }
    put(flat, checkedName, checkedValue);
  }

  delete(name: string): void {
    const checkedName = headerName(name);
    this.#check();
    removeName(this.#change(), checkedName, 0);
  }

  #checked(name: unknown, value: unknown): [string, string] {
    const text = typeof value === "string" ? value : `${value as string}`;
    const checkedName = headerName(name);
    const checkedValue = headerValue(text);
    this.#check();
    return [checkedName, checkedValue];
  }

  forEach(
    callback: (value: string, name: string, parent: Headers) => void,
    thisArg: unknown = undefined,
  ): void {
    this.#sort();
    if (typeof callback !== "function") throw new TypeError("forEach needs a function.");
    for (let i = 0; ; i++) {
      const pair = this.#sort()[i];
      if (pair === undefined) return;
      apply(callback, thisArg, [pair[1], pair[0], this]);
    }
  }

  entries(): IterableIterator<[string, string]> {
    this.#sort();
    return new HeadersIterator(this, "pairs") as never;
  }

  keys(): IterableIterator<string> {
    this.#sort();
    return new HeadersIterator(this, "names") as never;
  }

  values(): IterableIterator<string> {
    this.#sort();
    return new HeadersIterator(this, "values") as never;
  }

  declare [Symbol.iterator]: () => IterableIterator<[string, string]>;
}

class HeadersIterator {
  readonly #headers: Headers;
  readonly #kind: "pairs" | "names" | "values";
  #index: number;

  constructor(headers: Headers, kind: "pairs" | "names" | "values") {
    this.#headers = headers;
    this.#kind = kind;
    this.#index = 0;
  }

  next(): IteratorResult<unknown> {
    const pair = sortedPairs(this.#headers)[this.#index];
    if (pair === undefined) return { value: undefined, done: true };
    this.#index++;
    if (this.#kind === "names") return { value: pair[0], done: false };
    if (this.#kind === "values") return { value: pair[1], done: false };
    return { value: [pair[0], pair[1]], done: false };
  }
}

exposeInterface(HeadersIterator, "Headers Iterator");
Reflect.deleteProperty(HeadersIterator.prototype, "constructor");
const arrayIterator = Object.getPrototypeOf([][iteratorSymbol]()) as object;
Object.setPrototypeOf(HeadersIterator.prototype, Object.getPrototypeOf(arrayIterator) as object);

exposeInterface(Headers, "Headers");
const entries: unknown = Headers.prototype.entries;
Object.defineProperty(Headers.prototype, iteratorSymbol, {
  value: entries,
  writable: true,
  configurable: true,
});

/** Removes in place what bears the name, from an index on. */
function removeName(flat: string[], name: string, from: number): void {
  let kept = from;
  for (let i = from; i < flat.length; i += 2) {
    if (flat[i] === name) continue;
    flat[kept] = flat[i] ?? "";
    flat[kept + 1] = flat[i + 1] ?? "";
    kept += 2;
  }
  flat.length = kept;
}

/** What iteration sees: by name, values of one name joined, cookies apart. */
function sortAndCombine(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] ?? "";
    const value = flat[i + 1] ?? "";
    let at = pairs.length;
    while (at > 0 && (pairs[at - 1]?.[0] ?? "") > name) at--;
    const before = pairs[at - 1];
    if (before !== undefined && before[0] === name && name !== "set-cookie") {
      before[1] = `${before[1]}, ${value}`;
      continue;
    }
    for (let j = pairs.length; j > at; j--) pairs[j] = pairs[j - 1] ?? ["", ""];
    pairs[at] = [name, value];
  }
  return pairs;
}

/** Whether a packed list has a header, by lower-case name. */
function hasPackedName(packed: string, name: string): boolean {
  if (packed === "" || !`\n${packed}`.includes(`\n${name}\n`)) return false;
  // A value may look like the name.
  const flat = parse(packed);
  for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return true;
  return false;
}

/**
 * "name\nvalue\n" repeated, out of whatever `new Headers` takes. `type`: content type to add when there is
 * none among them.
 */
export function packInit(init: HeadersInit, type: string | null): string {
  if ((typeof init !== "object" || init === null) && typeof init !== "function") {
    throw new TypeError("Headers need an object or a sequence of pairs.");
  }
  const method: unknown = (init as Iterable<unknown>)[iteratorSymbol];
  if (method === undefined || method === null) return packRecord(init, type);
  if (method === entries && isHeaders(init)) return withType(packHeaders(init), type);
  if (typeof method !== "function") throw new TypeError("The headers are not iterable.");
  let packed = "";
  for (const pair of iterate(init, method)) {
    if (typeof pair !== "object" || pair === null) {
      throw new TypeError("Each header must be a pair of name and value.");
    }
    const parts = [...(pair as Iterable<unknown>)];
    if (parts.length !== 2) throw new TypeError("Each header must be a pair of name and value.");
    packed += `${headerName(parts[0])}\n${headerValue(parts[1])}\n`;
  }
  return withType(packed, type);
}

/** The list with a content type, unless it has one or there is none to add. */
export function withType(packed: string, type: string | null): string {
  if (type === null || hasPackedName(packed, "content-type")) return packed;
  return `${packed}content-type\n${type}\n`;
}

function packRecord(init: object, type: string | null): string {
  // A copy by spread looks at each property as the standard asks, and is several times as fast as
  // Reflect.ownKeys. It differs where only a Proxy can see it: all values are read before the first is refused.
  const record: Record<string, unknown> = { ...init };
  if (symbolsOf(record).length > 0) throw new TypeError("A header's name may not be a symbol.");
  const keys = keysOf(record);
  let packed = "";
  let typed = type === null;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] ?? "";
    const name = headerName(key);
    if (name === "content-type") typed = true;
    packed += `${name}\n${headerValue(record[key])}\n`;
  }
  return typed ? packed : `${packed}content-type\n${type}\n`;
}

/** Iterates with a method already looked up, so that it is looked up once. */
export function iterate(target: object, method: unknown): Iterable<unknown> {
  const iterator = apply(method as () => Iterator<unknown>, target, []);
  return { [iteratorSymbol]: () => iterator };
}
