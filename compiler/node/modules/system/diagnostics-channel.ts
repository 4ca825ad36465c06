// node:diagnostics_channel. A store bound to a channel is anything with `run`, as an AsyncLocalStorage has it.

import { checkCallback, wrongType } from "../errors.ts";

type Name = string | symbol;
type Listener = (message: unknown, name: Name) => void;
type Callable = (this: unknown, ...args: never[]) => unknown;

interface Store {
  run(value: unknown, run: () => unknown): unknown;
}

const channels = new Map<Name, Channel>();

export class Channel {
  readonly name: Name;
  #listeners: readonly Listener[] = [];
  readonly #stores = new Map<Store, ((message: unknown) => unknown) | undefined>();

  constructor(name: Name) {
    this.name = name;
  }

  get hasSubscribers(): boolean {
    return this.#listeners.length > 0 || this.#stores.size > 0;
  }

  subscribe(listener: Listener): void {
    this.#listeners = [...this.#listeners, checkCallback(listener) as Listener];
  }

  unsubscribe(listener: Listener): boolean {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners = this.#listeners.toSpliced(at, 1);
    return at >= 0;
  }

  /** What a listener throws is nobody's who publishes. */
  publish(message: unknown): void {
    for (const listener of this.#listeners) {
      try {
        listener(message, this.name);
      } catch (error) {
        // Uncaught, in a turn of its own.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  bindStore(store: Store, transform?: (message: unknown) => unknown): void {
    this.#stores.set(store, transform);
  }

  unbindStore(store: Store): boolean {
    return this.#stores.delete(store);
  }

  runStores<T>(message: unknown, run: Callable, self?: unknown, ...args: never[]): T {
    let inner = (): unknown => {
      this.publish(message);
      return Reflect.apply(run, self, args);
    };
    for (const [store, transform] of this.#stores) {
      const next = inner;
      inner = () => store.run(transform === undefined ? message : transform(message), next);
    }
    return inner() as T;
  }
}

export function channel(name: Name): Channel {
  if (typeof name !== "string" && typeof name !== "symbol") {
    throw wrongType("channel", "of type string or symbol", name);
  }
  const found = channels.get(name) ?? new Channel(name);
  channels.set(name, found);
  return found;
}

export function hasSubscribers(name: Name): boolean {
  return channels.get(name)?.hasSubscribers ?? false;
}

export function subscribe(name: Name, listener: Listener): void {
  channel(name).subscribe(listener);
}

export function unsubscribe(name: Name, listener: Listener): boolean {
  return channel(name).unsubscribe(listener);
}

const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;
type Channels = Readonly<Record<(typeof EVENTS)[number], Channel>>;
type Listeners = Partial<Readonly<Record<(typeof EVENTS)[number], Listener>>>;
type Context = Record<string, unknown>;

export class TracingChannel implements Channels {
  readonly start: Channel;
  readonly end: Channel;
  readonly asyncStart: Channel;
  readonly asyncEnd: Channel;
  readonly error: Channel;

  constructor(of: string | Channels) {
    const named = (event: keyof Channels): Channel =>
      typeof of === "string" ? channel(`tracing:${of}:${event}`) : of[event];
    this.start = named("start");
    this.end = named("end");
    this.asyncStart = named("asyncStart");
    this.asyncEnd = named("asyncEnd");
    this.error = named("error");
  }

  get hasSubscribers(): boolean {
    return EVENTS.some((event) => this[event].hasSubscribers);
  }

  subscribe(listeners: Listeners): void {
    for (const event of EVENTS) {
      const listener = listeners[event];
      if (listener !== undefined) this[event].subscribe(listener);
    }
  }

  unsubscribe(listeners: Listeners): boolean {
    return EVENTS.every((event) => {
      const listener = listeners[event];
      return listener === undefined || this[event].unsubscribe(listener);
    });
  }

  traceSync(run: Callable, context: Context = {}, self?: unknown, ...args: never[]): unknown {
    return this.#started(context, () => {
      const result: unknown = Reflect.apply(run, self, args);
      context["result"] = result;
      return result;
    });
  }

  #started(context: Context, run: () => unknown): unknown {
    return this.start.runStores(context, () => {
      try {
        return run();
      } catch (error) {
        context["error"] = error;
        this.error.publish(context);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }

  tracePromise(run: Callable, context: Context = {}, self?: unknown, ...args: never[]): unknown {
    const settled = (name: "error" | "result", value: unknown): void => {
      context[name] = value;
      if (name === "error") this.error.publish(context);
      this.asyncStart.publish(context);
      this.asyncEnd.publish(context);
    };
    const wait = async (work: unknown): Promise<unknown> => {
      try {
        const value = await work;
        settled("result", value);
        return value;
      } catch (error) {
        settled("error", error);
        throw error;
      }
    };
    return this.#started(context, () => wait(Reflect.apply(run, self, args)));
  }

  /** The callback stands at `position` of the arguments, last unless told. */
  traceCallback(
    run: Callable,
    position = -1,
    context: Context = {},
    self?: unknown,
    ...args: unknown[]
  ): unknown {
    const callback = checkCallback(args.at(position)) as unknown as Callable;
    const { error: failed, asyncStart, asyncEnd } = this;
    function traced(this: unknown, error: unknown, value: unknown, ...rest: unknown[]): unknown {
      if (error === null || error === undefined) context["result"] = value;
      else {
        context["error"] = error;
        failed.publish(context);
      }
      return asyncStart.runStores(context, () => {
        try {
          return Reflect.apply(callback, this, [error, value, ...rest]) as unknown;
        } finally {
          asyncEnd.publish(context);
        }
      });
    }
    const given = args.with(position, traced) as never[];
    return this.#started(context, () => Reflect.apply(run, self, given));
  }
}

export function tracingChannel(of: string | Channels): TracingChannel {
  return new TracingChannel(of);
}
