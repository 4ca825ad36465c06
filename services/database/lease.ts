// A transaction or a cursor of a handler: a connection that is its own until it is done, its request is, it is left
// alone or has lasted too long. One lasting run of the actor.

import { EdgeError } from "../../sdk/errors.ts";
import {
  SQL_IDLE_MS_MAX,
  SQL_LEASE_MS_MAX,
  SQL_LEASES_MAX,
  SQL_LEASES_WAITING_MAX,
  type DatabaseBackend,
} from "../../sdk/services/database.ts";
import type { CallContext } from "../../sdk/services/service.ts";
import type { ServiceActor } from "../actor.ts";
import { Mailbox } from "../mailbox.ts";

export interface LeaseOptions {
  readonly actor: ServiceActor<DatabaseBackend>;
  /** The endpoint. */
  readonly caller: string;
  /** For the wait for a connection, and for each statement; the actor's unless it is given. */
  readonly timeoutMs?: number;
  readonly idleMsMax?: number;
}

export interface LeaseWork<T> {
  readonly make: (backend: DatabaseBackend, signal: AbortSignal) => Promise<T>;
  /** Called once for what was made, when nothing runs on it any more. Must not fail. */
  readonly end: (made: T) => Promise<void>;
}

/** The leases of one binding and isolate. */
export class Leases {
  readonly #options: LeaseOptions;
  readonly #open = new Set<Lease<unknown>>();
  readonly #places = new Mailbox({
    runningMax: SQL_LEASES_MAX,
    waitingMax: SQL_LEASES_WAITING_MAX,
    waitingPerCallerMax: SQL_LEASES_WAITING_MAX,
  });

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Resolves when the connection is there and `make` has done its part. */
  async open<T>(context: CallContext, work: LeaseWork<T>): Promise<Lease<T>> {
    const { actor, idleMsMax = SQL_IDLE_MS_MAX } = this.#options;
    const timeoutMs = this.#options.timeoutMs ?? actor.timeoutMs;
    const lease = new Lease<T>(context.request, { timeoutMs, idleMsMax });
    const timer = setTimeout(() => {
      const text = `No connection was free for ${timeoutMs} ms.`;
      lease.end(new EdgeError("SERVICE_TIMEOUT", text));
    }, timeoutMs);
    const onAbort = (): void => lease.end(unwanted());
    context.signal.addEventListener("abort", onAbort);
    this.#open.add(lease);
    const held = this.#hold(lease, work)
      .catch((error: unknown) => lease.end(error))
      .finally(() => {
        this.#open.delete(lease);
        lease.leave();
      });
    try {
      if (context.signal.aborted) onAbort();
      await Promise.race([lease.begun, held]);
      lease.assertOpen();
      return lease;
    } finally {
      clearTimeout(timer);
      context.signal.removeEventListener("abort", onAbort);
    }
  }

  requestDone(request: number): void {
    for (const lease of this.#open) if (lease.request === request) lease.end(unwanted());
  }

  close(): void {
    for (const lease of this.#open) lease.end(unwanted());
  }

  async #hold<T>(lease: Lease<T>, { make, end }: LeaseWork<T>): Promise<void> {
    const { actor, caller } = this.#options;
    const entered = this.#places.enter("", lease.signal);
    if (entered === null) {
      const text = `${SQL_LEASES_WAITING_MAX} transactions and cursors of this binding wait already.`;
      throw new EdgeError("SERVICE_OVERLOADED", text);
    }
    const leave = await Promise.race([entered, lease.over]);
    if (leave === undefined) return;
    try {
      // Once it has begun it ends by itself: a handler that rolls back has not failed.
      const starting = new AbortController();
      void lease.over.then(() => lease.hasBegun || starting.abort());
      await actor.run(
        async (backend) => {
          const made = await make(backend, lease.signal);
          lease.begin(made);
          await lease.settled();
          await end(made);
        },
        { caller, signal: starting.signal, lasting: true },
      );
    } finally {
      leave();
    }
  }
}

export class Lease<T> {
  readonly request: number;
  /** Aborts when it is over. */
  readonly signal: AbortSignal;
  readonly begun: Promise<void>;
  readonly over: Promise<undefined>;
  /** It is over, and its connection serves others or is closed. */
  readonly gone: Promise<void>;
  readonly #limits: { readonly timeoutMs: number; readonly idleMsMax: number };
  readonly #controller = new AbortController();
  readonly #began = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<undefined>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #lifetime: NodeJS.Timeout;
  #idle: NodeJS.Timeout | undefined;
  #made: { readonly value: T } | null = null;
  #reason: unknown = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(request: number, limits: { timeoutMs: number; idleMsMax: number }) {
    this.request = request;
    this.signal = this.#controller.signal;
    this.begun = this.#began.promise;
    this.over = this.#ended.promise;
    this.gone = this.#gone.promise;
    this.#limits = limits;
    this.#lifetime = setTimeout(() => this.end(tooLong(SQL_LEASE_MS_MAX)), SQL_LEASE_MS_MAX);
  }

  get hasBegun(): boolean {
    return this.#made !== null;
  }

  begin(made: T): void {
    this.#made = { value: made };
    this.#rest();
    this.#began.resolve();
  }

  /** The first reason counts; null: done as it should be. What runs on it is ended too. */
  end(reason: unknown): void {
    if (this.signal.aborted) return;
    this.#reason = reason ?? finished();
    clearTimeout(this.#idle);
    clearTimeout(this.#lifetime);
    this.#controller.abort(this.#reason);
    this.#ended.resolve(undefined);
  }

  leave(): void {
    this.#gone.resolve();
  }

  /** It is over and nothing runs on it. */
  async settled(): Promise<void> {
    await this.over;
    await this.#last;
  }

  assertOpen(): void {
    if (this.signal.aborted) throw this.#reason;
  }

  /** Works wait for each other. */
  async use<R>(
    context: { readonly signal: AbortSignal },
    work: (made: T, signal: AbortSignal) => Promise<R>,
  ): Promise<R> {
    const turn = this.#last.then(async () => {
      this.assertOpen();
      if (this.#made === null) throw finished();
      clearTimeout(this.#idle);
      const ending = new AbortController();
      const timer = setTimeout(() => {
        const text = `The statement did not end within ${this.#limits.timeoutMs} ms.`;
        ending.abort(new EdgeError("SERVICE_TIMEOUT", text));
      }, this.#limits.timeoutMs);
      const onAbort = (): void => ending.abort(this.#reason ?? unwanted());
      for (const each of [this.signal, context.signal]) each.addEventListener("abort", onAbort);
      try {
        if (context.signal.aborted) onAbort();
        return await work(this.#made.value, ending.signal);
      } finally {
        clearTimeout(timer);
        for (const each of [this.signal, context.signal]) {
          each.removeEventListener("abort", onAbort);
        }
        this.#rest();
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #rest(): void {
    const { idleMsMax } = this.#limits;
    if (!this.signal.aborted) {
      this.#idle = setTimeout(() => this.end(tooLong(idleMsMax)), idleMsMax);
    }
  }
}

function unwanted(): EdgeError {
  return new EdgeError("CANCELLED", "The request that it belonged to is over.");
}

function finished(): EdgeError {
  return new EdgeError("SERVICE_INPUT", "The transaction or cursor is over.");
}

function tooLong(ms: number): EdgeError {
  const text = `The transaction or cursor was ended: it was left alone, or lasted, for ${ms} ms.`;
  return new EdgeError("SERVICE_TIMEOUT", text);
}
