// A request's body that a policy has read whole, for the target behind it.

import type { BodySink, Exchange } from "../../../../sdk/exchange.ts";
import { ExchangeLayer } from "../../exchange-layer.ts";

/** null: it broke off, or was longer and is refused already. */
export function readWhole(exchange: Exchange, bytesMax: number): Promise<Uint8Array | null> {
  exchange.limitBody(bytesMax);
  const whole = exchange.takeWholeBody();
  if (whole !== null) return Promise.resolve(whole);
  const pieces: Uint8Array[] = [];
  return new Promise((resolve) => {
    exchange.readBody({
      chunk: (piece) => {
        pieces.push(piece);
      },
      end: () => resolve(Buffer.concat(pieces)),
      fail: () => resolve(null),
    });
  });
}

export class WholeBody extends ExchangeLayer {
  readonly #refuse: () => void;
  #bytes: Uint8Array | null;

  /** `refuse`: the target takes less. */
  constructor(inner: Exchange, bytes: Uint8Array, refuse: () => void) {
    super(inner);
    this.#bytes = bytes;
    this.#refuse = refuse;
  }

  override limitBody(bytesMax: number): void {
    if (this.#bytes !== null && this.#bytes.byteLength > bytesMax) this.#refuse();
  }

  override takeWholeBody(): Uint8Array | null {
    const bytes = this.#bytes;
    this.#bytes = null;
    return bytes;
  }

  override readBody(sink: BodySink): void {
    const bytes = this.takeWholeBody();
    if (bytes !== null && bytes.byteLength > 0) sink.chunk(bytes);
    sink.end();
  }

  override pauseBody(): void {}

  override resumeBody(): void {}
}
