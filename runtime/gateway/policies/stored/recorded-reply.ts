// A reply that is written down on its way to the client. `detached`: the target is not told when the client leaves, so
// that its reply is there for whoever asks again.

import type { Exchange, HeaderList } from "../../../../sdk/exchange.ts";
import { ExchangeLayer } from "../../exchange-layer.ts";
import type { Recorded } from "../../shared/reply-store.ts";

export interface RecordOptions {
  readonly detached: boolean;
  /** Of the body. */
  readonly bytesMax: number;
  /** Once. null: it did not come to its end. */
  readonly onEnd: (recorded: Recorded | null) => void;
}

export class RecordedReply extends ExchangeLayer {
  readonly #options: RecordOptions;
  #phase: "open" | "streaming" | "done" = "open";
  #status = 0;
  #headers: HeaderList = "";
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #gone: () => void = () => undefined;
  #drained: () => void = () => undefined;

  constructor(inner: Exchange, options: RecordOptions) {
    super(inner);
    this.#options = options;
    inner.onDrained(() => this.#drained());
    inner.onGone(() => {
      if (options.detached) this.#drained();
      else {
        this.#end(null);
        this.#gone();
      }
    });
  }

  override get state(): Exchange["state"] {
    return this.#options.detached ? this.#phase : this.inner.state;
  }

  override onGone(listener: () => void): void {
    this.#gone = listener;
  }

  override onDrained(listener: () => void): void {
    this.#drained = listener;
  }

  override reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    if (this.#phase !== "open") return;
    super.reply(status, headers, body);
    const bytes = typeof body === "string" ? Buffer.from(body) : (body ?? new Uint8Array());
    this.#keep(bytes);
    this.#end({ status, headers, body: this.#body() });
  }

  override begin(status: number, headers: HeaderList): void {
    if (this.#phase !== "open") return;
    this.#phase = "streaming";
    this.#status = status;
    this.#headers = headers;
    super.begin(status, headers);
  }

  override write(chunk: Uint8Array): boolean {
    if (this.#phase !== "streaming") return true;
    this.#keep(chunk);
    // There is nobody who could be too slow.
    return super.write(chunk) || this.inner.state === "gone";
  }

  /** What is kept has no trailers. */
  override finish(trailers?: HeaderList): void {
    if (this.#phase !== "streaming") return;
    super.finish(trailers);
    this.#end({ status: this.#status, headers: this.#headers, body: this.#body() });
  }

  override reset(): void {
    super.reset();
    this.#end(null);
  }

  #keep(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    // A copy: what is written is given away.
    if (this.#bytes <= this.#options.bytesMax) this.#pieces.push(Buffer.from(chunk));
    else this.#pieces = [];
  }

  #body(): Buffer | null {
    return this.#bytes <= this.#options.bytesMax ? Buffer.concat(this.#pieces) : null;
  }

  #end(recorded: Recorded | null): void {
    if (this.#phase === "done") return;
    this.#phase = "done";
    this.#pieces = [];
    this.#options.onEnd(recorded);
  }
}
