// What the engine does not count is counted and bounded all the same: WebAssembly's memories and modules, and buffers
// that can grow. An isolate of 32 MB has 512 pages of 64 KB.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWorkshop, type InstanceInput, type Opened, type Workshop } from "./instances.ts";
import { moduleOf } from "./wasm-module.ts";

const PAGES = 512;
const bytesText = (bytes: Uint8Array): string =>
  `bytesOf("${Buffer.from(bytes).toString("base64")}")`;
const DECODE = `const bytesOf = (text) => { const raw = atob(text), bytes = new Uint8Array(raw.length); for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i); return bytes; };`;

const SOURCE = `${DECODE}
const growing = ${bytesText(moduleOf())};
const bounded = ${bytesText(moduleOf({ memory: [1, 1, 16], imports: true }))};
const kept = [];
const instanceOf = (bytes, imports) => new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
/** Answers with how often it went well, and what stopped it. */
const until = (times, make) => {
  let n = 0;
  try { for (; n < times; n++) make(n); return { n }; } catch (error) { return { n, error: String(error) }; }
};
/** With 200 KB of a custom section behind it, of which no two are alike. */
const padded = (n) => {
  const bytes = new Uint8Array(growing.length + 200_004).fill(n & 127);
  bytes.set(growing);
  bytes.set([0, 0xc0, 0x9a, 0x0c, 1, 65 + (n >> 7)], growing.length);
  return bytes;
};
const pause = () => new Promise((resolve) => setTimeout(resolve, 0));
const MB = 1024 * 1024;
const handlers = {
  ok: () => "ok",
  grow: () => { const { grow } = instanceOf(growing).exports; let pages = 1; while (grow(1) >= 0) pages++; return pages; },
  growMemory: () => { const memory = new WebAssembly.Memory({ initial: 1 }); kept.push(memory); return until(1e4, () => memory.grow(1)); },
  works: () => {
    const { grow, at, mem } = instanceOf(bounded, { a: { f: () => 0 } }).exports;
    const module = new WebAssembly.Module(bounded);
    return [String.fromCharCode(at(8), at(9)), grow(15), grow(1), mem instanceof WebAssembly.Memory, mem.buffer.byteLength / 65536,
      WebAssembly.Module.imports(module).map((one) => one.name), WebAssembly.Module.exports(module).map((one) => one.name)];
  },
  asks: (pages) => { new WebAssembly.Memory({ initial: pages }); return "got"; },
  many: () => until(1e4, () => kept.push(instanceOf(growing))),
  functions: () => until(1e4, () => kept.push(instanceOf(growing).exports.at)),
  async dropped() { for (let i = 0; i < 100; i++) { instanceOf(growing); await pause(); } return "all"; },
  constructors: () => until(1e4, (n) => {
    const { constructor } = [new WebAssembly.Memory({ initial: 1 }), instanceOf(growing).exports.mem][n % 2];
    kept.push(new constructor({ initial: 64 }));
  }),
  subclasses: () => until(1e4, () => { class Mine extends WebAssembly.Memory {} kept.push(new Mine({ initial: 64, maximum: 64 })); }),
  nested: () => until(1, () => {
    const within = (depth) => {
      const target = function () {}.bind();
      Object.defineProperty(target, "prototype", { get() { if (depth < 100) within(depth + 1); return WebAssembly.Memory.prototype; } });
      kept.push(Reflect.construct(WebAssembly.Memory, [{ initial: 64 }], target));
    };
    within(0);
  }),
  changing: () => { let n = 0; const descriptor = { get initial() { return n++ === 0 ? 1 : 500; }, maximum: 1000 };
    return new WebAssembly.Memory(descriptor).buffer.byteLength / 65536; },
  modules: () => until(1e4, (n) => kept.push(new WebAssembly.Module(padded(n)))),
  streaming: async () => {
    const respond = (init) => new Response(growing, { headers: { "content-type": "application/wasm" }, ...init });
    const { instance } = await WebAssembly.instantiateStreaming(Promise.resolve(respond()));
    const failures = [];
    for (const source of [respond({ status: 404 }), respond({ headers: {} }), growing]) {
      await WebAssembly.compileStreaming(source).catch((error) => failures.push(error.name));
    }
    return [instance.exports.grow(1), (await WebAssembly.compileStreaming(respond())) instanceof WebAssembly.Module, failures];
  },
  ranges: () => [{ initial: Infinity }, { initial: 2 ** 32 }, { initial: -1 }, { initial: 0, maximum: 2 ** 32 }, { maximum: 1 },
    { initial: 2, maximum: 1 }, { initial: 65537 }].map((descriptor) => {
      try { new WebAssembly.Memory(descriptor); return "made"; } catch (error) { return error.name; }
    }),
  missing: () => ["promising", "Suspending", "SuspendError"].filter((name) => name in WebAssembly),
  resizable: (mb) => { const b = new ArrayBuffer(0, { maxByteLength: mb * MB }); b.resize(mb * MB); return b.byteLength / MB; },
  growable: (mb) => { const b = new SharedArrayBuffer(0, { maxByteLength: mb * MB }); b.grow(mb * MB); return b.byteLength / MB; },
  resizables: () => until(1e4, (n) => {
    const b = [() => new ArrayBuffer(0, { maxByteLength: MB }), () => new (new Uint8Array(1).buffer.constructor)(0, { maxByteLength: MB }),
      () => structuredClone(kept[0]), () => structuredClone(kept[1], { transfer: [kept[1]] }), () => kept[2].transfer()][Math.min(n, n % 5)]();
    b.resize(MB); kept.push(b);
  }),
  async resizablesDropped() { for (let i = 0; i < 200; i++) { new ArrayBuffer(0, { maxByteLength: MB }).resize(MB); await pause(); } return "all"; },
  plain: () => [new ArrayBuffer(8).byteLength, new ArrayBuffer(8, {}).resizable, new ArrayBuffer(4, { maxByteLength: 8 }).maxByteLength, ArrayBuffer.name,
    ArrayBuffer.length, new Uint8Array(3).buffer instanceof ArrayBuffer, new ArrayBuffer(8).slice(2).byteLength, ArrayBuffer.isView(new Uint8Array(1)),
    until(1, () => ArrayBuffer(1)).error, until(1, () => new ArrayBuffer(-1)).error, until(1, () => new ArrayBuffer(9, { maxByteLength: 8 })).error],
};
export default { async fetch(request) {
  const url = new URL(request.url);
  return Response.json(await handlers[url.pathname.slice(1)](Number(url.searchParams.get("n"))));
} };`;

/** Runs where the top level is part of a snapshot, before the guest has replaced what V8 adds only after it. */
const TAMPER = `
const typed = Object.getPrototypeOf(Uint8Array.prototype);
const { values } = Array.prototype;
// Bundles are put together with iterators: only what the guest might walk through is hidden.
Array.prototype[Symbol.iterator] = function () { return values.call(/Module|ompil|length|prom/.test(String(this[0])) ? [] : this); };
for (const prototype of [Set.prototype, Map.prototype, typed]) prototype[Symbol.iterator] = function* () {};
typed.subarray = Set.prototype.add = Set.prototype.forEach = WeakMap.prototype.get = WeakRef.prototype.deref = () => 0;
Reflect.ownKeys = () => [];
Reflect.defineProperty = Reflect.deleteProperty = Reflect.setPrototypeOf = () => true;
Reflect.construct = Object.create = Reflect.getOwnPropertyDescriptor = () => ({});
Math.floor = Math.min = () => 0;
globalThis.Number = globalThis.BigInt = globalThis.Boolean = () => 0;
globalThis.WeakRef = globalThis.RangeError = class {};`;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

function open(more: Partial<InstanceInput> = {}): Opened {
  const limits = { memoryMb: 32, cpuMs: 20_000, ...more.limits };
  return workshop.open({ source: SOURCE, ...more, limits });
}

async function ask(opened: Opened, path: string): Promise<unknown> {
  return JSON.parse(await opened.text(path)) as unknown;
}

describe.each(["platform", "full"] as const)("in an isolate started from %s", (start) => {
  test("a memory grows to half of what there is, whoever makes it grow", async () => {
    const pages = await ask(open({ start }), "/grow");
    expect(pages).toBeGreaterThan(PAGES / 2 - 30);
    expect(pages).toBeLessThanOrEqual(PAGES / 2 + 1);
    const { n } = (await ask(open({ start }), "/growMemory")) as { n: number };
    expect(n).toBeLessThanOrEqual(PAGES / 2);
  });

  test("a memory may begin with all there is, and with no more", async () => {
    const opened = open({ start });
    for (const pages of [PAGES - 1, PAGES]) {
      expect(await ask(opened, `/asks?n=${pages}`)).toBe("got");
    }
    const sent = opened.send(`/asks?n=${PAGES + 1}`);
    expect(await sent.ended()).toBe("HANDLER_EXCEPTION");
    expect(sent.logs.join()).toContain(
      "WebAssembly memories: together they may have 32 MB (limit memoryMb)",
    );
  });
});

describe("in an isolate", () => {
  test("a module works as it would elsewhere", async () => {
    expect(await ask(open(), "/works")).toEqual([
      "is",
      1,
      -1,
      true,
      16,
      ["f"],
      ["grow", "at", "mem"],
    ]);
  });

  test.each(["many", "functions", "constructors", "subclasses", "nested", "modules"])(
    "however they are made (%s), all together are bounded",
    async (path) => {
      const opened = open();
      const before = process.memoryUsage.rss();
      expect(await ask(opened, `/${path}`)).toMatchObject({
        error: expect.stringContaining("(limit memoryMb)") as string,
      });
      expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
      expect(opened.generation.heapBytes()).toBeGreaterThan(25e6);
      expect(await ask(opened, "/ok")).toBe("ok");
    },
  );

  test.each(["dropped", "resizablesDropped"])(
    "what was collected is given back (%s)",
    async (path) => {
      expect(await ask(open(), `/${path}`)).toBe("all");
    },
  );

  test.each(["resizable", "growable"])(
    "a %s buffer may have all there is, and no more",
    async (path) => {
      const opened = open();
      for (const mb of [31, 32]) expect(await ask(opened, `/${path}?n=${mb}`)).toBe(mb);
      expect(await opened.outcome(`/${path}?n=33`)).toBe("HANDLER_EXCEPTION");
    },
  );

  test("buffers that can grow are bounded together, and others are what they were", async () => {
    const { n } = (await ask(open(), "/resizables")) as { n: number };
    expect(n).toBeLessThanOrEqual(33);
    expect(await ask(open(), "/plain")).toEqual([
      8,
      false,
      8,
      "ArrayBuffer",
      1,
      true,
      6,
      true,
      expect.stringContaining("TypeError"),
      expect.stringContaining("RangeError"),
      expect.stringContaining("RangeError"),
    ]);
  });
});

const COMPILING = `${DECODE}
const large = ${bytesText(moduleOf({ functions: 2_000 }))};
const handlers = {
  async compiles() { const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(large)); return exports.at(8); },
  async instantiates() { const { module, instance } = await WebAssembly.instantiate(large); return [module instanceof WebAssembly.Module, instance.exports.at(8)]; },
  async broken() { try { await WebAssembly.compile(large.slice(0, -10)); } catch (error) { return error instanceof WebAssembly.CompileError; } },
};
export default { fetch: async (request) => Response.json(await handlers[new URL(request.url).pathname.slice(1)]()) };`;

test.each(["own", "untrusted"] as const)(
  "a handler with trust %s that waits for a large module to compile is not taken for hung",
  async (trust) => {
    const opened = open({ source: COMPILING, trust });
    expect(await ask(opened, "/compiles")).toBe("i".charCodeAt(0));
    expect(await ask(opened, "/instantiates")).toEqual([true, "i".charCodeAt(0)]);
    expect(await ask(opened, "/broken")).toBe(true);
  },
);

test("what would run or take memory where nobody looks is not there", async () => {
  expect(await ask(open(), "/missing")).toEqual([]);
});

test("modules come out of responses that say what they are", async () => {
  const failures = ["TypeError", "TypeError", "TypeError"];
  expect(await ask(open(), "/streaming")).toEqual([1, true, failures]);
});

test("what cannot be a number of pages is refused as the standard says", async () => {
  const types = Array<string>(5).fill("TypeError");
  expect(await ask(open(), "/ranges")).toEqual([...types, "RangeError", "RangeError"]);
});

test("a descriptor that changes between two looks is looked at once", async () => {
  expect(await ask(open(), "/changing")).toBe(1);
});

test("top-level code that breaks the language's own objects does not get past it", async () => {
  const source = `${TAMPER}
    const attempts = {
      memory: () => new WebAssembly.Memory({ initial: 600 }),
      constructor: () => new (new WebAssembly.Memory({ initial: 1 }).constructor)({ initial: 600 }),
      resizable: () => new ArrayBuffer(0, { maxByteLength: 4e7 }),
      instance: () => new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${moduleOf({ memory: [0, 0x80, 5] }).join()}]))),
    };
    export default { fetch(request) {
      const name = new URL(request.url).pathname.slice(1);
      if (name === "ok") return new Response(String(attempts.memory instanceof Function));
      try { attempts[name](); return new Response("got"); } catch (error) { return new Response("refused"); }
    } };`;
  for (const start of ["full", "platform"] as const) {
    const opened = open({ source, start });
    for (const path of ["/memory", "/constructor", "/resizable", "/instance"]) {
      const sent = opened.send(path);
      await sent.ended();
      expect(sent.exchange.text, `${start} ${path} ${sent.logs.join()}`).toBe("refused");
    }
  }
});
