// Stores in which several nodes count together. A store that does not answer holds up nobody beyond its time-out; what
// becomes of requests meanwhile is for its policy to say. It is asked again with every request, so that there is
// nothing to restart when it is back.

import type { StoreConfig } from "../../../sdk/gateway/config.ts";
import type { Decision, LimiterOptions, SharedLimits } from "../../../sdk/gateway/limits.ts";

export interface LimitStoresHost {
  readonly open: (config: StoreConfig) => SharedLimits;
  readonly log: (level: "info" | "warn", text: string) => void;
}

export class LimitStores {
  readonly #host: LimitStoresHost;
  #stores = new Map<string, LimitStore>();

  constructor(host: LimitStoresHost) {
    this.#host = host;
  }

  /** Those that have not changed stay as they are; those that left end when nobody waits for them. */
  apply(configs: readonly StoreConfig[]): void {
    const before = this.#stores;
    this.#stores = new Map(
      configs.map((config) => {
        const present = before.get(config.name);
        const isSame =
          present !== undefined && JSON.stringify(present.config) === JSON.stringify(config);
        return [config.name, isSame ? present : new LimitStore(config, this.#host)];
      }),
    );
    for (const [name, store] of before) {
      if (this.#stores.get(name) !== store) void store.close();
    }
  }

  /** A configuration names only those that it has. */
  named(name: string): LimitStore | undefined {
    return this.#stores.get(name);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#stores.values()].map((store) => store.close()));
  }
}

export class LimitStore {
  readonly config: StoreConfig;
  readonly #host: LimitStoresHost;
  #limits: SharedLimits | null = null;
  #isAway = false;

  constructor(config: StoreConfig, host: LimitStoresHost) {
    this.config = config;
    this.#host = host;
  }

  /** "away": it does not say. */
  take(key: string, options: LimiterOptions): Promise<Decision | "away"> {
    return this.#ask((limits) => limits.take(key, options));
  }

  /** As of SharedLimits. */
  hold(key: string, max: number): Promise<(() => void) | null | "away"> {
    return this.#ask((limits) => limits.hold(key, max));
  }

  async close(): Promise<void> {
    await this.#limits?.close();
  }

  async #ask<T>(ask: (limits: SharedLimits) => Promise<T>): Promise<T | "away"> {
    try {
      this.#limits ??= this.#host.open(this.config);
      const answer = await ask(this.#limits);
      if (this.#isAway) this.#turn(false, "answers again.");
      return answer;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#isAway) this.#turn(true, `is away: ${why}`);
      return "away";
    }
  }

  #turn(isAway: boolean, text: string): void {
    this.#isAway = isAway;
    this.#host.log(isAway ? "warn" : "info", `Store ${this.config.name} ${text}`);
  }
}
