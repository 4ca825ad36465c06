// An exchange as targets see it behind policies: the request as policies left it, and replies that pass through
// them on their way out. Everything else is the exchange itself.

import type { HeaderList, Upgrade } from "../../sdk/exchange.ts";
import { headerOf } from "../../sdk/gateway/header-list.ts";
import { ExchangeLayer } from "./exchange-layer.ts";
import type { Pass } from "./pass.ts";

export interface ReplyHead {
  status: number;
  headers: HeaderList;
}

export type ReplyStep = (pass: Pass, head: ReplyHead) => void;

export class FilteredExchange extends ExchangeLayer {
  readonly #pass: Pass;
  readonly #steps: readonly ReplyStep[];

  constructor(pass: Pass, steps: readonly ReplyStep[]) {
    super(pass.exchange);
    this.#pass = pass;
    this.#steps = steps;
  }

  override get url(): string {
    return this.#pass.url;
  }

  override get path(): string {
    const { url } = this.#pass;
    const query = url.indexOf("?");
    return query < 0 ? url : url.slice(0, query);
  }

  override get headers(): HeaderList {
    return this.#pass.headers;
  }

  override header(name: string): string | undefined {
    return headerOf(this.#pass.headers, name);
  }

  override get upgrade(): Upgrade | null {
    const { upgrade } = this.inner;
    if (upgrade === null) return null;
    return {
      accept: (headers, messageBytesMax, events) =>
        upgrade.accept(this.#filter(101, headers).headers, messageBytesMax, events),
    };
  }

  override limitBody(bytesMax: number): void {
    super.limitBody(Math.min(bytesMax, this.#pass.bodyBytesMax));
  }

  override reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    const head = this.#filter(status, headers);
    super.reply(head.status, head.headers, body);
  }

  override begin(status: number, headers: HeaderList): void {
    const head = this.#filter(status, headers);
    super.begin(head.status, head.headers);
  }

  #filter(status: number, headers: HeaderList): ReplyHead {
    const head = { status, headers };
    // From the target outwards: the first policy has the last word.
    for (let index = this.#steps.length - 1; index >= 0; index--) {
      this.#steps[index]?.(this.#pass, head);
    }
    return head;
  }
}
