// Our node:events against Node's own.

import * as real from "node:events";
import { inherits } from "node:util";
import { expect, test } from "vitest";
import * as ours from "./events.ts";

interface Events {
  readonly EventEmitter: typeof real.EventEmitter;
  readonly errorMonitor: typeof real.EventEmitter.errorMonitor;
  getMaxListeners(emitter: real.EventEmitter): number;
  listenerCount(emitter: real.EventEmitter, name: string): number;
  setMaxListeners(count: number, emitter: real.EventEmitter): void;
}

function compare(run: (events: Events) => unknown): void {
  expect(run(ours as unknown as Events)).toEqual(run(real as unknown as Events));
}

interface Old extends real.EventEmitter {
  heard: unknown[];
}

test("a constructor from before there were classes calls the emitter's", () => {
  compare(({ EventEmitter }) => {
    function Old(this: Old): void {
      Reflect.apply(EventEmitter, this, []);
      this.heard = [];
      this.on("a", (value) => this.heard.push(value));
    }
    inherits(Old, EventEmitter);
    const make = (): Old => Reflect.construct(Old, []) as Old;
    const [one, other] = [make(), make()];
    one.emit("a", 1);
    return [one.heard, other.heard, one instanceof EventEmitter, one.listenerCount("a")];
  });
});

test("classes, and classes of classes, are emitters", () => {
  compare(({ EventEmitter }) => {
    class One extends EventEmitter {}
    class Two extends One {}
    const two = new Two();
    const heard: unknown[] = [];
    two.once("a", (value) => heard.push(value)).prependListener("a", () => heard.push("first"));
    two.emit("a", 1);
    two.emit("a", 2);
    return [heard, two instanceof EventEmitter, two instanceof One, EventEmitter.name];
  });
});

test("the emitter is a member of itself, and its instances' constructor", () => {
  compare(({ EventEmitter }) => [
    EventEmitter.EventEmitter === EventEmitter,
    new EventEmitter().constructor === EventEmitter,
  ]);
});

test("listeners are counted and limited by functions too", () => {
  compare(({ EventEmitter, ...events }) => {
    const emitter = new EventEmitter();
    events.setMaxListeners(3, emitter);
    emitter.on("a", () => undefined);
    return [events.listenerCount(emitter, "a"), events.getMaxListeners(emitter)];
  });
});

test("an error that nobody listens for is thrown, and monitored before", () => {
  compare(({ EventEmitter, errorMonitor }) => {
    const emitter = new EventEmitter();
    const heard: unknown[] = [];
    emitter.on(errorMonitor, () => heard.push("monitored"));
    try {
      emitter.emit("error", new RangeError("thrown"));
    } catch (error) {
      heard.push((error as Error).message);
    }
    return heard;
  });
});

test("methods are copied to what is no emitter, and override each other by their names", () => {
  compare(({ EventEmitter }) => {
    const app = Object.assign(() => undefined, EventEmitter.prototype) as unknown as Old;
    const heard: unknown[] = [];
    app.on("a", (value) => heard.push(value)).emit("a", 1);
    class Patched extends EventEmitter {
      override on(name: string, listener: () => void): this {
        heard.push(`on ${name}`);
        return super.on(name, listener);
      }
    }
    Object.defineProperty(Patched.prototype, "addListener", {
      value: Reflect.get(Patched.prototype, "on"),
    });
    new Patched().addListener("b", () => heard.push("b")).emit("b");
    return heard;
  });
});
