// A reply whose head waits until a policy has seen it. To the target it streams meanwhile: pieces of the body are kept
// here, and it is asked for no more. Then they go on as they are, or the target is told that nobody wants them.

import type { Exchange, HeaderList } from "../../../../sdk/exchange.ts";
import { ExchangeLayer } from "../../exchange-layer.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";

/** "pass": with the head as it is then; "drop": the client has another reply, or will be given one. */
export type Verdict = "pass" | "drop";

/** `client`: takes a reply in this one's place. null: nothing to wait for. */
export type Judge = (head: ReplyHead, client: Exchange) => Promise<Verdict> | null;

export class HeldReply extends ExchangeLayer {
  readonly #judge: Judge;
  #phase: "open" | "asking" | "passing" | "dropped" = "open";
  #pieces: Uint8Array[] = [];
  #end: "finish" | "reset" | null = null;
  #trailers: HeaderList | undefined;
  #gone: () => void = () => undefined;
  #drained: () => void = () => undefined;
  readonly #other: OtherReply;

  constructor(inner: Exchange, judge: Judge) {
    super(inner);
    this.#judge = judge;
    this.#other = new OtherReply(inner);
    inner.onGone(() => {
      this.#other.gone();
      this.#gone();
    });
    inner.onDrained(() => {
      if (this.#phase === "passing") this.#drained();
      else this.#other.drained();
    });
  }

  override get state(): Exchange["state"] {
    const { state } = this.inner;
    return state === "open" && this.#phase === "asking" ? "streaming" : state;
  }

  override onGone(listener: () => void): void {
    this.#gone = listener;
  }

  override onDrained(listener: () => void): void {
    this.#drained = listener;
  }

  override reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    if (this.#phase !== "open") return super.reply(status, headers, body);
    const head = { status, headers };
    this.#end = "finish";
    this.#ask(head, () => super.reply(head.status, head.headers, body));
  }

  override begin(status: number, headers: HeaderList): void {
    if (this.#phase !== "open") return super.begin(status, headers);
    const head = { status, headers };
    this.#ask(head, () => this.#beginLate(head));
  }

  override write(chunk: Uint8Array): boolean {
    if (this.#phase === "passing") return super.write(chunk);
    if (this.#phase === "dropped") return true;
    this.#pieces.push(chunk);
    return false;
  }

  override finish(trailers?: HeaderList): void {
    if (this.#phase === "passing") return super.finish(trailers);
    this.#trailers = trailers;
    this.#end = "finish";
  }

  override reset(): void {
    if (this.#phase === "passing") super.reset();
    else this.#end = "reset";
  }

  #ask(head: ReplyHead, pass: () => void): void {
    this.#phase = "asking";
    const verdict = this.#judge(head, this.#other);
    if (verdict === null) this.#settle("pass", pass);
    else void verdict.then((known) => this.#settle(known, pass));
  }

  #settle(verdict: Verdict, pass: () => void): void {
    if (this.#phase !== "asking") return;
    this.#phase = verdict === "pass" ? "passing" : "dropped";
    if (verdict === "pass") return pass();
    this.#pieces = [];
    // Else it would wait for the client to take what came.
    if (this.#end === null) this.#gone();
  }

  #beginLate(head: ReplyHead): void {
    super.begin(head.status, head.headers);
    let hasRoom = true;
    const wasHeld = this.#pieces.length > 0;
    for (const piece of this.#pieces.splice(0)) hasRoom = super.write(piece);
    if (this.#end === "finish") super.finish(this.#trailers);
    else if (this.#end === "reset") super.reset();
    else if (wasHeld && hasRoom) this.#drained();
  }
}

/** The client, for whoever replies in the target's place. */
class OtherReply extends ExchangeLayer {
  gone: () => void = () => undefined;
  drained: () => void = () => undefined;

  override onGone(listener: () => void): void {
    this.gone = listener;
  }

  override onDrained(listener: () => void): void {
    this.drained = listener;
  }
}
