// `navigator` and `scheduler`, as far as runtimes for servers have them.

import { isAbortSignal, onSignalAbort } from "../abort.ts";
import { exposeInterface } from "../interface.ts";
import { startTimer, stopTimer } from "../timers.ts";

/** Only this module makes them. */
const INTERNAL = {};
const NativePromise = Promise;
const LANGUAGES = Object.freeze(["en"] as const);
const DELAY_MS_MAX = 0x7fffffff;

export class Navigator {
  readonly #userAgent: string = "Islet";

  constructor(internal: unknown) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
  }

  /** By which libraries tell where they run. */
  get userAgent(): string {
    return this.#userAgent;
  }

  get language(): string {
    return LANGUAGES[0];
  }

  get languages(): readonly string[] {
    return LANGUAGES;
  }

  /** Code of an isolate runs on one thread. */
  get hardwareConcurrency(): number {
    return 1;
  }
}
exposeInterface(Navigator, "Navigator");

/** By which libraries for Workers find out what there is; flags are for the bundler here. */
export const Cloudflare: object = Object.freeze({ compatibilityFlags: Object.freeze({}) });

export const navigator: Navigator = new Navigator(INTERNAL);

export class Scheduler {
  readonly #brand = true;

  constructor(internal: unknown) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
  }

  /** A timer as a promise. */
  async wait(delay: unknown, options: unknown = undefined): Promise<void> {
    const ms = +(delay as number);
    if (!this.#brand || !(ms >= 0 && ms <= DELAY_MS_MAX)) {
      throw new TypeError("wait requires a number of milliseconds");
    }
    const signal = (options as { readonly signal?: unknown } | null | undefined)?.signal;
    if (signal !== undefined && !isAbortSignal(signal)) {
      throw new TypeError("The signal must be an AbortSignal");
    }
    const inTime = await new NativePromise<boolean>((resolve) => {
      const timer = startTimer(() => resolve(true), ms);
      if (signal === undefined) return;
      onSignalAbort(signal, () => {
        stopTimer(timer);
        resolve(false);
      });
    });
    if (!inTime) throw signal?.reason;
  }
}
exposeInterface(Scheduler, "Scheduler");

export const scheduler: Scheduler = new Scheduler(INTERNAL);
