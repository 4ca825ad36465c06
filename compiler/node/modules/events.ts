// node:events: unenv's, with a class that can be called, as constructors from before there were classes do.

import * as base from "unenv/node/internal/events/events";
import { checkInteger } from "./errors.ts";

export {
  EventEmitterAsyncResource,
  addAbortListener,
  getEventListeners,
  getMaxListeners,
  on,
  once,
} from "unenv/node/internal/events/events";

type Kind = typeof base._EventEmitter;

export const EventEmitter: Kind = callable(base._EventEmitter);
export const errorMonitor: unique symbol = Symbol.for("events.errorMonitor");
export const captureRejectionSymbol: unique symbol = Symbol.for("nodejs.rejection");
export const captureRejections = false;
export const defaultMaxListeners = 10;
export const usingDomains = false;

interface Counting {
  listenerCount(name: string | symbol): number;
}

export function listenerCount(emitter: Counting, name: string | symbol): number {
  return emitter.listenerCount(name);
}

interface Limited {
  setMaxListeners?(count: number): unknown;
}

/** Of these; an EventTarget has no such limit here. Without any: of all emitters to come. */
export function setMaxListeners(count: number, ...targets: readonly Limited[]): void {
  checkInteger("n", count, 0, Number.MAX_SAFE_INTEGER);
  if (targets.length === 0) Reflect.set(base._EventEmitter, "defaultMaxListeners", count);
  for (const target of targets) target.setMaxListeners?.(count);
}

function callable(kind: Kind): Kind {
  const open = new Proxy(kind, {
    apply(_, self: object, args): undefined {
      Object.assign(self, Reflect.construct(kind, args));
    },
  });
  Object.defineProperty(kind.prototype, "constructor", { value: open });
  asNodes(kind.prototype);
  Object.defineProperty(kind, "EventEmitter", { value: open });
  Object.defineProperty(kind, "name", { value: "EventEmitter" });
  return open;
}

/** Code from before there were classes copies methods, and overrides one of two names with the other. */
function asNodes(prototype: object): void {
  const methods = Object.getOwnPropertyDescriptors(prototype) as PropertyDescriptorMap;
  const { addListener, removeListener, constructor: _, ...others } = methods;
  for (const [name, method] of Object.entries({
    ...others,
    addListener,
    removeListener,
    on: addListener,
    off: removeListener,
  })) {
    Object.defineProperty(prototype, name, { ...method, enumerable: true });
  }
}
