// What each request may use of CPU time, and what it has used. The guest reads the same figures in the cells, for
// ctx.remaining().

import { CELL, OPEN_MAX } from "../../../sdk/bridge.ts";
import type { Limits } from "../../../sdk/limits.ts";
import type { Job } from "../jobs/job.ts";

/**
 * A slice is cut off at the limit by the engine's clock. When this part of the limit or less was CPU time, the
 * machine was busy and not the handler.
 */
const REAL_PART = 0.9;

export class CpuBudget {
  readonly #hardUs: number;
  readonly #softUs: number;
  readonly #cells: Int32Array;

  constructor(limits: Pick<Limits, "cpuMs" | "cpuSoftMs" | "wallMs">, cells: SharedArrayBuffer) {
    this.#hardUs = limits.cpuMs * 1_000;
    this.#softUs = Math.min(limits.cpuSoftMs, limits.cpuMs) * 1_000;
    this.#cells = new Int32Array(cells);
    this.#cells[CELL.CPU_LIMIT_US] = this.#hardUs;
    this.#cells[CELL.WALL_LIMIT_MS] = limits.wallMs;
  }

  open(job: Job): void {
    this.#cells[CELL.USED_US + (job.id % OPEN_MAX)] = 0;
  }

  /** It begins anew: a message has come on what it has become. */
  renew(job: Job): void {
    job.cpuUs = 0;
    job.warned = false;
    this.open(job);
  }

  /** True when this brought the request over its soft limit. */
  charge(job: Job, cpuUs: number): boolean {
    job.slices++;
    job.cpuUs += cpuUs;
    this.#cells[CELL.USED_US + (job.id % OPEN_MAX)] = job.cpuUs;
    if (job.warned || job.cpuUs < this.#softUs) return false;
    job.warned = true;
    return true;
  }

  leftUs(job: Job): number {
    return this.#hardUs - job.cpuUs;
  }

  /** Of a request whose slice was cut off: whether it was the one that used the time. */
  isToBlame(job: Job): boolean {
    return job.cpuUs >= this.#hardUs * REAL_PART;
  }
}
