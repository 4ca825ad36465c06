// Rate limits in LMDB, in one store that all workers of the node write, for one boot of the machine: a machine that
// loses its power forgets them. A decision is one step of microseconds, so that it is exact although several workers
// decide.
//
//   windows  scope, key          -> Window (window.ts)
//   ends     scope, time, key    -> nothing; a scope's windows, the one that ends first in front
//   totals   scope               -> how many windows it has
//
// A scope that is full lets go of the window that ends first: of the key that was let through longest ago, to a slot.
// A few windows that have ended, of any scope, are removed with each new one, in turns, so that scopes that nobody uses
// any more are emptied too.

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
import { counted, decide, packWindow, unpackWindow, windowAt, type Window } from "./window.ts";

const HASH_BYTES = 16;
const NUMBER_BYTES = 8;
const NOTHING: Buffer = Buffer.alloc(0);
/** More than a new window adds. */
const LOOKED_AT = 3;

export interface LmdbRateOptions {
  readonly places: ServicePlaces;
  /** The wall clock. */
  readonly now?: () => number;
  readonly keysMax?: number;
}

export async function openLmdbRates({
  places,
  now = Date.now,
  keysMax = RATE_KEYS_MAX,
}: LmdbRateOptions): Promise<RateBackend> {
  const store = await openStore({ folder: join(places.folder, "ratelimit"), survives: "kills" });
  return new LmdbRates(store, now, keysMax);
}

class LmdbRates implements RateBackend {
  readonly #store: Store;
  readonly #windows: Table;
  readonly #ends: Table;
  readonly #totals: Table;
  readonly #now: () => number;
  readonly #keysMax: number;
  /** Where the next look for windows that have ended begins. */
  #lookAt: Buffer = NOTHING;

  constructor(store: Store, now: () => number, keysMax: number) {
    this.#store = store;
    this.#windows = store.table("windows");
    this.#ends = store.table("ends");
    this.#totals = store.table("totals");
    this.#now = now;
    this.#keysMax = keysMax;
  }

  count(scope: string, key: string, rule: RateRule): RateDecision {
    // Slots of another period are others.
    const space = hashOf(`${rule.periodMs}\n${scope}`);
    const hash = hashOf(key);
    const place = Buffer.concat([space, hash]);
    // What is refused already stays so: a flood of refusals takes no turn from those who write.
    this.#store.refresh();
    const early = this.#decide(this.#find(place), rule);
    if (!early.decision.success) return early.decision;
    return this.#store.update(() => {
      const before = this.#find(place);
      const { decision, window } = this.#decide(before, rule);
      if (!decision.success) return decision;
      this.#windows.put(place, packWindow(counted(window)));
      if (before?.endsAtMs !== window.endsAtMs) {
        if (before !== null) this.#ends.remove(endKey(space, before.endsAtMs, hash));
        this.#ends.put(endKey(space, window.endsAtMs, hash), NOTHING);
      }
      if (before === null) this.#added(space, place);
      return decision;
    });
  }

  async probe(): Promise<{ version: string }> {
    this.#store.refresh();
    return { version: "embedded" };
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #decide(
    before: Window | null,
    rule: RateRule,
  ): { readonly decision: RateDecision; readonly window: Window } {
    const now = this.#now();
    const window = windowAt(before, rule, now);
    return { decision: decide(window, rule, now), window };
  }

  #added(space: Buffer, place: Buffer): void {
    const total = this.#total(space) + 1;
    this.#writeTotal(space, total);
    if (total > this.#keysMax) {
      const [first] = this.#ends.range({ start: space, limit: 1 });
      if (first !== undefined) this.#remove(space, first.key);
    }
    this.#removeEnded(place);
  }

  #removeEnded(except: Buffer): void {
    const now = this.#now();
    const looked = Array.from(this.#windows.range({ start: this.#lookAt, limit: LOOKED_AT }));
    for (const { key, value } of looked) {
      const { endsAtMs } = unpackWindow(value);
      if (endsAtMs > now || key.equals(except)) continue;
      const space = key.subarray(0, HASH_BYTES);
      this.#remove(space, endKey(space, endsAtMs, key.subarray(HASH_BYTES)));
    }
    const last = looked.length < LOOKED_AT ? undefined : looked.at(-1);
    this.#lookAt = last === undefined ? NOTHING : Buffer.concat([last.key, Buffer.of(0)]);
  }

  #remove(space: Buffer, end: Buffer): void {
    this.#ends.remove(end);
    this.#windows.remove(Buffer.concat([space, end.subarray(HASH_BYTES + NUMBER_BYTES)]));
    this.#writeTotal(space, this.#total(space) - 1);
  }

  #find(place: Buffer): Window | null {
    const bytes = this.#windows.get(place);
    return bytes === null ? null : unpackWindow(bytes);
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
