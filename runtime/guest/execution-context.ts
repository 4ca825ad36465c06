// The `ctx` of a handler. What it tells is asked for when it is looked at; `hooks` are the bridge's (requests.ts).

import { Log } from "./workers/log.ts";
import { tracing, type Tracing } from "./workers/tracing.ts";

/** What is left to a request before it is ended. */
export interface Remaining {
  readonly cpuMs: number;
  readonly wallMs: number;
}

export interface ContextHooks<Entry> {
  waitUntil(entry: Entry, work: unknown): void;
  signal(entry: Entry): object;
  remaining(entry: Entry): Remaining;
  services(): object;
  exports(entry: Entry): object;
  abort(entry: Entry, reason: unknown): void;
  log(entry: Entry, level: string, fields: string, text: string): void;
}

export class ExecutionContext<Entry> {
  readonly requestId: string;
  /** What the caller has set, within a module (`ctx.exports`). */
  readonly props: object;
  readonly #entry: Entry;
  readonly #hooks: ContextHooks<Entry>;
  #log: Log | null = null;
  #exports: object | null = null;

  constructor(requestId: string, entry: Entry, hooks: ContextHooks<Entry>, props: object = {}) {
    this.requestId = requestId;
    this.props = props;
    this.#entry = entry;
    this.#hooks = hooks;
  }

  /** Aborts when the client goes away, and when the CPU time is running out: a chance to come to an end. */
  get signal(): object {
    return this.#hooks.signal(this.#entry);
  }

  /** CPU time up to the last pause of the handler, wall time up to the beginning of this run. */
  remaining(): Remaining {
    return this.#hooks.remaining(this.#entry);
  }

  /** The services that the endpoint binds, by kind and name: `ctx.services.database("MAIN")`. */
  get services(): object {
    return this.#hooks.services();
  }

  /** What the module exports, as bindings: `ctx.exports.Api.fetch(request)`. */
  get exports(): object {
    this.#exports ??= this.#hooks.exports(this.#entry);
    return this.#exports;
  }

  get tracing(): Tracing {
    return tracing;
  }

  /** Ends the request as an exception does that nobody catches. */
  abort(reason: unknown = undefined): void {
    this.#hooks.abort(this.#entry, reason);
  }

  /** Work that goes on after the reply; counted when the version is drained. */
  waitUntil(work: unknown): void {
    this.#hooks.waitUntil(this.#entry, work);
  }

  /** Lines of the node's log, with fields: `ctx.log.info("paid", { order: 1 })`. */
  get log(): Log {
    this.#log ??= new Log((level, fields, text) =>
      this.#hooks.log(this.#entry, level, fields, text),
    );
    return this.#log;
  }

  /** Accepted for compatibility: there is no origin behind the handler to fall through to. */
  passThroughOnException(): void {}
}
