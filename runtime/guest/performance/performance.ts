// `performance`: the clock, and a timeline of what authors mark and measure (User Timing, level 3). Requests share an
// isolate and so the timeline; the newest entries stay. There are no observers.

import { DOMException } from "../dom-exception.ts";
import { EventTarget } from "../event-target.ts";
import { exposeInterface } from "../interface.ts";
import { readMonotonic, readOrigin } from "../time.ts";
import {
  createMeasure,
  durationOf,
  entryOf,
  momentOf,
  PerformanceMark,
  type EntryType,
  type PerformanceEntry,
  type PerformanceMeasure,
} from "./entries.ts";

/** Marks and measures that are never cleared would fill the isolate's memory, request by request. */
export const ENTRIES_MAX = 1_000;

interface MeasureOptions {
  readonly start?: unknown;
  readonly end?: unknown;
  readonly duration?: unknown;
  readonly detail?: unknown;
}

type MarkInit = ConstructorParameters<typeof PerformanceMark>[1];

const apply = Reflect.apply;
const sort = Array.prototype.sort;

export class Performance extends EventTarget {
  #entries: PerformanceEntry[] = [];

  now(): number {
    return readMonotonic();
  }

  get timeOrigin(): number {
    return readOrigin();
  }

  mark(name: unknown, options?: MarkInit): PerformanceMark {
    if (arguments.length === 0) throw new TypeError("mark requires a name");
    const mark = new PerformanceMark(name, options);
    this.#add(mark);
    return mark;
  }

  measure(name: unknown, startOrOptions?: unknown, endMark?: unknown): PerformanceMeasure {
    if (arguments.length === 0) throw new TypeError("measure requires a name");
    const text = `${name as string}`;
    const options = optionsOf(startOrOptions);
    const { start, end, duration, detail } = options;
    const isGiven =
      start !== undefined || end !== undefined || duration !== undefined || detail !== undefined;
    if (isGiven && typeof startOrOptions === "object") {
      if (endMark !== undefined)
        throw new TypeError("An end stands in the options, not beside them");
      if (start === undefined && end === undefined) throw new TypeError("start or end is missing");
      if (start !== undefined && end !== undefined && duration !== undefined) {
        throw new TypeError("start, end and duration are one too many");
      }
    }
    const to = this.#endOf(options, endMark);
    const from = this.#startOf(options, to);
    const measure = createMeasure(text, from, to, detail);
    this.#add(measure);
    return measure;
  }

  clearMarks(name?: unknown): void {
    this.#clear("mark", name);
  }

  clearMeasures(name?: unknown): void {
    this.#clear("measure", name);
  }

  getEntries(): PerformanceEntry[] {
    return this.#find(() => true);
  }

  getEntriesByType(type: unknown): PerformanceEntry[] {
    const wanted = `${type as string}`;
    return this.#find((entry) => entryOf(entry).entryType === wanted);
  }

  getEntriesByName(name: unknown, type?: unknown): PerformanceEntry[] {
    const wanted = `${name as string}`;
    const ofType = type === undefined ? null : `${type as string}`;
    return this.#find((object) => {
      const entry = entryOf(object);
      return entry.name === wanted && (ofType === null || entry.entryType === ofType);
    });
  }

  toJSON(): { timeOrigin: number } {
    return { timeOrigin: readOrigin() };
  }

  #endOf({ start, end, duration }: MeasureOptions, endMark: unknown): number {
    if (endMark !== undefined) return this.#momentOf(endMark);
    if (end !== undefined) return this.#momentOf(end);
    if (start === undefined || duration === undefined) return readMonotonic();
    return this.#momentOf(start) + durationOf(duration);
  }

  #startOf({ start, end, duration }: MeasureOptions, to: number): number {
    if (start !== undefined) return this.#momentOf(start);
    return end !== undefined && duration !== undefined ? to - durationOf(duration) : 0;
  }

  /** A number, or the newest mark of that name. */
  #momentOf(value: unknown): number {
    if (typeof value === "number") return momentOf(value);
    const name = `${value as string}`;
    for (let at = this.#entries.length - 1; at >= 0; at--) {
      const object = this.#entries[at];
      if (object === undefined) continue;
      const entry = entryOf(object);
      if (entry.entryType === "mark" && entry.name === name) return entry.startTime;
    }
    throw new DOMException(`There is no mark named ${name}.`, "SyntaxError");
  }

  #add(entry: PerformanceEntry): void {
    const entries = this.#entries;
    if (entries.length >= ENTRIES_MAX) this.#keep((_entry, at) => at > 0);
    this.#entries[this.#entries.length] = entry;
  }

  #clear(type: EntryType, name: unknown): void {
    const wanted = name === undefined ? null : `${name as string}`;
    this.#keep((object) => {
      const entry = entryOf(object);
      return entry.entryType !== type || (wanted !== null && entry.name !== wanted);
    });
  }

  #keep(isKept: (entry: PerformanceEntry, at: number) => boolean): void {
    this.#entries = chosen(this.#entries, isKept);
  }

  #find(isFound: (entry: PerformanceEntry) => boolean): PerformanceEntry[] {
    const found = chosen(this.#entries, isFound);
    return apply(sort, found, [byStart]) as PerformanceEntry[];
  }
}
exposeInterface(Performance, "Performance");

export const performance: Performance = new Performance();

/** A text is the name of the mark to start from. */
function optionsOf(given: unknown): MeasureOptions {
  if (given === undefined || given === null) return {};
  return typeof given === "object" ? given : { start: `${given as string}` };
}

function chosen(
  entries: readonly PerformanceEntry[],
  isChosen: (entry: PerformanceEntry, at: number) => boolean,
): PerformanceEntry[] {
  const found: PerformanceEntry[] = [];
  for (let at = 0; at < entries.length; at++) {
    const entry = entries[at];
    if (entry !== undefined && isChosen(entry, at)) found[found.length] = entry;
  }
  return found;
}

function byStart(a: PerformanceEntry, b: PerformanceEntry): number {
  return entryOf(a).startTime - entryOf(b).startTime;
}
