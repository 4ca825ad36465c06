// What slices sent, on its way to the instance, in order. An inline slice's is handled only after it: host code in a
// slice would count as the guest's. And a report may hold any number of records: what takes this thread long is
// handed on in several turns of the event loop, and no slice starts before it is done.

import { Records } from "../../../sdk/bridge.ts";
import type { SliceEvents, SliceHost } from "./contract.ts";

/** Of one isolate's records, in one turn of the event loop: with others' it stays below what anybody would feel. */
export const TURN_MS_MAX = 4;
/** Looking at the clock is a tenth of a short record's time; so many of the longest take a few milliseconds. */
export const RECORDS_PER_LOOK = 32;

interface Report {
  readonly records: Records;
  /** Belong to its last record. */
  readonly bytes: ArrayBuffer | null;
}

export interface IntakeOptions {
  readonly host: Pick<SliceHost, "later">;
  readonly events: Pick<SliceEvents, "record" | "malformed">;
  /** All is handed on, in a later turn than it came. */
  readonly onEmpty: () => void;
  /** Monotonic. */
  readonly now?: () => number;
}

export class Intake {
  readonly #host: IntakeOptions["host"];
  readonly #events: IntakeOptions["events"];
  readonly #onEmpty: () => void;
  readonly #now: () => number;
  #reports: Report[] = [];
  #later = false;

  constructor({ host, events, onEmpty, now = () => performance.now() }: IntakeOptions) {
    this.#host = host;
    this.#events = events;
    this.#onEmpty = onEmpty;
    this.#now = now;
  }

  get isEmpty(): boolean {
    return this.#reports.length === 0;
  }

  put(packed: string, bytes: ArrayBuffer | null): void {
    this.#reports.push({ records: new Records(packed), bytes });
  }

  /** Hands on what there is, as far as it fits into this turn. */
  empty(): void {
    if (!this.#later) this.#handOn();
  }

  clear(): void {
    this.#reports = [];
  }

  #handOn(): boolean {
    let startedMs = -1;
    let left = RECORDS_PER_LOOK;
    for (let report = this.#reports[0]; report !== undefined; report = this.#reports[0]) {
      const { records, bytes } = report;
      while (records.next()) {
        this.#events.record(records, records.isLast ? bytes : null);
        if (--left > 0) continue;
        left = RECORDS_PER_LOOK;
        const now = this.#now();
        if (startedMs < 0) startedMs = now;
        else if (now - startedMs > TURN_MS_MAX) return this.#goOnLater();
      }
      if (records.malformed) this.#events.malformed();
      this.#reports.shift();
    }
    return true;
  }

  #goOnLater(): false {
    this.#later = true;
    this.#host.later(() => {
      this.#later = false;
      if (this.#handOn()) this.#onEmpty();
    });
    return false;
  }
}
