// Event, for targets without a tree: an event visits its target and nothing else.

import { monotonicMs } from "./time.ts";
import { defineConstants, exposeInterface } from "./interface.ts";

export interface EventInit {
  readonly bubbles?: unknown;
  readonly cancelable?: unknown;
  readonly composed?: unknown;
}

const PHASES = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 } as const;

/** The private side of Event, for EventTarget alone. */
export let beginDispatch: (event: Event, target: object, trusted: boolean) => void;
export let endDispatch: (event: Event) => void;
export let isStopped: (event: Event) => boolean;
export let setPassive: (event: Event, passive: boolean) => void;
export let isEvent: (value: unknown) => value is Event;
export let isDispatching: (event: Event) => boolean;

export class Event {
  #type: string;
  #bubbles: boolean;
  #cancelable: boolean;
  readonly #composed: boolean;
  #target: object | null = null;
  #dispatching = false;
  #trusted = false;
  #propagationStopped = false;
  #immediateStopped = false;
  #canceled = false;
  #passive = false;
  readonly #timeStamp: number = monotonicMs();

  static {
    beginDispatch = (event, target, trusted) => {
      event.#target = target;
      event.#dispatching = true;
      event.#trusted = trusted;
    };
    endDispatch = (event) => {
      event.#dispatching = false;
      event.#propagationStopped = false;
      event.#immediateStopped = false;
    };
    isStopped = (event) => event.#immediateStopped;
    setPassive = (event, passive) => {
      event.#passive = passive;
    };
    isEvent = (value): value is Event =>
      typeof value === "object" && value !== null && #type in value;
    isDispatching = (event) => event.#dispatching;
  }

  constructor(type: unknown, init?: EventInit | null) {
    if (arguments.length === 0) throw new TypeError("Event requires a type");
    this.#type = `${type as string}`;
    this.#bubbles = Boolean(init?.bubbles);
    this.#cancelable = Boolean(init?.cancelable);
    this.#composed = Boolean(init?.composed);
    Object.defineProperty(this, "isTrusted", trustedDescriptor);
  }

  /** The getter of the unforgeable own property isTrusted. */
  static isTrusted(event: Event): boolean {
    return event.#trusted;
  }

  get type(): string {
    return this.#type;
  }

  get target(): object | null {
    return this.#target;
  }

  get srcElement(): object | null {
    return this.#target;
  }

  get currentTarget(): object | null {
    return this.#dispatching ? this.#target : null;
  }

  composedPath(): object[] {
    return this.#dispatching && this.#target !== null ? [this.#target] : [];
  }

  get eventPhase(): number {
    return this.#dispatching ? PHASES.AT_TARGET : PHASES.NONE;
  }

  stopPropagation(): void {
    this.#propagationStopped = true;
  }

  get cancelBubble(): boolean {
    return this.#propagationStopped;
  }

  set cancelBubble(value: unknown) {
    if (value) this.#propagationStopped = true;
  }

  stopImmediatePropagation(): void {
    this.#propagationStopped = true;
    this.#immediateStopped = true;
  }

  get bubbles(): boolean {
    return this.#bubbles;
  }

  get cancelable(): boolean {
    return this.#cancelable;
  }

  get returnValue(): boolean {
    return !this.#canceled;
  }

  set returnValue(value: unknown) {
    if (!value) this.preventDefault();
  }

  preventDefault(): void {
    if (this.#cancelable && !this.#passive) this.#canceled = true;
  }

  get defaultPrevented(): boolean {
    return this.#canceled;
  }

  get composed(): boolean {
    return this.#composed;
  }

  get timeStamp(): number {
    return this.#timeStamp;
  }

  initEvent(type: unknown, bubbles: unknown = false, cancelable: unknown = false): void {
    if (arguments.length === 0) throw new TypeError("initEvent requires a type");
    if (this.#dispatching) return;
    endDispatch(this);
    this.#canceled = false;
    this.#trusted = false;
    this.#target = null;
    this.#type = `${type as string}`;
    this.#bubbles = Boolean(bubbles);
    this.#cancelable = Boolean(cancelable);
  }
}
const isTrusted = Event.isTrusted;
Reflect.deleteProperty(Event, "isTrusted");
const trustedDescriptor: PropertyDescriptor = {
  get: Object.getOwnPropertyDescriptor(
    {
      get isTrusted(): boolean {
        return isTrusted(this as unknown as Event);
      },
    },
    "isTrusted",
  )?.get as () => boolean,
  enumerable: true,
};
exposeInterface(Event, "Event");
defineConstants(Event, PHASES);

export class CustomEvent extends Event {
  #detail: unknown;

  constructor(type: unknown, init?: (EventInit & { readonly detail?: unknown }) | null) {
    if (arguments.length === 0) throw new TypeError("CustomEvent requires a type");
    super(type, init);
    this.#detail = init?.detail ?? null;
  }

  get detail(): unknown {
    return this.#detail;
  }

  initCustomEvent(
    type: unknown,
    bubbles: unknown = false,
    cancelable: unknown = false,
    detail: unknown = null,
  ): void {
    if (arguments.length === 0) throw new TypeError("initCustomEvent requires a type");
    if (isDispatching(this)) return;
    this.initEvent(type, bubbles, cancelable);
    this.#detail = detail;
  }
}
exposeInterface(CustomEvent, "CustomEvent");

export interface ErrorEventInit extends EventInit {
  readonly message?: unknown;
  readonly filename?: unknown;
  readonly lineno?: unknown;
  readonly colno?: unknown;
  readonly error?: unknown;
}

export class ErrorEvent extends Event {
  readonly #message: string;
  readonly #filename: string;
  readonly #lineno: number;
  readonly #colno: number;
  readonly #error: unknown;

  constructor(type: unknown, init?: ErrorEventInit | null) {
    if (arguments.length === 0) throw new TypeError("ErrorEvent requires a type");
    super(type, init);
    this.#message = `${(init?.message ?? "") as string}`;
    this.#filename = `${(init?.filename ?? "") as string}`;
    this.#lineno = Number(init?.lineno ?? 0) >>> 0;
    this.#colno = Number(init?.colno ?? 0) >>> 0;
    this.#error = init?.error;
  }

  get message(): string {
    return this.#message;
  }

  get filename(): string {
    return this.#filename;
  }

  get lineno(): number {
    return this.#lineno;
  }

  get colno(): number {
    return this.#colno;
  }

  get error(): unknown {
    return this.#error;
  }
}
exposeInterface(ErrorEvent, "ErrorEvent");

export interface PromiseRejectionEventInit extends EventInit {
  readonly promise: unknown;
  readonly reason?: unknown;
}

export class PromiseRejectionEvent extends Event {
  readonly #promise: unknown;
  readonly #reason: unknown;

  constructor(type: unknown, init: PromiseRejectionEventInit) {
    if (arguments.length < 2) throw new TypeError("PromiseRejectionEvent requires two arguments");
    super(type, init);
    this.#promise = init.promise;
    this.#reason = init.reason;
  }

  get promise(): unknown {
    return this.#promise;
  }

  get reason(): unknown {
    return this.#reason;
  }
}
exposeInterface(PromiseRejectionEvent, "PromiseRejectionEvent");
