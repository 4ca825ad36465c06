// How many requests of a key are open over all workers of the node: a row per key, in which each worker that has some
// of them counts its own. A worker that dies gives nothing back: its count is left out once it has missed its beats,
// so that what it held is free again after a few seconds. Rows without requests are removed, so there are never more
// of them than requests.

import { hash, randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { NodeStore } from "./store.ts";

/** Workers that can have requests of one key; more of them than a node has workers on any machine yet. */
const OWNERS_MAX = 64;
/** Its number, its count. */
const OWNER = 2;
const BEAT_MS = 1_000;
/** A worker that is silent for three seconds is replaced (runtime/supervisor/health.ts), and then killed. */
export const LEASE_MS = 5_000;

export class OpenCounts {
  readonly #store: NodeStore;
  readonly #clock: Clock;
  /** Not 0. */
  readonly #me: number = randomBytes(6).readUIntBE(0, 6) + 1;
  readonly #row = new Float64Array(OWNERS_MAX * OWNER);
  readonly #beat = new Float64Array(1);
  #beatMs = Number.NEGATIVE_INFINITY;
  // Of the change that is being made.
  #max = 0;
  #isTaken = false;
  readonly #take = (): boolean => this.#takeInRow();
  readonly #give = (): boolean | "remove" => this.#giveInRow();

  constructor(store: NodeStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.beat();
  }

  /** False: `max` are open. Each true one is given back once. */
  take(key: string, max: number): boolean {
    this.#max = max;
    this.#isTaken = false;
    this.#store.open.update(placeOf(key), this.#row, this.#take);
    return this.#isTaken;
  }

  give(key: string): void {
    this.#store.open.update(placeOf(key), this.#row, this.#give);
  }

  /** Says that this worker lives; called often. */
  beat(): void {
    const now = this.#clock();
    if (now - this.#beatMs < BEAT_MS) return;
    this.#beatMs = now;
    this.#store.servers.update(beatKey(this.#me), this.#beat, () => {
      this.#beat[0] = now;
      return true;
    });
  }

  #takeInRow(): boolean {
    const row = this.#row;
    let at = this.#placeIn(row);
    if (at < 0 || this.#total(row) >= this.#max) {
      if (!this.#leaveOutDead(row)) return false;
      at = this.#placeIn(row);
      if (at < 0 || this.#total(row) >= this.#max) return true;
    }
    row[at] = this.#me;
    row[at + 1] = (row[at + 1] ?? 0) + 1;
    this.#isTaken = true;
    return true;
  }

  #giveInRow(): boolean | "remove" {
    const row = this.#row;
    for (let at = 0; at < row.length; at += OWNER) {
      if (row[at] !== this.#me) continue;
      const left = (row[at + 1] ?? 0) - 1;
      row[at + 1] = Math.max(0, left);
      if (left <= 0) row[at] = 0;
      return this.#total(row) === 0 ? "remove" : true;
    }
    // It was taken for dead, as one that stands still for long is.
    return false;
  }

  /** Its own, or a free one; -1: there is none. */
  #placeIn(row: Float64Array): number {
    let free = -1;
    for (let at = row.length - OWNER; at >= 0; at -= OWNER) {
      if (row[at] === this.#me) return at;
      if (row[at] === 0) free = at;
    }
    return free;
  }

  #total(row: Float64Array): number {
    let total = 0;
    for (let at = 1; at < row.length; at += OWNER) total += row[at] ?? 0;
    return total;
  }

  /** True: there were some. */
  #leaveOutDead(row: Float64Array): boolean {
    let isChanged = false;
    for (let at = 0; at < row.length; at += OWNER) {
      const owner = row[at] ?? 0;
      if (owner === 0 || owner === this.#me || this.#isAlive(owner)) continue;
      row[at] = 0;
      row[at + 1] = 0;
      isChanged = true;
    }
    return isChanged;
  }

  #isAlive(owner: number): boolean {
    this.#store.servers.read(beatKey(owner), this.#beat);
    return Math.abs(this.#clock() - (this.#beat[0] ?? 0)) <= LEASE_MS;
  }
}

function beatKey(owner: number): string {
  return `\0beat ${owner}`;
}

/** Keys may be as long as a header. */
function placeOf(key: string): string {
  return hash("sha256", key, "base64url");
}
