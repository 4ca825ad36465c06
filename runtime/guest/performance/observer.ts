// PerformanceObserver (Performance Timeline). Entries wait with each observer until a task of their own tells it; while
// nobody observes, an entry costs nothing here.

import { DOMException } from "../dom-exception.ts";
import { iterate } from "../headers.ts";
import { exposeInterface } from "../interface.ts";
import { reportException } from "../report.ts";
import { startTimer } from "../timers.ts";
import { entryOf, type EntryType, type PerformanceEntry } from "./entries.ts";
import { droppedOf, ENTRIES_MAX, findEntries, onEntry, timeline } from "./timeline.ts";

/** Only the timeline makes lists. */
const INTERNAL = {};
const apply = Reflect.apply;
const iterator: typeof Symbol.iterator = Symbol.iterator;
const TYPES: readonly EntryType[] = Object.freeze<EntryType[]>(["mark", "measure"]);

type Watched = Record<EntryType, boolean>;

/** Those that observe something, in the order in which they began. */
let observers: readonly PerformanceObserver[] = [];
let isDue = false;
let take: (observer: PerformanceObserver, entry: PerformanceEntry) => void;
let tell: (observer: PerformanceObserver) => void;

export class PerformanceObserverEntryList {
  readonly #entries: readonly PerformanceEntry[];

  constructor(internal: unknown, entries: readonly PerformanceEntry[]) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#entries = entries;
  }

  getEntries(): PerformanceEntry[] {
    return findEntries(this.#entries, null, null);
  }

  getEntriesByType(type: unknown): PerformanceEntry[] {
    return findEntries(this.#entries, null, `${type as string}`);
  }

  getEntriesByName(name: unknown, type?: unknown): PerformanceEntry[] {
    const wanted = type === undefined ? null : `${type as string}`;
    return findEntries(this.#entries, `${name as string}`, wanted);
  }
}
exposeInterface(PerformanceObserverEntryList, "PerformanceObserverEntryList");

export class PerformanceObserver {
  readonly #callback: (...args: unknown[]) => unknown;
  /** By types at once, or by one type after the other: the first call decides. */
  #way: "entryTypes" | "type" | null = null;
  #watched: Watched = { mark: false, measure: false };
  #waiting: PerformanceEntry[] = [];
  #dropped = 0;
  /** The next call of the callback says how many entries this observer cannot know of. */
  #tellsDropped = false;

  static {
    take = (observer, entry) => {
      if (!observer.#watched[entryOf(entry).entryType]) return;
      const waiting = observer.#waiting;
      if (waiting.length >= ENTRIES_MAX) observer.#dropped++;
      else waiting[waiting.length] = entry;
      tellSoon();
    };
    tell = (observer) => observer.#tell();
  }

  constructor(callback: unknown) {
    if (typeof callback !== "function") throw new TypeError("An observer is made with a function");
    this.#callback = callback as (...args: unknown[]) => unknown;
  }

  static get supportedEntryTypes(): readonly string[] {
    return TYPES;
  }

  observe(options: unknown = {}): void {
    const { entryTypes, type, buffered } = observationOf(options);
    const way = entryTypes === null ? "type" : "entryTypes";
    if (this.#way !== null && this.#way !== way) {
      throw new DOMException(
        "An observer has either entryTypes or type, from its first call on.",
        "InvalidModificationError",
      );
    }
    this.#way = way;
    const wanted = wantedOf(entryTypes ?? [`${type as string}`]);
    if (!wanted.mark && !wanted.measure) return;
    if (entryTypes === null) {
      const { mark, measure } = this.#watched;
      this.#watched = { mark: mark || wanted.mark, measure: measure || wanted.measure };
    } else this.#watched = wanted;
    this.#tellsDropped = true;
    register(this);
    if (buffered && entryTypes === null) this.#takePast(wanted);
  }

  disconnect(): void {
    unregister(this);
    this.#way = null;
    this.#watched = { mark: false, measure: false };
    this.#waiting = [];
    this.#dropped = 0;
  }

  takeRecords(): PerformanceEntry[] {
    const taken = findEntries(this.#waiting, null, null);
    this.#waiting = [];
    return taken;
  }

  #takePast(wanted: Watched): void {
    const past = timeline();
    for (let at = 0; at < past.length; at++) {
      const entry = past[at];
      if (entry !== undefined && wanted[entryOf(entry).entryType]) take(this, entry);
    }
  }

  #tell(): void {
    if (this.#waiting.length === 0) return;
    const list = new PerformanceObserverEntryList(INTERNAL, this.#waiting);
    this.#waiting = [];
    // Without a prototype: what an author has put on Object.prototype is none of the options.
    const options: { __proto__: null; droppedEntriesCount?: number } = { __proto__: null };
    if (this.#tellsDropped || this.#dropped > 0) {
      options.droppedEntriesCount = this.#dropped + this.#droppedBefore();
    }
    this.#tellsDropped = false;
    this.#dropped = 0;
    try {
      apply(this.#callback, this, [list, this, options]);
    } catch (error) {
      reportException(error);
    }
  }

  #droppedBefore(): number {
    if (!this.#tellsDropped) return 0;
    let count = 0;
    for (let at = 0; at < TYPES.length; at++) {
      const type = TYPES[at];
      if (type !== undefined && this.#watched[type]) count += droppedOf(type);
    }
    return count;
  }
}
exposeInterface(PerformanceObserver, "PerformanceObserver");

function register(observer: PerformanceObserver): void {
  const all: PerformanceObserver[] = [];
  for (let at = 0; at < observers.length; at++) {
    const each = observers[at];
    if (each === observer) return;
    if (each !== undefined) all[all.length] = each;
  }
  all[all.length] = observer;
  observers = all;
  onEntry(queue);
}

function unregister(observer: PerformanceObserver): void {
  const others: PerformanceObserver[] = [];
  for (let at = 0; at < observers.length; at++) {
    const each = observers[at];
    if (each !== undefined && each !== observer) others[others.length] = each;
  }
  observers = others;
  if (others.length === 0) onEntry(null);
}

function queue(entry: PerformanceEntry): void {
  for (let at = 0; at < observers.length; at++) {
    const observer = observers[at];
    if (observer !== undefined) take(observer, entry);
  }
}

function tellSoon(): void {
  if (isDue) return;
  isDue = true;
  startTimer(() => void tellAll(), 0);
}

/** Those that observe now: who is disconnected meanwhile has nothing waiting. */
async function tellAll(): Promise<void> {
  isDue = false;
  const told = observers;
  for (let at = 0; at < told.length; at++) {
    const observer = told[at];
    if (observer !== undefined) tell(observer);
    // oxlint-disable-next-line typescript/await-thenable -- promise jobs of one callback come before the next.
    await undefined;
  }
}

interface Observation {
  readonly entryTypes: readonly string[] | null;
  readonly type: unknown;
  readonly buffered: boolean;
}

/** Throws TypeError. */
function observationOf(options: unknown): Observation {
  if (options !== null && typeof options !== "object" && typeof options !== "function") {
    throw new TypeError("What to observe is an object");
  }
  const { buffered, entryTypes, type } = (options ?? {}) as Record<string, unknown>;
  if (entryTypes === undefined && type === undefined) {
    throw new TypeError("entryTypes or type is missing");
  }
  if (entryTypes !== undefined && type !== undefined) {
    throw new TypeError("entryTypes and type are one too many");
  }
  const types = entryTypes === undefined ? null : textsOf(entryTypes);
  return { entryTypes: types, type, buffered: Boolean(buffered) };
}

function textsOf(list: unknown): string[] {
  const isObject = typeof list === "object" && list !== null;
  const method = isObject ? (list as { readonly [iterator]?: unknown })[iterator] : undefined;
  if (typeof method !== "function") throw new TypeError("entryTypes are a sequence");
  const texts: string[] = [];
  for (const each of iterate(list as object, method)) texts[texts.length] = `${each as string}`;
  return texts;
}

/** Types that are not known are passed over. */
function wantedOf(types: readonly string[]): Watched {
  const wanted = { mark: false, measure: false };
  for (let at = 0; at < types.length; at++) {
    const type = types[at];
    if (type === "mark" || type === "measure") wanted[type] = true;
  }
  return wanted;
}
