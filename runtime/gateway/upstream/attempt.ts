// One try of a request at one server: undici's handler, and what the try means for the server's breaker. Tells its
// owner about each stage once, and nothing after it was cut.

import { EdgeError } from "../../../sdk/errors.ts";
import type { Failure, UpstreamConfig } from "../../../sdk/gateway/config.ts";
import type { Dispatcher } from "./connections.ts";
import { epochOf, isClosed } from "./breaker.ts";
import { reasonOf, UnprocessedError } from "./failure.ts";
import type { Server } from "./server.ts";
import type { DialHandler } from "./sockets/dial.ts";

export interface AttemptOwner {
  /** It has become a socket; `closed` is owed when that is over. */
  upgraded(attempt: Attempt, raw: RawHeaders, open: OpenRemote): void;
  /** False: it wants nothing of this reply. */
  replied(attempt: Attempt, status: number, raw: readonly (Buffer | string)[]): boolean;
  /** The same with all of it, in place of `replied`, `data` and `ended`. */
  answered(attempt: Attempt, status: number, raw: RawHeaders, body: Uint8Array): boolean;
  /** False: no more until `resume`. */
  data(attempt: Attempt, chunk: Uint8Array): boolean;
  ended(attempt: Attempt, trailers: RawHeaders): void;
  failed(attempt: Attempt, failure: Failure, reason: string, timedOut: boolean): void;
}

export interface AttemptParts {
  readonly owner: AttemptOwner;
  readonly server: Server;
  readonly config: UpstreamConfig;
  readonly now: () => number;
  /** Whether another server of the upstream may open its breaker. */
  readonly mayOpen: () => boolean;
}

type RawHeaders = readonly (Buffer | string)[];
const NO_FIELDS: RawHeaders = [];
type OpenRemote = Parameters<DialHandler["onUpgraded"]>[1];

export class Attempt implements DialHandler {
  readonly server: Server;
  readonly startedMs: number;
  /** When the last piece of the reply came. */
  heardMs: number;
  /** The request goes out on a connection. */
  isSent = false;
  isReplied = false;
  readonly #parts: AttemptParts;
  readonly #epoch: number;
  readonly #isProbe: boolean;
  #controller: Dispatcher.DispatchController | null = null;
  /** The owner is not told any more. */
  #isCut = false;
  /** It no longer counts as open. */
  #isOver = false;
  #isJudged = false;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
    this.server = parts.server;
    this.#epoch = epochOf(parts.server.seen());
    this.#isProbe = !isClosed(parts.server.seen());
    this.startedMs = parts.now();
    this.heardMs = this.startedMs;
    parts.server.active++;
    parts.server.requests++;
  }

  get isPaused(): boolean {
    return this.#controller?.paused === true;
  }

  resume(): void {
    this.#controller?.resume();
  }

  /** The client is gone: nobody's fault. */
  abandon(): void {
    this.#acquit();
    this.#cut();
  }

  /** It took too long. */
  expire(failure: Failure, reason: string): void {
    if (this.#isCut) return;
    this.#judge(failure);
    this.#cut();
    this.#parts.owner.failed(this, failure, reason, true);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.isSent = true;
    this.heardMs = this.#parts.now();
    if (this.#isCut) this.#abort();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#isCut || status < 200) return;
    this.#hear(status);
    if (!this.#parts.owner.replied(this, status, rawOf(controller))) this.#cut();
  }

  onResponseWhole(
    controller: Dispatcher.DispatchController,
    status: number,
    body: Uint8Array,
  ): void {
    this.#settle();
    if (this.#isCut) return;
    this.#isCut = true;
    this.#hear(status);
    if (this.#parts.owner.answered(this, status, rawOf(controller), body)) this.#judge(null);
  }

  /** A reply has begun. */
  #hear(status: number): void {
    const now = this.#parts.now();
    this.heardMs = now;
    this.isReplied = true;
    this.server.answered(now - this.startedMs);
    const failure = statusFailure(status);
    if (failure !== null && this.#counts(failure)) this.#judge(failure);
    // Others are judged at their end: one that breaks off has failed. But a probe's reply may be a stream for hours.
    else if (this.#isProbe) this.#judge(null);
  }

  onUpgraded(raw: RawHeaders, open: OpenRemote): void {
    if (this.#isCut) return this.#abort();
    this.isReplied = true;
    this.server.answered(this.#parts.now() - this.startedMs);
    // What becomes of it later says nothing of whether the server answers.
    this.#judge(null);
    this.#parts.owner.upgraded(this, raw, open);
  }

  /** What it had become is over. */
  closed(): void {
    this.#isCut = true;
    this.#settle();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#isCut) return;
    this.heardMs = this.#parts.now();
    if (!this.#parts.owner.data(this, chunk)) controller.pause();
  }

  onResponseEnd({ rawTrailers }: Dispatcher.DispatchController): void {
    this.#settle();
    if (this.#isCut) return;
    this.#isCut = true;
    this.#judge(null);
    this.#parts.owner.ended(this, Array.isArray(rawTrailers) ? rawTrailers : NO_FIELDS);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle();
    if (this.#isCut) return;
    this.#isCut = true;
    const { text, timedOut } = reasonOf(error);
    const isUnprocessed = error instanceof UnprocessedError;
    const failure: Failure = this.isSent && !isUnprocessed ? "reset" : "connect";
    // One that restarts ends many at once, and is well.
    if (isUnprocessed && error.isFarewell) this.#acquit();
    else this.#judge(failure);
    this.#parts.owner.failed(this, failure, text, timedOut);
  }

  #cut(): void {
    this.#isCut = true;
    this.#abort();
  }

  #abort(): void {
    // Before there is a connection undici cannot be told; it will be when there is one.
    this.#controller?.abort(new EdgeError("CANCELLED"));
    if (this.#controller !== null) this.#settle();
  }

  #settle(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.server.active--;
  }

  #counts(failure: Failure): boolean {
    return this.#parts.config.breaker?.on.includes(failure) === true;
  }

  /** It says nothing of the server. */
  #acquit(): void {
    if (!this.#isJudged) this.server.abandoned(this.#epoch);
    this.#isJudged = true;
  }

  /** null: it went well. Once. */
  #judge(failure: Failure | null): void {
    if (this.#isJudged) return;
    this.#isJudged = true;
    if (failure === null) {
      this.server.succeeded(this.#epoch, this.#parts.config.breaker);
      return;
    }
    this.server.failures++;
    const { breaker } = this.#parts.config;
    if (breaker === null || !this.#counts(failure)) return;
    this.server.failed(this.#epoch, breaker, this.#parts.mayOpen());
  }
}

function rawOf({ rawHeaders }: Dispatcher.DispatchController): RawHeaders {
  return Array.isArray(rawHeaders) ? (rawHeaders as RawHeaders) : [];
}

export function statusFailure(status: number): Failure | null {
  switch (status) {
    case 500:
      return "500";
    case 502:
      return "502";
    case 503:
      return "503";
    case 504:
      return "504";
    default:
      return null;
  }
}
