// Code that takes memory and does not give it back.

import { handler, type Attack, type Known } from "../range/attack.ts";

/** An allocation that fails is the author's to catch; one that grows past the limit is not. */
const FAILED = ["MEMORY_LIMIT", "HANDLER_EXCEPTION", "CPU_LIMIT"] as const;
const CATASTROPHIC =
  "V8 may find no way to stop an allocation that does not fit; its thread is lost.";

const GIGABYTE =
  "At the limit V8 is given a gigabyte more, so that the process does not end; one allocation can take it all.";
const EXPLOSION: readonly Known[] = [
  { property: "peak", why: GIGABYTE, sometimes: true },
  { property: "memory", why: GIGABYTE, sometimes: true },
  { property: "verdict", why: "Collecting it outlasts the wall limit.", sometimes: true },
];

/** Time enough to reach the limit of memory first. */
const LIMITS = { cpuMs: 1_500, wallMs: 8_000, memoryMb: 32 };

const stoppable: Readonly<Record<string, string>> = {
  arrays:
    "const a = []; for (;;) { const b = []; for (let i = 0; i < 1000; i++) b.push(i); a.push(b); }",
  "large arrays filled by a builtin":
    "const all = []; for (;;) all.push(new Array(100000).fill(all.length));",
  "linked objects": "let o = null; for (;;) o = { o, a: [1, 2, 3] };",
  closures:
    "const a = []; for (;;) { const b = [a.length, 1, 2, 3, 4, 5, 6, 7]; a.push(() => b); }",
  strings: 'const a = []; for (;;) a.push("x".repeat(1e6) + a.length);',
  "typed arrays": "const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1));",
  "one huge buffer":
    "const b = new Uint8Array(2 ** 30).fill(1); return new Response(String(b[5]));",
  "resizable buffer":
    "const b = new ArrayBuffer(1, { maxByteLength: 2 ** 30 }); for (let n = 1; ; n += 1e6) { b.resize(n); new Uint8Array(b).fill(1); }",
  "shared buffers":
    "const a = []; for (;;) a.push(new Uint8Array(new SharedArrayBuffer(1e6)).fill(1));",
  symbols: "const a = []; for (;;) a.push(Symbol('x' + a.length));",
  promises: "const a = []; for (;;) a.push(new Promise(() => {}));",
  regexes:
    "const a = []; for (;;) { const r = new RegExp('(a|b' + a.length + ')*'); r.test('abab'); a.push(r); }",
  "template concatenation":
    'let s = "ab"; const a = []; for (;;) { s = s + s.slice(1) + "é"; a.push(s.at(-1)); }',
  blobs: "const a = []; for (;;) a.push(new Blob(['x'.repeat(1e6), ...a.slice(-1)]));",
  "encoder results": "const a = []; for (;;) a.push(new TextEncoder().encode('x'.repeat(1e6)));",
  "search parameters":
    "const p = new URLSearchParams(); for (let i = 0; ; i++) p.append('n' + i, 'v'.repeat(100));",
  "form data":
    "const f = new FormData(); for (let i = 0; ; i++) f.append('n' + i, 'v'.repeat(1000));",
  "stream without a reader":
    "let c; const s = new ReadableStream({ start(x) { c = x; } }); for (;;) c.enqueue(new Uint8Array(1e5).fill(1));",
  "stream copied and read on one side":
    "const [a, b] = new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1e6).fill(1)); } }).tee(); for await (const _ of a); return new Response(b);",
  "writes that nobody reads":
    "const { writable } = new TransformStream(); const w = writable.getWriter(); for (;;) { w.write(new Uint8Array(1e5).fill(1)).catch(() => {}); }",
  errors: "const a = []; for (;;) a.push(new Error('x'.repeat(1000)));",
  "abort signals":
    "const a = []; for (;;) a.push(AbortSignal.any([new AbortController().signal, ...a.slice(-10)]));",
};

const catastrophic: Readonly<Record<string, string>> = {
  "JSON of a large text":
    'const t = "[" + "{},".repeat(5e6) + "0]"; return Response.json(JSON.parse(t).length);',
  headers: "const h = new Headers(); for (let i = 0; ; i++) h.append('n' + i, 'v'.repeat(100));",
  "arrays filled by a builtin": "const a = []; for (;;) a.push(new Array(1000).fill(a.length));",
  "structured clone bomb":
    "let a = [1]; for (let i = 0; i < 40; i++) a = [structuredClone(a), structuredClone(a)]; return new Response(String(a.length));",
  "one growing array": "const a = []; for (;;) a.push(a.length);",
  "a billion zeros": "new Array(1e9).fill(0);",
  maps: 'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i, s: "v" + i });',
  sets: 'const s = new Set(); for (let i = 0; ; i++) s.add("v" + i);',
  "weak maps":
    "const m = new WeakMap(), k = []; for (;;) { const o = {}; k.push(o); m.set(o, new Array(10).fill(0)); }",
  dictionary: "const o = {}; for (let i = 0; ; i++) o['k' + i] = i;",
  "doubled string": 'let s = "x"; for (;;) { s += s; s.charCodeAt(5); }',
  "Array.from without end": "Array.from({ length: 2 ** 32 }, () => 0);",
  "join of holes": "new Array(2 ** 28).join('xy');",
  "replaceAll that explodes": '"a".repeat(1e5).replaceAll("a", "b".repeat(1e5));',
  "padStart to the longest":
    'const a = []; for (;;) a.push("x".padStart(2 ** 29 - 25, a.length + "y"));',
};

const wasm: Readonly<Record<string, string>> = {
  "one large": "new Uint8Array(new WebAssembly.Memory({ initial: 8192 }).buffer).fill(1);",
  "many small":
    "const a = []; for (;;) { const m = new WebAssembly.Memory({ initial: 160 }); new Uint8Array(m.buffer).fill(1); a.push(m); }",
  grown:
    "const m = new WebAssembly.Memory({ initial: 1 }); for (;;) { m.grow(160); new Uint8Array(m.buffer).fill(1); }",
};

const growing: Attack[] = Object.entries(stoppable).map(([name, body]) => ({
  name,
  group: "memory",
  source: handler(body),
  limits: LIMITS,
  expect: FAILED,
  withinMs: 5_000,
}));

const exploding: Attack[] = Object.entries(catastrophic).map(([name, body]) => ({
  name,
  group: "memory",
  source: handler(body),
  limits: LIMITS,
  expect: [...FAILED, "ISOLATE_FAILED", "reset", "broken"],
  mayCostWorker: CATASTROPHIC,
  withinMs: 12_000,
  known: EXPLOSION,
}));

const linear: Attack[] = Object.entries(wasm).map(([name, body]) => ({
  name: `WebAssembly memory: ${name}`,
  group: "memory",
  source: handler(`${body} return new Response("had it");`),
  limits: LIMITS,
  expect: FAILED,
  withinMs: 5_000,
}));

const untilItFails: NonNullable<Attack["trigger"]> = async (target) => {
  for (let i = 0; i < 100; i++) {
    const verdict = await target.get();
    if (verdict !== "ok") return verdict;
  }
  return "ok";
};

export const MEMORY: readonly Attack[] = [
  ...growing,
  ...exploding,
  ...linear,
  {
    // V8 gives once what does not fit, rather than fail, and looks when it collects the next time: by then the first
    // request may have its answer. What is kept has to be found soon.
    name: "split of a large string",
    group: "memory",
    source: handler(
      'kept ??= "x".repeat(2e7).split(""); return new Response(`${kept.length} ${new Array(1e5).fill(0)}`);',
      "let kept;",
    ),
    limits: LIMITS,
    trigger: untilItFails,
    expect: FAILED,
    withinMs: 12_000,
    mayCostWorker: CATASTROPHIC,
    known: EXPLOSION.filter(({ property }) => property !== "verdict"),
  },
  {
    name: "slow growth over requests",
    group: "memory",
    source: handler(
      "kept.push(new Array(2e5).fill(kept.length)); return new Response(String(kept.length));",
      "const kept = [];",
    ),
    limits: LIMITS,
    trigger: untilItFails,
    expect: ["MEMORY_LIMIT", "ok"],
    withinMs: 6_000,
  },
  {
    name: "reply without end that nobody reads",
    group: "memory",
    source: handler(
      "return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536).fill(1)); } }));",
    ),
    trigger: async (target) => {
      const clients = Array.from({ length: 20 }, () => target.raw());
      for (const client of clients) {
        client.socket.pause();
        client.send(target.head("GET"));
      }
      for (let i = 0; i < 20; i++) await target.get("/ok");
      for (const client of clients) client.close();
      return "ok";
    },
    expect: ["ok"],
  },
  {
    name: "bodies kept in the handler",
    group: "memory",
    source: handler(
      "kept.push(await request.arrayBuffer()); return new Response('kept');",
      "const kept = [];",
    ),
    limits: LIMITS,
    trigger: async (target) => {
      const body = new Uint8Array(4e6).fill(7);
      for (let i = 0; i < 20; i++) {
        const verdict = await target.get("", { method: "POST", body });
        if (verdict !== "ok") return verdict;
      }
      return "ok";
    },
    expect: ["MEMORY_LIMIT", "HANDLER_EXCEPTION", "ok"],
    withinMs: 6_000,
  },
  {
    name: "response bodies that are never read",
    group: "memory",
    source: handler(
      `
      const kept = [];
      for (let i = 0; i < 40; i++) kept.push(await fetch(env.peer + "/endless"));
      return new Response("kept");`.replace("env.peer", 'request.headers.get("x-peer")'),
    ),
    limits: { ...LIMITS, memoryMb: 64 },
    trigger: (target) => target.get("", { headers: { "x-peer": target.peer } }),
    expect: ["ok", "HANDLER_EXCEPTION", "MEMORY_LIMIT", "HANDLER_TIMEOUT"],
    withinMs: 8_500,
  },
];
