// Author code is hostile: these tests patch what it can patch and look for anything of the platform's inside.

import { afterEach, beforeEach, expect, test } from "vitest";

import { type GuestHarness, openGuest } from "../../test/guest/harness.ts";

let guest: GuestHarness;
beforeEach(async () => {
  guest = await openGuest();
});
afterEach(() => guest.dispose());

test("no patched method or accessor gets hold of the port or of what it answers", async () => {
  const leaks = await guest.run<string[]>(
    `const secrets = new Map([[port, "port"], [port.fetch, "port.fetch"], [platform, "platform"], [platform.takeResponse, "takeResponse"]]);
     const body = incoming([new Uint8Array([104])]);
     // As the bridge must answer: a \`then\` of its own, so that promise resolution does not look further up.
     const answer = { then: undefined, status: 200, statusText: "", url: "http://a.test/", redirected: false, headers: "a\\nb\\n", body };
     secrets.set(body, "incoming body"); secrets.set(body.pull, "pull"); secrets.set(answer, "incoming response");
     const has = Map.prototype.get.bind(secrets);
     const found = [];
     const look = (value, where) => { const name = has(value); if (name !== undefined) found[found.length] = name + " via " + where; };
     const reply = port.reply; port.reply = () => answer;
     const original = port.fetch;
     port.fetch = (request) => { const made = new NativePromise((resolve) => resolve(answer)); return made; };
     let watching = false; const nativeThen = Promise.prototype.then; const NativePromise = Promise; const apply = Reflect.apply; const define = Object.defineProperty;
     const keysOf = Reflect.ownKeys, descriptorOf = Reflect.getOwnPropertyDescriptor;
     const prototypes = [Object.prototype, Function.prototype, Array.prototype, Promise.prototype, Map.prototype, WeakMap.prototype,
       String.prototype, Uint8Array.prototype, Object.getPrototypeOf(Uint8Array.prototype), RegExp.prototype,
       Headers.prototype, Response.prototype, Request.prototype, ReadableStream.prototype, EventTarget.prototype, AbortSignal.prototype];
     for (const prototype of prototypes) {
       for (const key of keysOf(prototype)) {
         const descriptor = descriptorOf(prototype, key);
         if (!descriptor.configurable || typeof descriptor.value !== "function" || key === "constructor") continue;
         const inner = descriptor.value; const where = String(key);
         define(prototype, key, { ...descriptor, value: function (...args) {
           look(this, where); for (let i = 0; i < args.length; i++) { look(args[i], where); if (typeof args[i] === "object" && args[i] !== null && args[i].length > 0) for (let j = 0; j < args[i].length && j < 5; j++) look(args[i][j], where); }
           return new.target ? Reflect.construct(inner, args) : apply(inner, this, args);
         } });
       }
     }
     define(Promise.prototype, "then", { value: ((inner) => function (a, b) {
       return apply(inner, this, [typeof a === "function" ? (value) => { look(value, "then"); return a(value); } : a, b]); })(Promise.prototype.then) });
     define(Promise.prototype, "constructor", { get() {
       if (!watching) { watching = true; apply(nativeThen, this, [(value) => look(value, "constructor"), () => {}]); watching = false; }
       return NativePromise; } });
     for (const key of ["then", "pull", "cancel", "port", "text", "0"]) {
       define(Object.prototype, key, { configurable: true, get() { look(this, "Object.prototype." + key); return undefined; }, set(value) { look(this, "set"); define(this, key, { value, writable: true, configurable: true, enumerable: true }); } });
     }
     const response = await fetch("http://a.test/", { signal: new AbortController().signal });
     const passed = platform.takeResponse(new Response(response.body, response));
     await passed.body.pull();
     platform.takeResponse(Response.json({ a: 1 }, { headers: { a: "b" } }));
     const incomingRequest = request({ method: "POST", headers: "a\\nb\\n", body: incoming([new Uint8Array([104])]) });
     incomingRequest.headers.get("a"); incomingRequest.url; incomingRequest.signal;
     await incomingRequest.text();
     return found;`,
  );
  expect(leaks).toEqual([]);
});

test("describeError gives strings for anything that can be thrown", async () => {
  const result = await guest.run<{ name: string; message: string; stack: string }[]>(
    `const trap = () => { throw 1; };
     const values = [undefined, null, 1, 10n, Symbol("s"), "text", {}, [], () => {}, Object.create(null),
       { get name() { throw 1; }, get message() { throw 2; }, get stack() { throw 3; } },
       { name: {}, message: 1, stack: null },
       new Proxy({}, { get: trap, getPrototypeOf: trap, ownKeys: trap }),
       new TypeError("plain"), new DOMException("m", "AbortError"), { message: "x".repeat(9000) }];
     const revoked = Proxy.revocable({}, {}); revoked.revoke(); values.push(revoked.proxy);
     return values.map((value) => platform.describeError(value));`,
  );
  for (const each of result) {
    for (const text of [each.name, each.message, each.stack]) {
      expect(typeof text).toBe("string");
      expect(text.length).toBeLessThanOrEqual(8192);
    }
  }
  expect(result[5]?.message).toBe("text");
  expect(result[13]).toMatchObject({ name: "TypeError", message: "plain" });
  expect(result[14]).toMatchObject({ name: "AbortError", message: "m" });
});

test("the constructor of Promise does not tell what the bridge waits for", async () => {
  const seen = await guest.run<number>(
    `let seen = 0;
     const real = Promise;
     Object.defineProperty(Promise.prototype, "constructor", { get() { seen++; return real; }, configurable: true });
     port.fetch = () => { const answer = new real(() => {}); return answer; };
     void fetch("http://a.test/");
     return seen;`,
  );
  expect(seen).toBe(0);
});

test("what a module does while it loads is told: fetch, time, randomness", async () => {
  expect(await guest.run(`return port.topLevel;`)).toEqual([
    { io: [], reads: [] },
    { io: ["fetch"], reads: ["time", "randomness"] },
  ]);
});

test("every global of the platform is there, hidden from enumeration and replaceable", async () => {
  const result = await guest.run<unknown>(
    `const names = ["Request", "Response", "Headers", "fetch", "URL", "crypto", "console", "ReadableStream", "structuredClone", "self"];
     return [Object.keys(globalThis).filter((name) => name !== "__run"),
       names.every((name) => { const d = Object.getOwnPropertyDescriptor(globalThis, name); return d.writable && d.configurable && !d.enumerable; })];`,
  );
  expect(result).toEqual([[], true]);
});

test("onerror gets the parts of an error, and true keeps it from the log", async () => {
  const result = await guest.run<unknown>(
    `const seen = [];
     onerror = (...parts) => { seen.push(parts[0], parts.length, parts[4]); return true; };
     reportError(new Error("a"));
     onerror = null;
     return [seen[0], seen[1], seen[2].message, onerror, "onunhandledrejection" in globalThis];`,
  );
  expect(result).toEqual(["a", 5, "a", null, true]);
});

test("a DOMException is an Error whose class inherits from no other", async () => {
  const result = await guest.run<unknown>(
    `class Own extends DOMException {}
     const own = new Own("m", "AbortError");
     return [Object.getPrototypeOf(DOMException) === Function.prototype, own instanceof Error, own instanceof Own,
       Error.isError(own), own.name, own.message, own.code, typeof own.stack, String(own),
       (() => { try { return DOMException.prototype.name; } catch (error) { return error.name; } })(),
       structuredClone(own).name];`,
  );
  const own = ["AbortError", "m", 20, "string", "AbortError: m", "TypeError", "AbortError"];
  expect(result).toEqual([true, true, true, true, ...own]);
});

test("a QuotaExceededError says how much there is and how much was asked", async () => {
  const result = await guest.run<unknown>(
    `const name = (run) => { try { run(); return "passed"; } catch (error) { return error.name; } };
     const made = new QuotaExceededError("m", { quota: 1, requested: 2 });
     const copy = structuredClone(made);
     return [made instanceof DOMException, made.name, made.code, made.quota, made.requested, copy.quota,
       copy instanceof QuotaExceededError, new QuotaExceededError().quota,
       name(() => new QuotaExceededError("", { quota: -1 })), name(() => new QuotaExceededError("", { quota: NaN })),
       name(() => new QuotaExceededError("", { quota: 2, requested: 1 }))];`,
  );
  const made = [true, "QuotaExceededError", 22, 1, 2, 1, true, null];
  expect(result).toEqual([...made, "RangeError", "TypeError", "RangeError"]);
});
