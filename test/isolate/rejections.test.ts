// Promises that nobody handled: what listeners of a handler are told, and what the log says where they do not mind.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STRAYS_MAX } from "../../runtime/isolate/jobs/rejections.ts";
import { until } from "../waiting.ts";
import { earnInline, openWorkshop, type Opened, type Workshop } from "./instances.ts";

const SOURCE = `
const told = [];
let strays = 0;
addEventListener("unhandledrejection", (event) => {
  const { type, reason, promise, isTrusted } = event;
  const isError = reason instanceof TypeError;
  told.push({ type, isTrusted, isPromise: promise instanceof Promise, isError,
    message: isError ? reason.message : reason, stack: isError ? reason.stack.split("\\n")[0] : "" });
  if (reason !== "logged") event.preventDefault();
  if (reason === "again") { strays++; Promise.reject("again"); }
});
const reasons = {
  error: () => new TypeError("alone"), text: () => "text", nothing: () => undefined, number: () => 0.5,
  big: () => 7n, object: () => ({ a: 1 }), logged: () => "logged", again: () => "again",
};
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const name = pathname.slice(1);
    if (name === "told") return Response.json(told.splice(0));
    if (name === "strays") return new Response(String(strays));
    if (!Object.hasOwn(reasons, name)) return new Response("ok");
    Promise.reject(reasons[name]());
    if (name !== "again") await new Promise((resolve) => setTimeout(resolve, 1));
    return new Response("ok");
  },
};`;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

describe.each(["own", "untrusted"] as const)("of an endpoint with trust %s", (trust) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = workshop.open({ source: SOURCE, trust });
    if (trust === "own") await earnInline(opened);
  });

  async function told(name: string): Promise<unknown> {
    const sent = opened.send(`/${name}`);
    await sent.text();
    const { length } = sent.logs;
    const events: unknown = JSON.parse(await opened.text("/told"));
    return { events, logs: length };
  }

  const event = { type: "unhandledrejection", isTrusted: true, isPromise: true };
  const plain = { ...event, isError: false, stack: "" };

  test("an error comes as one of its kind", async () => {
    expect(await told("error")).toEqual({
      events: [{ ...event, isError: true, message: "alone", stack: "TypeError: alone" }],
      logs: 0,
    });
  });

  test.each([
    ["text", "text"],
    ["number", 0.5],
    ["nothing", undefined],
    ["big", "7"],
    ["object", {}],
  ])("%s is the reason", async (name, message) => {
    const expected = message === undefined ? plain : { ...plain, message };
    expect(await told(name)).toEqual({ events: [expected], logs: 0 });
  });

  test("what no listener prevents is in the log", async () => {
    expect(await told("logged")).toEqual({ events: [{ ...plain, message: "logged" }], logs: 1 });
  });
});

/** Whatever runs behind its reply, or because its client is gone, runs when the request is over. */
const BEHIND = `
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    request.signal.addEventListener("abort", () => console.log("aborted"));
    if (pathname === "/later") setTimeout(() => console.log("later"), 20);
    if (pathname === "/listened") {
      addEventListener("unhandledrejection", () => undefined);
      Promise.reject(new Error("listened to"));
    }
    if (pathname === "/stream") {
      const cancel = (why) => console.log("cancelled", why instanceof DOMException && why.name);
      return new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1)), cancel }, { highWaterMark: 0 }));
    }
    if (pathname === "/left") Promise.reject(new Error("left behind"));
    return new Response("ok");
  },
};`;

describe.each(["own", "untrusted"] as const)(
  "of a request that is over, with trust %s",
  (trust) => {
    let opened: Opened;
    beforeAll(async () => {
      opened = workshop.open({ source: BEHIND, trust });
      if (trust === "own") await earnInline(opened);
    });

    test("a promise that was rejected is in the log", async () => {
      const sent = opened.send("/left");
      await sent.text();
      await until("it is logged", () => sent.logs.length > 0);
      expect(sent.logs.join()).toContain("error Unhandled rejection: Error: left behind");
    });

    test("what it says later is in the log", async () => {
      const sent = opened.send("/later");
      await sent.text();
      await until("it is logged", () => sent.logs.length > 0);
      expect(sent.logs).toEqual(["info later"]);
    });

    test("what is said when the client went away is in the log", async () => {
      const sent = opened.send("/stream");
      sent.exchange.socketBytes = 10;
      await until("the reply has begun", () => sent.exchange.bytesOut > 0);
      sent.exchange.disconnect();
      // However long its last slices take to come.
      for (let look = 0; look < 3; look++) opened.generation.expire(Date.now());
      await until("both are logged", () => sent.logs.length === 2);
      expect(sent.logs).toEqual(["info aborted", "info cancelled AbortError"]);
    });

    test("what no listener prevents is in the log", async () => {
      const sent = opened.send("/listened");
      await sent.text();
      await until("it is logged", () => sent.logs.length > 0);
      expect(sent.logs.join()).toContain("error Unhandled rejection: Error: listened to");
    });
  },
);

test("a listener that leaves another one behind each time comes to an end", async () => {
  const opened = workshop.open({ source: SOURCE });
  let asked = 1;
  await opened.text("/again");
  const strays = async (): Promise<number> => {
    asked++;
    return Number(await opened.text("/strays"));
  };
  await expect.poll(strays).toBeGreaterThan(1);
  expect(await strays()).toBeLessThanOrEqual(asked * (STRAYS_MAX + 2));
  expect(opened.generation.inFlight).toBe(0);
});
