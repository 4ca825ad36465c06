// Code that patches every intrinsic there is, with what throws, lies, loops or listens. At worst it breaks its own
// isolate; the requests of the round that follows must all end.

import { handler, type Attack, type Verdict } from "../range/attack.ts";

/** Calls `patch(owner, key, old)` for every function and accessor of every intrinsic that can be reached by name. */
const EVERYWHERE = `
const everywhere = (patch) => {
  const { ownKeys, getOwnPropertyDescriptor: describe, defineProperty: define, getPrototypeOf } = Reflect;
  const roots = [Object, Function, Array, String, Number, Boolean, Symbol, BigInt, Date, Promise, RegExp, Error, TypeError,
    RangeError, AggregateError, ArrayBuffer, SharedArrayBuffer, DataView, Uint8Array, Int32Array, Float64Array, Map, Set, WeakMap, WeakSet,
    WeakRef, Proxy, Reflect, JSON, Math, Atomics, Intl, WebAssembly, Iterator, URL, URLSearchParams, Headers, Request, Response, FormData, Blob,
    File, ReadableStream, WritableStream, TransformStream, TextEncoder, TextDecoder, EventTarget, Event, AbortController,
    AbortSignal, DOMException, crypto, crypto.subtle, console, performance];
  const owners = [];
  for (let i = 0; i < roots.length; i++) {
    owners[owners.length] = roots[i];
    if (typeof roots[i] === "function" && roots[i].prototype) owners[owners.length] = roots[i].prototype;
  }
  const more = [[][Symbol.iterator](), new Map().entries(), new Set().values(), ""[Symbol.iterator](), (function* () {})(), (async function* () {})(),
    async () => 0, Uint8Array, new Headers().entries(), new ReadableStream().getReader()];
  for (let i = 0; i < more.length; i++) owners[owners.length] = getPrototypeOf(more[i]);
  for (let i = 0; i < owners.length; i++) {
    const keys = ownKeys(owners[i]);
    for (let k = 0; k < keys.length; k++) {
      const was = describe(owners[i], keys[k]);
      if (!was.configurable || keys[k] === "prototype" || keys[k] === "constructor") continue;
      const next = patch(was.value, was);
      if (next === undefined) continue;
      try { define(owners[i], keys[k], next); } catch {}
    }
  }
};`;

const PATCHES: Readonly<Record<string, string>> = {
  "everything throws":
    "everywhere((old, d) => typeof old === 'function' ? { value() { throw new Error('patched'); } } : d.get ? { get() { throw new Error('patched'); } } : undefined);",
  "everything returns nothing":
    "everywhere((old) => typeof old === 'function' ? { value() {} } : undefined);",
  "everything returns a large number":
    "everywhere((old) => typeof old === 'function' ? { value: () => 2 ** 53 } : undefined);",
  "everything loops":
    "everywhere((old) => typeof old === 'function' ? { value() { for (;;); } } : undefined);",
  "everything returns the global object":
    "everywhere((old) => typeof old === 'function' ? { value: () => globalThis } : undefined);",
  "everything returns a thenable that loops":
    "everywhere((old) => typeof old === 'function' ? { value: () => ({ then() { for (;;); } }) } : undefined);",
  "everything is deleted":
    "const gone = Reflect.deleteProperty; const keys = Reflect.ownKeys(globalThis); everywhere(() => ({ value: undefined })); for (let i = 0; i < keys.length; i++) gone(globalThis, keys[i]);",
  "everything is frozen":
    "const f = Object.freeze, roots = [Object, Array, Promise, Map, Response, Request, Headers, Uint8Array, ArrayBuffer, Function, String, globalThis]; for (const r of roots) { try { f(r); f(r.prototype); } catch {} }",
  "Object.prototype has setters and getters for all names": `for (const k of ['then', 'value', 'done', 'get', 'set', 'writable', 'configurable', 'enumerable', 'op', 'id', 'payload',
      'status', 'headers', 'body', 'resolve', 'reject', 'promise', 'name', 'kind', 'next', 'return', 'highWaterMark', 'size',
      'buffer', 'length', '0', '1', 'cells', 'now', 'lane'])
      Object.defineProperty(Object.prototype, k, { configurable: true, get() { return undefined; }, set() { throw new Error(k); } });`,
  "Object.prototype.then loops":
    "Object.defineProperty(Object.prototype, 'then', { configurable: true, get() { for (;;); } });",
  "Object.prototype.then answers":
    "Object.prototype.then = function (resolve) { resolve(new Response('forged')); };",
  "Array.prototype has setters":
    "for (let i = 0; i < 50; i++) Object.defineProperty(Array.prototype, i, { configurable: true, set() { throw new Error('set'); }, get() { return 7; } });",
  "globals become getters that throw":
    "for (const k of Reflect.ownKeys(globalThis)) { try { Object.defineProperty(globalThis, k, { get() { throw new Error(String(k)); } }); } catch {} }",
  "the global object has a Proxy for its prototype":
    "Object.setPrototypeOf(Object.prototype.__proto__ ?? globalThis, new Proxy(Object.create(null), { get() { throw new Error('p'); }, has() { return true; } }));",
  "Promise is somebody else's":
    "globalThis.Promise = class { constructor() { throw 1; } }; Object.getPrototypeOf((async () => 0)()).then = function () { for (;;); };",
  "iterators are somebody else's":
    "for (const it of [[][Symbol.iterator](), new Map().entries(), new Set().values(), ''[Symbol.iterator]()]) Object.getPrototypeOf(it).next = () => ({ done: false, value: [] });",
};

const PARTS: readonly Verdict[] = [
  "ok",
  "HANDLER_EXCEPTION",
  "HANDLER_BAD_RESPONSE",
  "CPU_LIMIT",
  "ISOLATE_FAILED",
  "NO_RESPONSE",
  "HANDLER_TIMEOUT",
];

const KINDS = `
    if (path.endsWith("/patch")) { patch(); return new Response("patched"); }
    if (path.endsWith("/body")) return new Response(await request.text());
    if (path.endsWith("/stream")) return new Response(request.body);
    if (path.endsWith("/timer")) { await new Promise((r) => setTimeout(r, 1)); return new Response("t"); }
    if (path.endsWith("/digest")) return new Response(await crypto.subtle.digest("SHA-1", new Uint8Array(1)));
    if (path.endsWith("/throw")) throw new Error("t");
    if (path.endsWith("/fetch")) return await fetch("http://127.0.0.1:1/");
    return new Response("ok");`;

export const POLLUTIONS: readonly Attack[] = Object.entries(PATCHES).map(([name, patch]) => ({
  name: `pollution: ${name}`,
  group: "escapes",
  source: handler(KINDS, `${EVERYWHERE}\nconst patch = () => { ${patch} };`),
  limits: { cpuMs: 50, wallMs: 300 },
  trigger: async (target) => {
    await target.get("/patch");
    const body = { method: "POST", body: "b".repeat(1e5) };
    return await Promise.all([
      target.get("/ok"),
      target.get("/body", body),
      target.get("/stream", body),
      target.get("/timer"),
      target.get("/digest"),
      target.get("/throw"),
      target.get("/fetch"),
    ]);
  },
  expect: PARTS,
  breaksItself: true,
}));
