// Author code that spies: it patches builtins before the first request, keeps what passes through them while
// requests of every kind run, and says afterwards what of it should have stayed inside.

/** What no author may hold, by a member that nothing of the standard's has. */
export const INTERNAL_MEMBERS: readonly string[] = (
  "bytesCall monotonic createRequest takeResponse fireTimer thaw readText creditWaiter buffers pushBytes " +
  "setLane leaveInline leavePool ExternalCopy cells setCurrent succeed advance nesting incoming onAbort"
).split(" ");
/** Patches what `cover` names to keep what passes through it; `undo` puts everything back. */
export const RECORDER: string = `
const { apply, construct, ownKeys, getOwnPropertyDescriptor: describe, defineProperty: define,
  getPrototypeOf } = Reflect;
const then = Promise.prototype.then, eachEntry = Map.prototype.forEach, eachMember = Set.prototype.forEach;
const hasSeen = Set.prototype.has, addSeen = Set.prototype.add;
const known = new Set(), recorded = [], undos = [];
const NativePromise = Promise, NativeMap = Map, NativeSet = Set;
const KEPT_MAX = 100_000;
let inside = false, calls = 0;
const keep = (value) => {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return;
  if (recorded.length >= KEPT_MAX || apply(hasSeen, known, [value])) return;
  apply(addSeen, known, [value]);
  define(recorded, recorded.length, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
};
const watch = (self, args) => {
  if (inside) return;
  inside = true; calls++;
  keep(self);
  for (let i = 0; i < args.length; i++) keep(args[i]);
  inside = false;
};
const spyFor = (original) => function (...args) {
  watch(this, args);
  const result = apply(original, this, args);
  watch(result, []);
  return result;
};
const put = (holder, key, changed) => {
  const before = describe(holder, key);
  if (before?.configurable === false && !("value" in changed && before.writable)) return;
  if (!define(holder, key, { __proto__: null, ...before, ...changed })) return;
  undos[undos.length] = () => before === undefined ? delete holder[key] : define(holder, key, before);
};
const cover = (...holders) => {
  for (const holder of holders) for (const key of ownKeys(holder)) {
    const d = describe(holder, key);
    if (key === "constructor" || d === undefined) continue;
    if (typeof d.value === "function" && d.writable) put(holder, key, { value: spyFor(d.value) });
    else if (typeof d.get === "function") put(holder, key, { get: spyFor(d.get) });
  }
};
const coverConstructors = (names) => {
  for (const name of names) {
    const original = globalThis[name];
    put(globalThis, name, { value: new Proxy(original, {
      construct(target, args, self) {
        watch(undefined, args);
        const made = construct(target, args, self);
        watch(made, []);
        return made;
      },
      apply(target, self, args) { watch(self, args); return apply(target, self, args); },
    }) });
  }
};
const coverConstructorOf = (prototype) => {
  const { value } = describe(prototype, "constructor");
  put(prototype, "constructor", { value: undefined });
  define(prototype, "constructor", { __proto__: null, get() { watch(this, []); return value; }, configurable: true });
};
const trapNames = (names) => {
  for (const name of names) {
    undos[undos.length] = () => delete Object.prototype[name];
    define(Object.prototype, name, { __proto__: null, configurable: true,
      get() { watch(this, []); return undefined; },
      set(value) { watch(this, [value]); define(this, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true }); } });
  }
};
const members = ${JSON.stringify(INTERNAL_MEMBERS)};
/** Spreads what was kept into all it leads to, and names what has the looks of an internal. */
const shapes = () => {
  const found = [], Shared = SharedArrayBuffer;
  const own = (value, name) => { try { return describe(value, name) !== undefined; } catch { return false; } };
  for (let i = 0; i < recorded.length; i++) {
    const value = recorded[i];
    for (let at = value, up = 0; at !== null && up < 5; at = getPrototypeOf(at), up++) {
      for (const name of members) if (own(at, name)) found[found.length] = name + " of " + ownKeys(value).map(String).join();
    }
    if (value instanceof Shared || value.buffer instanceof Shared) found[found.length] = "shared memory";
    if (value instanceof NativeMap) apply(eachEntry, value, [(v, k) => { keep(v); keep(k); }]);
    if (value instanceof NativeSet) apply(eachMember, value, [keep]);
    const keys = ownKeys(value);
    for (let k = 0; k < keys.length && k < 1000; k++) keep(describe(value, keys[k])?.value);
  }
  return found;
};
const settleAll = async () => {
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < recorded.length; i++) {
      if (recorded[i] instanceof NativePromise) apply(then, recorded[i], [keep, keep]);
    }
    for (let turn = 0; turn < 20; turn++) await null;
  }
};`;

/** Handlers for a request of every kind. */
export const CYCLE: string = `
const handlers = {
  text: async (request) => new Response(await request.text()),
  bytes: async (request) => new Response(await request.arrayBuffer()),
  reply: () => new Response(new Uint8Array(8)),
  stream: (request) => new Response(request.body),
  own: () => {
    let n = 0;
    return new Response(new ReadableStream({ pull(c) { if (n++ === 2) c.close(); else c.enqueue(new Uint8Array(2)); } }));
  },
  json: (request, env) => Response.json({ env, h: [...request.headers] }),
  fetch: async () => new Response(await (await fetch("http://a.test/")).text()),
  relay: () => fetch("http://a.test/"),
  fail: async () => { try { await fetch("http://a.test/fail"); } catch (error) { return new Response(error.code); } },
  digest: async () => new Response(await crypto.subtle.digest("SHA-256", new Uint8Array(1))),
  timer: async () => { await new Promise((resolve) => setTimeout(resolve, 1)); return new Response("t"); },
  wait: (request, env, ctx) => { ctx.waitUntil(new Promise((r) => setTimeout(r, 1))); return new Response("w"); },
  throws: () => { throw new Error("t"); },
  hang: (request) => new Promise((resolve) => request.signal.addEventListener("abort", () => resolve(new Response("gone")))),
  drip: () => new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1)); } })),
  // Goes through maps and sets itself, which the platform does not: proof that the spies are in place.
  ok: () => { new Map().set({}, new Set().add({})).get({}); return new Response("ok"); },
};`;
