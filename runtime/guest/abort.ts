// AbortController and AbortSignal. What the platform itself wants to do on abort is kept apart from the author's
// listeners and runs before them.

import { DOMException } from "./dom-exception.ts";
import { Event } from "./event.ts";
import { defineHandlerAttribute, dispatchTrusted, EventTarget, setFollow } from "./event-target.ts";
import { exposeInterface } from "./interface.ts";
import { startTimer } from "./timers.ts";

interface Algorithm {
  readonly run: () => void;
  readonly next: Algorithm | null;
}

/** Made by any(): aborts with its source. */
interface Dependent {
  readonly signal: AbortSignal;
  readonly next: Dependent | null;
}

const KEY = Symbol("create");

/** Aborts a signal and those made from it by any(). Does nothing when it is aborted already. */
export let abortSignal: (signal: AbortSignal, reason: unknown) => void;
/** Runs `run` once when the signal aborts; at once, before returning, when it is aborted already. */
export let onSignalAbort: (signal: AbortSignal, run: () => void) => void;
export let isAbortSignal: (value: unknown) => value is AbortSignal;
let isAborted: (signal: AbortSignal) => boolean;
/** Makes a fresh signal abort with `parent`, whose own listeners run first. */
export let dependOn: (signal: AbortSignal, parent: AbortSignal) => void;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown = undefined;
  /** Newest first; turned round when they run. */
  #algorithms: Algorithm | null = null;
  /** Newest first; turned round when they abort. */
  #dependents: Dependent | null = null;
  /** Of a signal made by any(): signals that were not. */
  #sources: readonly AbortSignal[] = [];

  static {
    isAbortSignal = (value): value is AbortSignal =>
      typeof value === "object" && value !== null && #aborted in value;
    isAborted = (signal) => signal.#aborted;
    abortSignal = (signal, reason) => signal.#abort(reason);
    dependOn = (signal, parent) => signal.#depend([parent]);
    onSignalAbort = (signal, run) => {
      if (signal.#aborted) run();
      else signal.#algorithms = { run, next: signal.#algorithms };
    };
  }

  constructor(key?: unknown) {
    if (key !== KEY) throw new TypeError("Illegal constructor");
    super();
  }

  static abort(reason: unknown = aborted()): AbortSignal {
    const signal = createSignal();
    signal.#aborted = true;
    signal.#reason = reason;
    return signal;
  }

  static timeout(milliseconds: unknown): AbortSignal {
    if (arguments.length === 0) throw new TypeError("timeout requires a number of milliseconds");
    const ms = Number(milliseconds);
    if (!(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) {
      throw new TypeError("The number of milliseconds is out of range");
    }
    const signal = createSignal();
    startTimer(() => {
      signal.#abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
    }, Math.trunc(ms));
    return signal;
  }

  static any(signals: Iterable<unknown>): AbortSignal {
    const sources = [...signals];
    for (const source of sources) {
      if (!isAbortSignal(source)) throw new TypeError("any requires signals only");
    }
    const result = createSignal();
    result.#depend(sources as AbortSignal[]);
    return result;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }

  #depend(sources: readonly AbortSignal[]): void {
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] as AbortSignal;
      if (!source.#aborted) continue;
      this.#aborted = true;
      this.#reason = source.#reason;
      return;
    }
    const roots: AbortSignal[] = [];
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] as AbortSignal;
      const own = source.#sources;
      if (own.length === 0) roots[roots.length] = source;
      for (let j = 0; j < own.length; j++) roots[roots.length] = own[j] as AbortSignal;
    }
    this.#sources = roots;
    for (let i = 0; i < roots.length; i++) {
      const root = roots[i] as AbortSignal;
      root.#dependents = { signal: this, next: root.#dependents };
    }
  }

  #abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason === undefined ? aborted() : reason;
    // All are aborted before anything of the author's runs.
    let inOrder: Dependent | null = null;
    for (let each = this.#dependents; each !== null; each = each.next) {
      if (each.signal.#aborted) continue;
      each.signal.#aborted = true;
      each.signal.#reason = this.#reason;
      inOrder = { signal: each.signal, next: inOrder };
    }
    this.#dependents = null;
    this.#tell();
    for (let each = inOrder; each !== null; each = each.next) each.signal.#tell();
  }

  #tell(): void {
    let inOrder: Algorithm | null = null;
    for (let each = this.#algorithms; each !== null; each = each.next) {
      inOrder = { run: each.run, next: inOrder };
    }
    this.#algorithms = null;
    for (let each = inOrder; each !== null; each = each.next) each.run();
    dispatchTrusted(this, new Event("abort"));
  }
}
exposeInterface(AbortSignal, "AbortSignal");
defineHandlerAttribute(AbortSignal.prototype, "abort");

export function createSignal(): AbortSignal {
  return new AbortSignal(KEY);
}

function aborted(): DOMException {
  return new DOMException("This operation was aborted", "AbortError");
}

setFollow((signal, run) => {
  if (!isAbortSignal(signal)) throw new TypeError("signal must be an AbortSignal");
  if (isAborted(signal)) return "aborted";
  onSignalAbort(signal, run);
  return "following";
});

export class AbortController {
  readonly #signal: AbortSignal = createSignal();

  get signal(): AbortSignal {
    return this.#signal;
  }

  abort(reason?: unknown): void {
    abortSignal(this.#signal, reason);
  }
}
exposeInterface(AbortController, "AbortController");
