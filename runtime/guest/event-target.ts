// EventTarget without a tree. Listeners form a linked list: nothing of it ever passes through a method that an
// author can patch.

import { DOMException } from "./dom-exception.ts";
import {
  beginDispatch,
  endDispatch,
  ErrorEvent,
  type Event,
  isDispatching,
  isEvent,
  isStopped,
  setPassive,
} from "./event.ts";
import { exposeInterface } from "./interface.ts";
import { onReport, reportException } from "./report.ts";

const apply = Reflect.apply;

interface Listener {
  readonly type: string;
  readonly callback: unknown;
  readonly capture: boolean;
  readonly once: boolean;
  readonly passive: boolean;
  /** Grows with every listener: those added during a dispatch are not part of it. */
  readonly order: number;
  removed: boolean;
  next: Listener | null;
}

/** Where an `on…` attribute keeps its value and its place among the listeners. */
interface Handler {
  readonly type: string;
  value: unknown;
  listener: Listener | null;
  readonly next: Handler | null;
}

/** Runs `run` when the signal aborts, ahead of its listeners; "aborted" when it already has. */
type Follow = (signal: unknown, run: () => void) => "aborted" | "following";
let followSignal: Follow = () => {
  throw new TypeError("no signals yet");
};
export function setFollow(follow: Follow): void {
  followSignal = follow;
}

let orders = 0;

let readHandler: (target: EventTarget, type: string) => unknown;
let writeHandler: (target: EventTarget, type: string, value: unknown) => void;
/** Dispatches an event of the platform's own; false when a listener prevented the default. */
export let dispatchTrusted: (target: EventTarget, event: Event) => boolean;
export let hasListeners: (target: EventTarget, type: string) => boolean;

export class EventTarget {
  #first: Listener | null = null;
  #handlers: Handler | null = null;

  static {
    dispatchTrusted = (target, event) => target.#dispatch(event, true);
    readHandler = (target, type) => target.#handlerOf(type)?.value ?? null;
    writeHandler = (target, type, value) => target.#setHandler(type, value);
    hasListeners = (target, type) => {
      for (let each = target.#first; each !== null; each = each.next) {
        if (each.type === type) return true;
      }
      return false;
    };
  }

  addEventListener(type: unknown, callback: unknown, options?: unknown): void {
    if (arguments.length < 2) throw new TypeError("addEventListener requires two arguments");
    const name = `${type as string}`;
    const given = isObject(options) ? options : null;
    const capture = captureOf(options);
    const once = Boolean(given?.once);
    const passive = Boolean(given?.passive);
    const signal = given?.signal;
    const listener = createListener({
      type: name,
      callback: parseCallback(callback),
      capture,
      once,
      passive,
    });
    const following =
      signal === undefined ? "following" : followSignal(signal, () => this.#remove(listener));
    if (following === "aborted" || listener.callback === null) return;
    if (this.#find(name, callback, capture) === null) this.#append(listener);
  }

  removeEventListener(type: unknown, callback: unknown, options?: unknown): void {
    if (arguments.length < 2) throw new TypeError("removeEventListener requires two arguments");
    const found = this.#find(`${type as string}`, parseCallback(callback), captureOf(options));
    if (found !== null) this.#remove(found);
  }

  dispatchEvent(event: unknown): boolean {
    if (!isEvent(event)) throw new TypeError("dispatchEvent requires an Event");
    return this.#dispatch(event, false);
  }

  #find(type: string, callback: unknown, capture: boolean): Listener | null {
    for (let each = this.#first; each !== null; each = each.next) {
      const same = each.type === type && each.callback === callback && each.capture === capture;
      if (same) return each;
    }
    return null;
  }

  #append(listener: Listener): void {
    let last = this.#first;
    if (last === null) {
      this.#first = listener;
      return;
    }
    while (last.next !== null) last = last.next;
    last.next = listener;
  }

  /** Leaves the removed listener's `next` alone: a dispatch may stand on it. */
  #remove(listener: Listener): void {
    if (listener.removed) return;
    listener.removed = true;
    if (this.#first === listener) {
      this.#first = listener.next;
      return;
    }
    for (let each = this.#first; each !== null; each = each.next) {
      if (each.next !== listener) continue;
      each.next = listener.next;
      return;
    }
  }

  #dispatch(event: Event, trusted: boolean): boolean {
    if (isDispatching(event)) throw busy();
    const target = this === globalTarget ? globalThis : this;
    beginDispatch(event, target, trusted);
    if (this.#first !== null) {
      const type = event.type;
      const newest = orders;
      this.#invoke(event, type, target, { capture: true, newest });
      this.#invoke(event, type, target, { capture: false, newest });
    }
    endDispatch(event);
    return !event.defaultPrevented;
  }

  #invoke(
    event: Event,
    type: string,
    target: object,
    phase: { capture: boolean; newest: number },
  ): void {
    for (let each = this.#first; each !== null; each = each.next) {
      if (isStopped(event) || each.order > phase.newest) return;
      if (each.removed || each.type !== type || each.capture !== phase.capture) continue;
      if (each.once) this.#remove(each);
      setPassive(event, each.passive);
      try {
        callListener(each.callback, target, event);
      } catch (error) {
        reportException(error);
      }
      setPassive(event, false);
    }
  }

  #handlerOf(type: string): Handler | null {
    for (let each = this.#handlers; each !== null; each = each.next) {
      if (each.type === type) return each;
    }
    return null;
  }

  #setHandler(type: string, value: unknown): void {
    const callable = isObject(value) || typeof value === "function";
    let handler = this.#handlerOf(type);
    if (handler === null) {
      if (!callable) return;
      handler = { type, value: null, listener: null, next: this.#handlers };
      this.#handlers = handler;
    }
    handler.value = callable ? value : null;
    if (!callable) {
      if (handler.listener !== null) this.#remove(handler.listener);
      handler.listener = null;
    } else if (handler.listener === null) {
      const kept = handler;
      const callback = (event: Event): void => callHandler(kept.value, this, event);
      const plain = { capture: false, once: false, passive: false };
      handler.listener = createListener({ type, callback, ...plain });
      this.#append(handler.listener);
    }
  }
}
exposeInterface(EventTarget, "EventTarget");

/** Stands behind globalThis.addEventListener; its events carry globalThis as their target. */
export const globalTarget: EventTarget = new EventTarget();

onReport((thrown) => {
  if (!hasListeners(globalTarget, "error")) return false;
  const message = messageOf(thrown);
  const event = new ErrorEvent("error", { error: thrown, message, cancelable: true });
  return !dispatchTrusted(globalTarget, event);
});

/** Runs no getter: what is thrown may be a trap. */
function messageOf(thrown: unknown): string {
  if (typeof thrown === "symbol" || typeof thrown === "function") return "";
  if (typeof thrown !== "object" || thrown === null) return `${thrown as string}`;
  try {
    const message: unknown = Reflect.getOwnPropertyDescriptor(thrown, "message")?.value;
    return typeof message === "string" ? message : "";
  } catch {
    // A Proxy's trap threw.
    return "";
  }
}

type ListenerFields = Pick<Listener, "type" | "callback" | "capture" | "once" | "passive">;

function createListener(fields: ListenerFields): Listener {
  orders++;
  const { type, callback, capture, once, passive } = fields;
  return { type, callback, capture, once, passive, order: orders, removed: false, next: null };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function parseCallback(callback: unknown): unknown {
  if (callback === undefined || callback === null) return null;
  if (typeof callback === "function" || isObject(callback)) return callback;
  throw new TypeError("A listener must be a function or an object");
}

function captureOf(options: unknown): boolean {
  if (isObject(options) || typeof options === "function") {
    return Boolean((options as { capture?: unknown }).capture);
  }
  return Boolean(options);
}

function callListener(callback: unknown, target: object, event: Event): void {
  if (typeof callback === "function") {
    apply(callback as (event: Event) => unknown, target, [event]);
    return;
  }
  const handle = (callback as { handleEvent?: unknown }).handleEvent;
  if (typeof handle !== "function") throw new TypeError("The listener has no handleEvent method");
  apply(handle as (event: Event) => unknown, callback, [event]);
}

function callHandler(value: unknown, target: object, event: Event): void {
  if (typeof value !== "function") return;
  const result: unknown = apply(value as (event: Event) => unknown, target, [event]);
  if (result === false) event.preventDefault();
}

function busy(): Error {
  return new DOMException("The event is being dispatched already", "InvalidStateError");
}

/** `onerror`, which gets the parts of the event, and the other two handlers that every global object has. */
export function defineGlobalHandlers(): void {
  const types = ["error", "unhandledrejection", "rejectionhandled"];
  for (let i = 0; i < types.length; i++) {
    const type = types[i] ?? "";
    let given: unknown = null;
    const attribute = {
      get [`on${type}`](): unknown {
        return given;
      },
      set [`on${type}`](value: unknown) {
        given = isObject(value) || typeof value === "function" ? value : null;
        const told = type === "error" && typeof given === "function" ? tellError(given) : given;
        writeHandler(globalTarget, type, told);
      },
    };
    const descriptor = Object.getOwnPropertyDescriptor(attribute, `on${type}`);
    if (descriptor === undefined) continue;
    Object.defineProperty(globalThis, `on${type}`, { ...descriptor, enumerable: false });
  }
}

function tellError(handler: unknown): (event: unknown) => unknown {
  return (event) => {
    const isReport = event instanceof ErrorEvent;
    const parts = isReport
      ? [event.message, event.filename, event.lineno, event.colno, event.error]
      : [event];
    const result: unknown = apply(handler as () => unknown, globalThis, parts);
    // The opposite of all other handlers: true prevents.
    return isReport ? result !== true : result;
  };
}

/** Defines the attribute `on<type>` on an interface derived from EventTarget. */
export function defineHandlerAttribute(prototype: EventTarget, type: string): void {
  const attribute = {
    get [`on${type}`](): unknown {
      return readHandler(this as unknown as EventTarget, type);
    },
    set [`on${type}`](value: unknown) {
      writeHandler(this as unknown as EventTarget, type, value);
    },
  };
  const descriptor = Object.getOwnPropertyDescriptor(attribute, `on${type}`);
  if (descriptor !== undefined) Object.defineProperty(prototype, `on${type}`, descriptor);
}
