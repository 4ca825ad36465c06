// URLSearchParams, and the string it is tied to when it belongs to a URL.

import { parseForm, serializeForm } from "./form-urlencoded.ts";
import { exposeInterface } from "./interface.ts";

const apply = Reflect.apply;
const ownKeys = Reflect.ownKeys;
const descriptorOf = Object.getOwnPropertyDescriptor;

/** Makes the params of a URL: `changed` gets the new query after every change. */
export let createLinkedParams: (query: string, changed: (query: string) => void) => URLSearchParams;
/** The URL's query was set; its params follow. */
export let replaceParams: (params: URLSearchParams, query: string) => void;
let listOf: (params: URLSearchParams) => readonly string[];

function convert(value: unknown): string {
  return `${value as string}`.toWellFormed();
}

export class URLSearchParams {
  /** Flat: name, value, name, value … Replaced, not changed in place, by nothing but this class. */
  #list: string[];
  #changed: ((query: string) => void) | null = null;

  static {
    createLinkedParams = (query, changed) => {
      const params = new URLSearchParams();
      params.#list = parseForm(query);
      params.#changed = changed;
      return params;
    };
    replaceParams = (params, query) => {
      params.#list = parseForm(query);
    };
    listOf = (params) => params.#list;
  }

  constructor(init: unknown = "") {
    const object = (typeof init === "object" && init !== null) || typeof init === "function";
    if (object) this.#list = listFromObject(init);
    else {
      const text = convert(init);
      this.#list = parseForm(text.startsWith("?") ? text.slice(1) : text);
    }
  }

  get size(): number {
    return this.#list.length / 2;
  }

  append(name: unknown, value: unknown): void {
    requireArguments(arguments.length, 2);
    const key = convert(name);
    const text = convert(value);
    const list = this.#list;
    list[list.length] = key;
    list[list.length] = text;
    this.#update();
  }

  delete(name: unknown, value?: unknown): void {
    requireArguments(arguments.length, 1);
    const key = convert(name);
    const only = value === undefined ? null : convert(value);
    const kept: string[] = [];
    const list = this.#list;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === key && (only === null || list[i + 1] === only)) continue;
      kept[kept.length] = list[i] as string;
      kept[kept.length] = list[i + 1] as string;
    }
    this.#list = kept;
    this.#update();
  }

  get(name: unknown): string | null {
    requireArguments(arguments.length, 1);
    const key = convert(name);
    const list = this.#list;
    for (let i = 0; i < list.length; i += 2) if (list[i] === key) return list[i + 1] as string;
    return null;
  }

  getAll(name: unknown): string[] {
    requireArguments(arguments.length, 1);
    const key = convert(name);
    const values: string[] = [];
    const list = this.#list;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === key) values[values.length] = list[i + 1] as string;
    }
    return values;
  }

  has(name: unknown, value?: unknown): boolean {
    requireArguments(arguments.length, 1);
    const key = convert(name);
    const only = value === undefined ? null : convert(value);
    const list = this.#list;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === key && (only === null || list[i + 1] === only)) return true;
    }
    return false;
  }

  set(name: unknown, value: unknown): void {
    requireArguments(arguments.length, 2);
    const key = convert(name);
    const text = convert(value);
    const kept: string[] = [];
    const list = this.#list;
    let found = false;
    for (let i = 0; i < list.length; i += 2) {
      const same = list[i] === key;
      if (same && found) continue;
      kept[kept.length] = list[i] as string;
      kept[kept.length] = same ? text : (list[i + 1] as string);
      found ||= same;
    }
    if (!found) {
      kept[kept.length] = key;
      kept[kept.length] = text;
    }
    this.#list = kept;
    this.#update();
  }

  sort(): void {
    const list = this.#list;
    const order: number[] = [];
    for (let i = 0; i < list.length; i += 2) order[order.length] = i;
    order.sort((a, b) => {
      const left = list[a] as string;
      const right = list[b] as string;
      return left < right ? -1 : left > right ? 1 : 0;
    });
    const sorted: string[] = [];
    for (const i of order) {
      sorted[sorted.length] = list[i] as string;
      sorted[sorted.length] = list[i + 1] as string;
    }
    this.#list = sorted;
    this.#update();
  }

  toString(): string {
    return serializeForm(this.#list);
  }

  forEach(callback: unknown, thisArg?: unknown): void {
    requireArguments(arguments.length, 1);
    if (typeof callback !== "function") throw new TypeError("forEach requires a function");
    const run = callback as (value: string, name: string, params: URLSearchParams) => unknown;
    for (let i = 0; i < this.#list.length; i += 2) {
      apply(run, thisArg, [this.#list[i + 1] as string, this.#list[i] as string, this]);
    }
  }

  entries(): IterableIterator<[string, string]> {
    return iterate(this, this.#list, "entries") as IterableIterator<[string, string]>;
  }

  keys(): IterableIterator<string> {
    return iterate(this, this.#list, "keys") as IterableIterator<string>;
  }

  values(): IterableIterator<string> {
    return iterate(this, this.#list, "values") as IterableIterator<string>;
  }

  declare [Symbol.iterator]: () => IterableIterator<[string, string]>;

  #update(): void {
    if (this.#changed !== null) this.#changed(serializeForm(this.#list));
  }
}
exposeInterface(URLSearchParams, "URLSearchParams");
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, {
  value: URLSearchParams.prototype.entries,
  writable: true,
  configurable: true,
});

function requireArguments(given: number, required: number): void {
  if (given < required) throw new TypeError(`${required} arguments required, ${given} given`);
}

interface Walk {
  readonly params: URLSearchParams;
  readonly kind: "entries" | "keys" | "values";
  at: number;
}

const walks = new WeakMap<object, Walk>();
const findWalk = walks.get.bind(walks);
const keepWalk = walks.set.bind(walks);

const iteratorMembers = {
  next(this: object): IteratorResult<unknown> {
    const walk = findWalk(this);
    if (walk === undefined) throw new TypeError("Illegal invocation");
    const list = listOf(walk.params);
    const at = walk.at;
    if (at >= list.length) return { value: undefined, done: true };
    walk.at = at + 2;
    const name = list[at] as string;
    const value = list[at + 1] as string;
    if (walk.kind === "keys") return { value: name, done: false };
    return { value: walk.kind === "values" ? value : [name, value], done: false };
  },
};
const iteratorPrototype = Object.create(
  Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object,
  {
    next: { value: iteratorMembers.next, writable: true, enumerable: true, configurable: true },
    [Symbol.toStringTag]: { value: "URLSearchParams Iterator", configurable: true },
  },
) as object;

/** Live: it sees what changes while it walks. `_list` only proves that `params` is one. */
function iterate(params: URLSearchParams, _list: readonly string[], kind: Walk["kind"]): object {
  const iterator = Object.create(iteratorPrototype) as object;
  keepWalk(iterator, { params, kind, at: 0 });
  return iterator;
}

function listFromObject(init: object): string[] {
  const method: unknown = (init as { [Symbol.iterator]?: unknown })[Symbol.iterator];
  const list: string[] = [];
  if (method === undefined || method === null) return listFromRecord(init);
  if (typeof method !== "function") throw new TypeError("Symbol.iterator is no function");
  for (const pair of init as Iterable<unknown>) {
    const iterable = (typeof pair === "object" && pair !== null) || typeof pair === "function";
    if (!iterable) throw new TypeError("Each query pair must be an iterable of a name and a value");
    const items = [...(pair as Iterable<unknown>)];
    if (items.length !== 2) throw new TypeError("Each query pair must be a name and a value");
    list[list.length] = convert(items[0]);
    list[list.length] = convert(items[1]);
  }
  return list;
}

function listFromRecord(init: object): string[] {
  const list: string[] = [];
  for (const key of ownKeys(init)) {
    if (descriptorOf(init, key)?.enumerable !== true) continue;
    if (typeof key === "symbol") throw new TypeError("A name cannot be a symbol");
    const name = convert(key);
    const value = convert((init as Record<string, unknown>)[key]);
    let at = 0;
    while (at < list.length && list[at] !== name) at += 2;
    list[at] = name;
    list[at + 1] = value;
  }
  return list;
}
