import { describe, expect, test } from "vitest";
import * as ours from "./events.ts";
import { reportException, thawReport } from "./report.ts";
import { thawTimers, fireTimer } from "./timers.ts";
import type { Port } from "./port.ts";

function unexpected(): never {
  throw new Error("Nothing here calls a service.");
}

const lines: string[] = [];
const timers: { id: number; ms: number }[] = [];
const port: Port = {
  now: () => 0,
  monotonic: () => 0,
  fetch: () => Promise.reject(new Error("not here")),
  begin: unexpected,
  waitUntil: () => false,
  exports: () => null,
  cancel: unexpected,
  bytesCall: () => Promise.reject(new Error("not here")),
  setTimer: (id, ms) => timers.push({ id, ms }),
  timersMax: 10,
  memoryBytes: 2 ** 27,
  clearTimer: () => undefined,
  log: (_level, text) => lines.push(text),
};
thawReport(port);
thawTimers(port);

const { Event, EventTarget, AbortController, AbortSignal } = ours;

describe("events", () => {
  test("listeners run once each, capturing ones first, in the order they were added", () => {
    const target = new EventTarget();
    const ran: string[] = [];
    const a = (): void => void ran.push("a");
    target.addEventListener("x", a);
    target.addEventListener("x", a);
    target.addEventListener("x", () => ran.push("b"), { once: true });
    target.addEventListener("x", { handleEvent: () => ran.push("c") });
    target.dispatchEvent(new Event("x"));
    target.dispatchEvent(new Event("x"));
    expect(ran).toEqual(["a", "b", "c", "a", "c"]);
  });

  test("listeners removed or added during a dispatch", () => {
    const target = new EventTarget();
    const ran: string[] = [];
    const late = (): void => void ran.push("late");
    const gone = (): void => void ran.push("gone");
    target.addEventListener("x", () => {
      target.removeEventListener("x", gone);
      target.removeEventListener("x", gone2);
      target.addEventListener("x", late);
    });
    const gone2 = (): void => void ran.push("gone2");
    target.addEventListener("x", gone);
    target.addEventListener("x", gone2);
    target.addEventListener("x", () => ran.push("stays"));
    target.dispatchEvent(new Event("x"));
    expect(ran).toEqual(["stays"]);
    target.dispatchEvent(new Event("x"));
    expect(ran).toEqual(["stays", "stays", "late"]);
  });

  test("preventDefault counts on cancelable events outside passive listeners", () => {
    const target = new EventTarget();
    const prevent = (event: { preventDefault(): void }): void => event.preventDefault();
    target.addEventListener("passive", prevent, { passive: true });
    target.addEventListener("active", prevent);
    expect(target.dispatchEvent(new Event("passive", { cancelable: true }))).toBe(true);
    expect(target.dispatchEvent(new Event("active"))).toBe(true);
    expect(target.dispatchEvent(new Event("active", { cancelable: true }))).toBe(false);
  });

  test("stopImmediatePropagation ends a dispatch, and an event can be dispatched again", () => {
    const target = new EventTarget();
    let second = 0;
    target.addEventListener("x", (event: { stopImmediatePropagation(): void }) => {
      if (second === 0) event.stopImmediatePropagation();
      second++;
    });
    target.addEventListener("x", () => (second += 10));
    const event = new Event("x");
    target.dispatchEvent(event);
    expect(second).toBe(1);
    target.dispatchEvent(event);
    expect(second).toBe(12);
    expect([event.target, event.currentTarget, event.eventPhase]).toEqual([target, null, 0]);
  });

  test("a listener's signal removes it, and an aborted one never lets it in", () => {
    const target = new EventTarget();
    const controller = new AbortController();
    let ran = 0;
    target.addEventListener("x", () => ran++, { signal: controller.signal });
    target.dispatchEvent(new Event("x"));
    controller.abort();
    target.dispatchEvent(new Event("x"));
    target.addEventListener("x", () => ran++, { signal: AbortSignal.abort() });
    target.dispatchEvent(new Event("x"));
    expect(ran).toBe(1);
  });

  test("abort tells listeners and onabort once, with the reason given or an AbortError", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const ran: unknown[] = [];
    Reflect.set(signal, "onabort", () => ran.push("on"));
    signal.addEventListener("abort", () => ran.push(signal.reason));
    controller.abort("why");
    controller.abort("again");
    expect(ran).toEqual(["on", "why"]);
    expect(() => signal.throwIfAborted()).toThrow("why");
    const other = new AbortController();
    other.abort();
    expect(Reflect.get(other.signal.reason as object, "name")).toBe("AbortError");
    expect(Reflect.get(other.signal.reason as object, "code")).toBe(20);
  });

  test("any() follows the first of its signals, through other any() signals too", () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const inner = AbortSignal.any([a.signal, b.signal]);
    const outer = AbortSignal.any([inner]);
    b.abort("b");
    a.abort("a");
    expect([inner.reason, outer.reason]).toEqual(["b", "b"]);
    expect(AbortSignal.any([AbortSignal.abort("x"), a.signal]).reason).toBe("x");
    expect(AbortSignal.any([]).aborted).toBe(false);
  });

  test("signals made by any() are all aborted before the first listener runs, theirs run last", () => {
    const controller = new AbortController();
    const dependent = AbortSignal.any([AbortSignal.any([controller.signal])]);
    const ran: unknown[] = [];
    dependent.addEventListener("abort", () => ran.push("dependent"));
    controller.signal.addEventListener("abort", () => ran.push(dependent.aborted));
    controller.abort();
    expect(ran).toEqual([true, "dependent"]);
  });

  test("wrong arguments are TypeErrors", () => {
    const target = new EventTarget();
    expect(() => target.dispatchEvent({ type: "x" })).toThrow(TypeError);
    expect(() => target.addEventListener("x", 1)).toThrow(TypeError);
    expect(() => target.addEventListener("x", () => 0, { signal: {} })).toThrow(TypeError);
    expect(() => Reflect.construct(AbortSignal, [])).toThrow(TypeError);
    expect(() => AbortSignal.any([{}])).toThrow(TypeError);
  });
});

describe("events inside the platform", () => {
  test("a throwing listener is reported and does not stop the others", () => {
    const target = new ours.EventTarget();
    let ran = 0;
    target.addEventListener("x", () => {
      throw new RangeError("broken");
    });
    target.addEventListener("x", () => ran++);
    lines.length = 0;
    expect(target.dispatchEvent(new ours.Event("x"))).toBe(true);
    expect(ran).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("Uncaught RangeError: broken");
  });

  test("reported exceptions reach the global error listeners, which can keep them from the log", () => {
    const seen: unknown[] = [];
    const listen = (event: unknown): void => {
      if (!(event instanceof ours.ErrorEvent)) return;
      seen.push(event.error, event.message, event.target);
      event.preventDefault();
    };
    ours.globalTarget.addEventListener("error", listen);
    lines.length = 0;
    reportException(new Error("caught"));
    ours.globalTarget.removeEventListener("error", listen);
    expect(seen).toEqual([new Error("caught"), "caught", globalThis]);
    expect(lines).toEqual([]);
  });

  test("an error listener that throws cannot loop", () => {
    const listen = (): never => {
      throw new Error("again");
    };
    ours.globalTarget.addEventListener("error", listen);
    lines.length = 0;
    reportException(new Error("first"));
    ours.globalTarget.removeEventListener("error", listen);
    expect(lines.map((line) => /Error: (\w+)/.exec(line)?.[1])).toEqual(["again", "first"]);
  });

  test("timeout() aborts with a TimeoutError when the host reports its timer", () => {
    timers.length = 0;
    const signal = ours.AbortSignal.timeout(25);
    expect(timers.map(({ ms }) => ms)).toEqual([25]);
    expect(signal.aborted).toBe(false);
    fireTimer(timers[0]?.id ?? 0);
    expect(Reflect.get(signal.reason as object, "name")).toBe("TimeoutError");
    expect(() => ours.AbortSignal.timeout(-1)).toThrow(TypeError);
  });

  test("the platform's own abort work runs before listeners, in the order it was added", () => {
    const signal = ours.createSignal();
    const ran: string[] = [];
    signal.addEventListener("abort", () => ran.push("listener"));
    ours.onSignalAbort(signal, () => ran.push("first"));
    ours.onSignalAbort(signal, () => ran.push("second"));
    ours.abortSignal(signal, "x");
    ours.abortSignal(signal, "y");
    ours.onSignalAbort(signal, () => ran.push("late"));
    expect(ran).toEqual(["first", "second", "listener", "late"]);
    expect(signal.reason).toBe("x");
  });
});
