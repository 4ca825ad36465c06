// `performance`: the clock, and what authors mark and measure (User Timing, level 3).

import { DOMException } from "../dom-exception.ts";
import { EventTarget } from "../event-target.ts";
import { exposeInterface } from "../interface.ts";
import { readMonotonic, readOrigin } from "../time.ts";
import {
  createMeasure,
  durationOf,
  momentOf,
  PerformanceMark,
  type PerformanceEntry,
  type PerformanceMeasure,
} from "./entries.ts";
import { addEntry, clearEntries, findEntries, findMark, timeline } from "./timeline.ts";

/** There is one, as there is one timeline. */
const INTERNAL = {};

interface MeasureOptions {
  readonly start?: unknown;
  readonly end?: unknown;
  readonly duration?: unknown;
  readonly detail?: unknown;
}

type MarkInit = ConstructorParameters<typeof PerformanceMark>[1];

export class Performance extends EventTarget {
  constructor(internal: unknown) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
  }

  now(): number {
    return readMonotonic();
  }

  get timeOrigin(): number {
    return readOrigin();
  }

  mark(name: unknown, options?: MarkInit): PerformanceMark {
    if (arguments.length === 0) throw new TypeError("mark requires a name");
    const mark = new PerformanceMark(name, options);
    addEntry(mark);
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
    addEntry(measure);
    return measure;
  }

  clearMarks(name?: unknown): void {
    clearEntries("mark", name === undefined ? null : `${name as string}`);
  }

  clearMeasures(name?: unknown): void {
    clearEntries("measure", name === undefined ? null : `${name as string}`);
  }

  getEntries(): PerformanceEntry[] {
    return findEntries(timeline(), null, null);
  }

  getEntriesByType(type: unknown): PerformanceEntry[] {
    return findEntries(timeline(), null, `${type as string}`);
  }

  getEntriesByName(name: unknown, type?: unknown): PerformanceEntry[] {
    const wanted = type === undefined ? null : `${type as string}`;
    return findEntries(timeline(), `${name as string}`, wanted);
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
    const moment = findMark(name);
    if (moment !== null) return moment;
    throw new DOMException(`There is no mark named ${name}.`, "SyntaxError");
  }
}
exposeInterface(Performance, "Performance");

export const performance: Performance = new Performance(INTERNAL);

/** A text is the name of the mark to start from. */
function optionsOf(given: unknown): MeasureOptions {
  if (given === undefined || given === null) return {};
  return typeof given === "object" ? given : { start: `${given as string}` };
}
