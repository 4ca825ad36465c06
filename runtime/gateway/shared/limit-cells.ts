// Where the cells of rate limits lie: a table of fixed size, in which a key has a place in one of eight ways of one
// row. When all eight are taken, the one that was written longest ago goes: its key begins anew. So there is a bound
// on keys whatever clients send, no list to keep and nothing to sweep; and as the hash is keyed with a secret of the
// node, nobody can choose whose place to take, or to share.

import { createHash, randomBytes } from "node:crypto";
import type { Decision } from "../../../sdk/gateway/limits.ts";
import { CELL, type Decide } from "../policies/limits/limiters.ts";
import type { Clock } from "../clock.ts";
import type { NodeStore } from "./store.ts";

/** Rows; with eight ways, 131072 keys, 5 MB. */
const LIMIT_ROWS = 16_384;
export const WAYS = 8;
/** The key's hash, then the limiter's cell. */
const WAY = 1 + CELL;
/** What a cell's time may be ahead: two processes read one clock. More, and it is of another boot. */
const AHEAD_MS_MAX = 1_000;
const SECRET_KEY = "\0secret";
const SECRET_DOUBLES = 12;

export class LimitCells {
  readonly #store: NodeStore;
  readonly #clock: Clock;
  readonly #rows: number;
  readonly #secret: Buffer;
  readonly #row = new Float64Array(WAYS * WAY);
  // Of the decision that is being made: one function for all, so that none is made per request.
  #id = 0;
  #now = 0;
  #decide: Decide | null = null;
  #decision: Decision = { allowed: false, remaining: 0, resetMs: 0, retryMs: 0 };
  readonly #change = (): boolean => this.#decideInRow();

  constructor(store: NodeStore, clock: Clock, rows: number = LIMIT_ROWS) {
    this.#rows = rows;
    this.#store = store;
    this.#clock = clock;
    this.#secret = sharedSecret(store);
  }

  take(key: string, decide: Decide): Decision {
    const hash = createHash("sha256").update(this.#secret).update(key).digest();
    this.#id = hash.readUIntBE(0, 6) + 1;
    this.#now = this.#clock();
    this.#decide = decide;
    this.#store.limits.update(hash.readUInt32BE(8) % this.#rows, this.#row, this.#change);
    return this.#decision;
  }

  #decideInRow(): boolean {
    const row = this.#row;
    let at = -1;
    let oldest = 0;
    for (let way = 0; way < row.length; way += WAY) {
      if (row[way] === this.#id) at = way;
      if (timeOf(row, way) < timeOf(row, oldest)) oldest = way;
    }
    const found = at >= 0 && timeOf(row, at) <= this.#now + AHEAD_MS_MAX;
    if (at < 0) at = oldest;
    const decision = this.#decide?.(row, at + 1, !found, this.#now);
    if (decision === undefined) return false;
    this.#decision = decision;
    if (decision.allowed) row[at] = this.#id;
    return decision.allowed;
  }
}

function timeOf(row: Float64Array, way: number): number {
  return row[way + CELL] ?? 0;
}

/** Made by the first worker. */
function sharedSecret({ servers }: NodeStore): Buffer {
  const row = new Float64Array(SECRET_DOUBLES);
  servers.update(SECRET_KEY, row, () => {
    if (row[0] !== 0) return false;
    const random = randomBytes(SECRET_DOUBLES * 4);
    for (let index = 0; index < row.length; index++)
      row[index] = random.readUInt32BE(index * 4) + 1;
    return true;
  });
  return Buffer.from(row.buffer);
}
