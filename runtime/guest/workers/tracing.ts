// `ctx.tracing`: spans run what they are given, and nothing is recorded.

import { exposeInterface } from "../interface.ts";

/** Only this module makes them. */
const INTERNAL = {};
const apply = Reflect.apply;

export class Span {
  readonly #isTraced: boolean;

  constructor(internal: unknown) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#isTraced = false;
  }

  get isTraced(): boolean {
    return this.#isTraced;
  }

  setAttribute(): void {}
}
exposeInterface(Span, "Span");

export class Tracing {
  readonly #span: Span;

  constructor(internal: unknown) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#span = new Span(INTERNAL);
  }

  enterSpan(_name: unknown, run: unknown, ...args: unknown[]): unknown {
    if (typeof run !== "function") throw new TypeError("enterSpan requires a function");
    return apply(run as (...given: unknown[]) => unknown, undefined, [this.#span, ...args]);
  }
}
exposeInterface(Tracing, "Tracing");

export const tracing: Tracing = new Tracing(INTERNAL);
