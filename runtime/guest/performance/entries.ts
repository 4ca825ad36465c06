// What a timeline holds (Performance Timeline, User Timing): marks, and measures between them.

import { exposeInterface } from "../interface.ts";
import { structuredClone } from "../structured-clone.ts";
import { readMonotonic } from "../time.ts";

const INTERNAL = {};
const isFinite = Number.isFinite;

export type EntryType = "mark" | "measure";

export interface Entry {
  readonly name: string;
  readonly entryType: EntryType;
  readonly startTime: number;
  readonly duration: number;
  readonly detail: unknown;
}

/** The private side of PerformanceEntry. Throws TypeError for what is none. */
export let entryOf: (object: PerformanceEntry) => Entry;

export class PerformanceEntry {
  readonly #entry: Entry;

  static {
    entryOf = (object) => object.#entry;
  }

  constructor(internal: unknown, entry: Entry) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#entry = entry;
  }

  get name(): string {
    return this.#entry.name;
  }

  get entryType(): string {
    return this.#entry.entryType;
  }

  get startTime(): number {
    return this.#entry.startTime;
  }

  get duration(): number {
    return this.#entry.duration;
  }

  toJSON(): object {
    return { ...this.#entry };
  }
}
exposeInterface(PerformanceEntry, "PerformanceEntry");

export class PerformanceMark extends PerformanceEntry {
  constructor(
    name: unknown,
    options?: { readonly startTime?: unknown; readonly detail?: unknown } | null,
  ) {
    if (arguments.length === 0) throw new TypeError("A mark requires a name");
    const text = `${name as string}`;
    if (options !== undefined && options !== null && !isObject(options)) {
      throw new TypeError("The options of a mark are an object");
    }
    const { startTime, detail } = options ?? {};
    super(INTERNAL, {
      name: text,
      entryType: "mark",
      startTime: startTime === undefined ? readMonotonic() : momentOf(startTime),
      duration: 0,
      detail: cloneOf(detail),
    });
  }

  get detail(): unknown {
    return entryOf(this).detail;
  }
}
exposeInterface(PerformanceMark, "PerformanceMark");

export class PerformanceMeasure extends PerformanceEntry {
  get detail(): unknown {
    return entryOf(this).detail;
  }
}
exposeInterface(PerformanceMeasure, "PerformanceMeasure");

export function createMeasure(
  name: string,
  from: number,
  to: number,
  detail: unknown,
): PerformanceMeasure {
  const entry = { startTime: from, duration: to - from, detail: cloneOf(detail) };
  return new PerformanceMeasure(INTERNAL, { name, entryType: "measure", ...entry });
}

/** As authors give one, in milliseconds. Throws TypeError. */
export function momentOf(value: unknown): number {
  const ms = durationOf(value);
  if (ms < 0) throw new TypeError("A moment cannot be negative");
  return ms;
}

export function durationOf(value: unknown): number {
  const ms = +(value as number);
  if (!isFinite(ms)) throw new TypeError("A time is a finite number");
  return ms;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" || typeof value === "function";
}

function cloneOf(detail: unknown): unknown {
  return detail === undefined || detail === null ? null : structuredClone(detail);
}
