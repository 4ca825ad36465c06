// The entries of this isolate, newest last, and what its observers are told. Requests share an isolate and so the
// timeline.

import { entryOf, type EntryType, type PerformanceEntry } from "./entries.ts";

/** Marks and measures that are never cleared would fill the isolate's memory, request by request. */
export const ENTRIES_MAX = 1_000;

const apply = Reflect.apply;
const sort = Array.prototype.sort;

let entries: PerformanceEntry[] = [];
/** Entries that newer ones have pushed out, by type. */
const dropped: Record<EntryType, number> = { mark: 0, measure: 0 };
let observe: ((entry: PerformanceEntry) => void) | null = null;

/** `listener` learns of every entry from now on. */
export function onEntry(listener: ((entry: PerformanceEntry) => void) | null): void {
  observe = listener;
}

export function addEntry(entry: PerformanceEntry): void {
  if (entries.length >= ENTRIES_MAX) {
    const [oldest] = entries;
    if (oldest !== undefined) dropped[entryOf(oldest).entryType]++;
    entries = chosen(entries, (_entry, at) => at > 0);
  }
  entries[entries.length] = entry;
  observe?.(entry);
}

/** A name that is null stands for all. */
export function clearEntries(type: EntryType, name: string | null): void {
  entries = chosen(entries, (object) => {
    const entry = entryOf(object);
    return entry.entryType !== type || (name !== null && entry.name !== name);
  });
}

export function timeline(): readonly PerformanceEntry[] {
  return entries;
}

export function droppedOf(type: EntryType): number {
  return dropped[type];
}

/** When the newest mark of that name was; null: there is none. */
export function findMark(name: string): number | null {
  for (let at = entries.length - 1; at >= 0; at--) {
    const object = entries[at];
    if (object === undefined) continue;
    const entry = entryOf(object);
    if (entry.entryType === "mark" && entry.name === name) return entry.startTime;
  }
  return null;
}

/** In the order of their beginning; null stands for all. */
export function findEntries(
  from: readonly PerformanceEntry[],
  name: string | null,
  type: string | null,
): PerformanceEntry[] {
  const found = chosen(from, (object) => {
    const entry = entryOf(object);
    return (name === null || entry.name === name) && (type === null || entry.entryType === type);
  });
  return apply(sort, found, [byStart]) as PerformanceEntry[];
}

function chosen(
  from: readonly PerformanceEntry[],
  isChosen: (entry: PerformanceEntry, at: number) => boolean,
): PerformanceEntry[] {
  const found: PerformanceEntry[] = [];
  for (let at = 0; at < from.length; at++) {
    const entry = from[at];
    if (entry !== undefined && isChosen(entry, at)) found[found.length] = entry;
  }
  return found;
}

function byStart(a: PerformanceEntry, b: PerformanceEntry): number {
  return entryOf(a).startTime - entryOf(b).startTime;
}
