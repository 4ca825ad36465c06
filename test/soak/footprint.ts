// What a node costs while mixes of attacks run: memory of all its processes, and open files. Looked at between two mixes,
// when nothing runs.

import type { TestNode } from "../node.ts";
import { descendants, descriptors, pssBytes } from "../processes.ts";
import { trendOf } from "./trend.ts";

const MB = 1e6;
const MINUTE_MS = 60_000;
/** A young process grows whatever it does. */
const WARM_UP_MINUTES = 3;
/** Fewer say nothing: heaps of hosts grow in steps, and collectors come when they like. */
const MINUTES_MIN = 6;
/** Over ten minutes, of all processes. */
export const GROWTH_MB_MAX = 1;
/** Connections of clients that have just gone, and of processes that are being made. */
export const DESCRIPTORS_MORE_MAX = 16;

interface Look {
  readonly bytes: number;
  readonly descriptors: number;
}

export class Footprint {
  readonly #node: TestNode;
  /** The least of each minute since a worker was last replaced; its replacement begins anew. */
  #minutes: Look[] = [];
  #begunMs: number = performance.now();
  #first: Look | null = null;
  #last: Look | null = null;

  constructor(node: TestNode) {
    this.#node = node;
  }

  /** A worker has come in place of another. */
  restart(): void {
    this.#minutes = [];
    this.#first = null;
    this.#begunMs = performance.now();
  }

  look(): void {
    const now = lookAt(this.#node);
    this.#last = now;
    const at = Math.floor((performance.now() - this.#begunMs) / MINUTE_MS);
    if (at >= WARM_UP_MINUTES) this.#first ??= now;
    const least = this.#minutes[at];
    if (least === undefined || now.bytes < least.bytes) this.#minutes[at] = now;
  }

  line(): string {
    const now = this.#last ?? lookAt(this.#node);
    return `${Math.round(now.bytes / MB)} MB, ${now.descriptors} files`;
  }

  /** One line, and what of it is too much. */
  verdict(): { readonly line: string; readonly complaints: readonly string[] } {
    const complaints: string[] = [];
    const warm = this.#minutes.flatMap((look, x) =>
      x < WARM_UP_MINUTES ? [] : [{ x, y: look.bytes / MB }],
    );
    const trend = trendOf(warm);
    let line = `memory not judged: ${warm.length} minutes since the last replacement and its warm-up`;
    if (trend !== null) {
      const growth = trend.slope * 10;
      const error = trend.standardError * 20;
      line = `memory ${growth.toFixed(1)} ± ${error.toFixed(1)} MB per 10 minutes`;
      if (warm.length < MINUTES_MIN) line += ` (not judged: ${warm.length} minutes)`;
      else if (growth - error > GROWTH_MB_MAX) complaints.push(`memory grows: ${line}`);
    }
    if (this.#first !== null && this.#last !== null) {
      const files = `files ${this.#first.descriptors} before, ${this.#last.descriptors} after`;
      line += `; ${files}`;
      const more = this.#last.descriptors - this.#first.descriptors;
      if (more > DESCRIPTORS_MORE_MAX) complaints.push(`open ${files}`);
    }
    return { line, complaints };
  }
}

function lookAt(node: TestNode): Look {
  const look = { bytes: 0, descriptors: 0 };
  for (const pid of new Set([node.pid, ...descendants(node.pid), ...node.workerProcesses()])) {
    try {
      look.bytes += pssBytes(pid);
      look.descriptors += descriptors(pid);
    } catch {
      // It has ended.
    }
  }
  return look;
}
