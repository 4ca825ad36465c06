// What an inline slice sent, handled only after it: host code in a slice would count as the guest's.

import type { SliceEvents } from "./contract.ts";

export class Outbox {
  #records: string[] = [];
  #bytes: (ArrayBuffer | null)[] = [];

  put(packed: string, bytes: ArrayBuffer | null): void {
    this.#records.push(packed);
    this.#bytes.push(bytes);
  }

  empty(events: Pick<SliceEvents, "deliver">): void {
    const records = this.#records;
    const bytes = this.#bytes;
    this.#records = [];
    this.#bytes = [];
    for (let i = 0; i < records.length; i++) events.deliver(records[i] ?? "", bytes[i] ?? null);
  }
}
