// The requests of this worker that came near their limits or were ended at one, with what they used: for
// `edge explain`. The newest of them; the access log holds the rest.

import type { RequestAccount } from "../../sdk/node.ts";

/** Each holds a stack of at most ten lines: some hundred kilobytes in all. */
export const RECENT_MAX = 512;

export class RecentRequests {
  readonly #accounts: RequestAccount[] = [];
  #next = 0;

  add(account: RequestAccount): void {
    this.#accounts[this.#next] = account;
    this.#next = (this.#next + 1) % RECENT_MAX;
  }

  find(id: string): RequestAccount | null {
    return this.#accounts.find((account) => account.id === id) ?? null;
  }
}
