// Code that takes all memory, runs out of stack, or throws where nobody listens. Whatever it does, another
// instance in the same process answers meanwhile, and the next request of its own is answered.

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openWorkshop, type Opened, type Workshop } from "../isolate/instances.ts";

const SOURCE = `
const bombs = {
  strings: () => { const a = []; for (;;) a.push("x".repeat(1e6) + a.length); },
  doubling: () => { let s = "x"; for (;;) { s += s; s.charCodeAt(5); } },
  arrays: () => { const a = []; for (;;) a.push(new Array(1000).fill(a.length)); },
  buffers: () => { const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1)); },
  maps: () => { const m = new Map(); for (let i = 0; ; i++) m.set(i, { i, s: "v" + i }); },
  objects: () => { let o = null; for (;;) o = { o, a: [1, 2, 3] }; },
  closures: () => { const a = []; for (;;) { const b = new Array(100).fill(a.length); a.push(() => b); } },
};
const handlers = {
  ok: () => new Response("ok"),
  recursion: () => { const f = () => f() + 1; return f(); },
  deepJson: () => JSON.parse("[".repeat(1e6)),
  sort: () => { throw [1, 2].sort(() => { throw new Error("in sort"); }); },
  rejection: () => { Promise.reject(new Error("unhandled")); return new Response("ok"); },
  timerThrows: async () => {
    setTimeout(() => { throw new Error("in a timer"); }, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return new Response("ok");
  },
  microtaskThrows: async () => { queueMicrotask(() => { throw new Error("m"); }); await null; return new Response("ok"); },
  listenerThrows: () => {
    const target = new EventTarget();
    target.addEventListener("x", () => { throw new Error("l"); });
    target.dispatchEvent(new Event("x"));
    return new Response("ok");
  },
  throwsProxy: () => { throw new Proxy({}, { get() { throw new Error("trap"); } }); },
  throwsGetter: () => { throw { get name() { throw 1; }, get message() { throw 2; }, get stack() { throw 3; } }; },
  throwsHuge: () => { throw new Error("x".repeat(5e6)); },
};
export default {
  fetch(request) {
    const name = new URL(request.url).pathname.slice(1);
    if (name in bombs) { bombs[name](); return new Response("survived"); }
    return handlers[name](request);
  },
};
`;

let workshop: Workshop;
let neighbour: Opened;
beforeAll(async () => {
  workshop = await openWorkshop();
  neighbour = workshop.open({
    source: 'export default { fetch: () => new Response("neighbour") };',
  });
  await neighbour.text();
});
afterAll(() => workshop.close());

function open(trust: "own" | "untrusted"): Opened {
  return workshop.open({ source: SOURCE, trust, limits: { memoryMb: 32, cpuMs: 8_000 } });
}

describe.each(["own", "untrusted"] as const)("in an isolate with trust %s", (trust) => {
  // Doubling strings and maps can end in V8's catastrophic error, which costs the worker process, not the isolate.
  test.each(["strings", "arrays", "buffers", "objects", "closures"])(
    "a bomb of %s fails alone",
    async (name) => {
      const opened = open(trust);
      await opened.text("/ok");
      const sent = opened.send(`/${name}`);
      const near = neighbour.text();
      const outcome = await sent.ended();
      expect(["MEMORY_LIMIT", "HANDLER_EXCEPTION", "CPU_LIMIT"]).toContain(outcome);
      expect(await near).toBe("neighbour");
      expect(await opened.text("/ok")).toBe("ok");
      opened.generation.abandon();
    },
  );

  test("a heap bomb says that memory was the reason", async () => {
    const opened = open(trust);
    expect(await opened.outcome("/arrays")).toBe("MEMORY_LIMIT");
    expect(opened.deaths).toEqual(["memory"]);
    expect(await opened.text("/ok")).toBe("ok");
    expect(opened.loads()).toBe(2);
  });

  test.each([
    ["recursion", "HANDLER_EXCEPTION"],
    ["deepJson", "HANDLER_EXCEPTION"],
    ["sort", "HANDLER_EXCEPTION"],
    ["rejection", "ok"],
    ["timerThrows", "ok"],
    ["microtaskThrows", "ok"],
    ["listenerThrows", "ok"],
    ["throwsProxy", "HANDLER_EXCEPTION"],
    ["throwsGetter", "HANDLER_EXCEPTION"],
    ["throwsHuge", "HANDLER_EXCEPTION"],
  ])("%s ends as %s and leaves the isolate as it is", async (name, outcome) => {
    const opened = open(trust);
    await opened.text("/ok");
    const sent = opened.send(`/${name}`);
    expect(await sent.ended()).toBe(outcome);
    expect(sent.logs.join("").length).toBeLessThan(10_000);
    expect(await neighbour.text()).toBe("neighbour");
    expect(await opened.text("/ok")).toBe("ok");
    expect(opened.loads()).toBe(1);
  });
});

test("code that used up its CPU time and then its memory dies of its memory, time and again", async () => {
  const source = `let sink = 0;
    export default { fetch(request) {
      if (!request.url.endsWith("/bomb")) return new Response("ok");
      for (let i = 0; i < 3e7; i++) sink += i;
      const all = []; for (;;) all.push(new Array(1000).fill(all.length));
    } };`;
  const limits = { memoryMb: 32, cpuMs: 20_000, cpuSoftMs: 1 };
  const opened = workshop.open({ source, trust: "untrusted", limits });
  await opened.text("/ok");
  for (let i = 1; i <= 2; i++) {
    expect(await opened.outcome("/bomb")).toBe("MEMORY_LIMIT");
    // Between two deaths it must not be in its pause.
    await vi.waitUntil(async () => (await opened.outcome("/ok")) === "ok", 10_000);
  }
  expect(opened.deaths).toEqual(["memory", "memory"]);
});
