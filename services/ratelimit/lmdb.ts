// Counters in LMDB, in one store that all workers of the node write, for one boot of the machine. A count is one step
// of microseconds, so that it is exact although several workers count.
//
//   counters  scope, hash of the key         -> when the window ends, how many were counted
//   ends      scope, time, hash of the key   -> nothing; the counters of a scope, the first to end first
//   totals    scope                          -> how many counters it has
//
// A scope that is full lets go of the counter that ends first. A few counters of any scope that have ended are removed
// with every new one, in turns, so that scopes that nobody uses any more are emptied too.

import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ServicePlaces } from "../../sdk/services/config.ts";
import {
  RATE_KEYS_MAX,
  type RateBackend,
  type RateDecision,
  type RateRule,
} from "../../sdk/services/ratelimit.ts";
import { openStore, type Store, type Table } from "../lmdb.ts";

const HASH_BYTES = 16;
const NUMBER_BYTES = 8;
const NOTHING: Buffer = Buffer.alloc(0);
/** More than a new counter adds. */
const LOOKED_AT = 3;

export interface LmdbRateOptions {
  readonly places: ServicePlaces;
  /** The wall clock. */
  readonly now?: () => number;
  readonly keysMax?: number;
}

interface Counter {
  readonly endsAtMs: number;
  readonly count: number;
}

export async function openLmdbRates({
  places,
  now = Date.now,
  keysMax = RATE_KEYS_MAX,
}: LmdbRateOptions): Promise<RateBackend> {
  const store = openStore({ folder: join(places.folder, "ratelimit"), survives: "kills" });
  return new LmdbRates(store, now, keysMax);
}

class LmdbRates implements RateBackend {
  readonly #store: Store;
  readonly #counters: Table;
  readonly #ends: Table;
  readonly #totals: Table;
  readonly #now: () => number;
  readonly #keysMax: number;
  /** Where the next look for ended counters begins. */
  #lookAt: Buffer = NOTHING;

  constructor(store: Store, now: () => number, keysMax: number) {
    this.#store = store;
    this.#counters = store.table("counters");
    this.#ends = store.table("ends");
    this.#totals = store.table("totals");
    this.#now = now;
    this.#keysMax = keysMax;
  }

  count(scope: string, key: string, { limit, periodMs }: RateRule): RateDecision {
    const space = hashOf(scope);
    const hash = hashOf(key);
    const place = Buffer.concat([space, hash]);
    return this.#store.update(() => {
      const now = this.#now();
      const found = this.#find(place);
      // One that ends later than it can was begun before the clock was put back.
      const current =
        found !== null && found.endsAtMs > now && found.endsAtMs <= now + periodMs ? found : null;
      if (current !== null && current.count >= limit) {
        return { success: false, remaining: 0, resetMs: current.endsAtMs - now };
      }
      const endsAtMs = current?.endsAtMs ?? now + periodMs;
      const count = (current?.count ?? 0) + 1;
      this.#counters.put(place, pack({ endsAtMs, count }));
      if (current === null) {
        if (found !== null) this.#ends.remove(endKey(space, found.endsAtMs, hash));
        this.#ends.put(endKey(space, endsAtMs, hash), NOTHING);
        if (found === null) this.#added(space);
        this.#removeEnded(now, place);
      }
      return { success: true, remaining: limit - count, resetMs: endsAtMs - now };
    });
  }

  async probe(): Promise<{ version: string }> {
    this.#store.refresh();
    return { version: "embedded" };
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #added(space: Buffer): void {
    const total = this.#total(space) + 1;
    this.#writeTotal(space, total);
    if (total <= this.#keysMax) return;
    const [first] = this.#ends.range({ start: space, limit: 1 });
    if (first !== undefined) this.#remove(space, first.key);
  }

  #removeEnded(now: number, except: Buffer): void {
    const looked = Array.from(this.#counters.range({ start: this.#lookAt, limit: LOOKED_AT }));
    for (const { key, value } of looked) {
      const { endsAtMs } = unpack(value);
      if (endsAtMs > now || key.equals(except)) continue;
      const space = key.subarray(0, HASH_BYTES);
      this.#remove(space, endKey(space, endsAtMs, key.subarray(HASH_BYTES)));
    }
    const last = looked.length < LOOKED_AT ? undefined : looked.at(-1);
    this.#lookAt = last === undefined ? NOTHING : Buffer.concat([last.key, Buffer.of(0)]);
  }

  #remove(space: Buffer, end: Buffer): void {
    this.#ends.remove(end);
    this.#counters.remove(Buffer.concat([space, end.subarray(HASH_BYTES + NUMBER_BYTES)]));
    this.#writeTotal(space, this.#total(space) - 1);
  }

  #find(place: Buffer): Counter | null {
    const bytes = this.#counters.get(place);
    return bytes === null ? null : unpack(bytes);
  }

  #total(space: Buffer): number {
    return this.#totals.get(space)?.readDoubleBE(0) ?? 0;
  }

  #writeTotal(space: Buffer, total: number): void {
    if (total <= 0) return this.#totals.remove(space);
    const bytes = Buffer.alloc(NUMBER_BYTES);
    bytes.writeDoubleBE(total);
    this.#totals.put(space, bytes);
  }
}

/** Of whatever length: two keys of one hash are nobody's luck. */
function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest().subarray(0, HASH_BYTES);
}

function endKey(space: Buffer, endsAtMs: number, hash: Buffer): Buffer {
  const time = Buffer.alloc(NUMBER_BYTES);
  time.writeBigUInt64BE(BigInt(Math.floor(endsAtMs)));
  return Buffer.concat([space, time, hash]);
}

function pack({ endsAtMs, count }: Counter): Buffer {
  const bytes = Buffer.alloc(2 * NUMBER_BYTES);
  bytes.writeDoubleBE(endsAtMs, 0);
  bytes.writeDoubleBE(count, NUMBER_BYTES);
  return bytes;
}

function unpack(bytes: Buffer): Counter {
  return { endsAtMs: bytes.readDoubleBE(0), count: bytes.readDoubleBE(NUMBER_BYTES) };
}
