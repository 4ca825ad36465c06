// Records on their way into an isolate: those that wait for a slice, and those of the slice under way.

import { pack } from "../../../sdk/bridge.ts";
import type { PendingRecord } from "./contract.ts";

export interface PackedBatch {
  readonly packed: string;
  readonly buffers: ArrayBuffer[];
}

export class RecordQueue {
  #waiting: PendingRecord[] = [];
  #batch: readonly PendingRecord[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Of the slice under way, or of the last one; none of a probe. */
  get batch(): readonly PendingRecord[] {
    return this.#batch;
  }

  push(record: PendingRecord): void {
    this.#waiting.push(record);
  }

  /** Makes the next batch of what waits. */
  take(max: number): PackedBatch {
    const all = this.#waiting;
    this.#batch = all.length <= max ? all : all.slice(0, max);
    this.#waiting = all.length <= max ? [] : all.slice(max);
    const buffers: ArrayBuffer[] = [];
    let packed = "";
    for (const { op, id, payload, buffer } of this.#batch) {
      if (buffer === null) {
        packed += pack(op, id, typeof payload === "string" ? payload : payload());
      } else {
        const text = typeof payload === "string" ? payload : payload();
        packed += pack(op, id, text === "" ? `${buffers.length}` : `${buffers.length}\n${text}`);
        buffers.push(buffer);
      }
    }
    return { packed, buffers };
  }

  /** The slice was cut. Puts back what it had not started; returns those whose bytes are lost with it. */
  cut(started: number): PendingRecord[] {
    const rest = this.#batch.slice(started);
    this.#batch = [];
    this.#waiting = [...rest.filter(({ buffer }) => buffer === null), ...this.#waiting];
    return rest.filter(({ buffer }) => buffer !== null);
  }

  clear(): void {
    this.#waiting = [];
  }
}

export function ownersOf(batch: readonly PendingRecord[]): number[] {
  return batch.map(({ owner }) => owner).filter((owner) => owner !== 0);
}
