// Code that wants out of its isolate, or into the host's half of the bridge. Where it reports what it reached, the
// reply has to be "safe".

import { handler, type Attack, type Verdict } from "../range/attack.ts";
import { POLLUTIONS } from "./pollutions.ts";
import { ODD_BODIES } from "./odd-bodies.ts";

/** Texts that only the host's files and modules have. */
const HOST_TEXT =
  "/file:\\/\\/|node:|node_modules|isolated-vm|\\/runtime\\/|\\/home\\/|\\/root\\/|\\/tmp\\/|\\/work\\/|\\.ts:\\d/";
/** The author's own module may name its own file, which here is one .ts file without a folder. */
const LEAKS = `const leaks = (text) => ${HOST_TEXT}.test(String(text).replaceAll(/\\b(?:escapes|attack)-?\\d*\\.ts/g, ""));`;

/** Ends with "safe" when \`found\` stays empty. */
function seek(body: string, top = ""): string {
  return handler(
    `const found = []; ${LEAKS}
    ${body}
    return new Response(found.length === 0 ? "safe" : "FOUND " + found.slice(0, 5).join(" | ").slice(0, 900));`,
    top,
  );
}

const searches: Readonly<Record<string, string>> = {
  "constructor chains": `
    const roots = [() => 1, async () => 1, function* () {}, async function* () {}, class {}, fetch, Response, URL, request,
      env, ctx, ctx.waitUntil, request.headers.get, console.log, setTimeout, crypto.subtle.digest, globalThis, Error, Promise];
    for (const root of roots) {
      for (let at = root, up = 0; at != null && up < 8; at = Object.getPrototypeOf(at), up++) {
        let made;
        try { made = at.constructor; } catch { continue; }
        for (const of of [made, made?.constructor]) {
          if (typeof of !== "function" || !/Function$/.test(of.name)) continue;
          for (const call of [() => of("return globalThis")(), () => new of("return globalThis")(), () => Reflect.construct(of, ["return 1"], Array)]) {
            try { call(); found.push("code from " + of.name); } catch (error) { if (!(error instanceof EvalError)) found.push(String(error)); }
          }
        }
      }
    }`,
  "eval in all its forms": `
    for (const run of [() => eval("1"), () => (0, eval)("1"), () => globalThis.eval("1"), () => setTimeout("1"), () => [0].map.constructor("1"),
      () => Reflect.apply(eval, null, ["1"]), () => new (class extends Function {})("1"), () => eval.call(null, "1"), () => eval.constructor("1")]) {
      try { if (typeof run() !== "object") found.push(String(run)); } catch {}
    }`,
  "host globals": `
    for (const name of ["process", "require", "module", "global", "ivm", "Buffer", "__dirname", "_ivm", "Deno", "Bun", "inspector",
      "ShadowRealm", "gc", "d8", "load", "read", "quit", "Worker", "importScripts", "postMessage", "WebAssembly.compileStreaming"]) {
      if (globalThis[name] !== undefined) found.push(name);
    }`,
  "host paths in stacks": `
    const throwers = [() => null.x, () => new URL("x"), () => new Response("", { status: 1 }), () => structuredClone(() => 1),
      () => fetch("nowhere:"), () => fetch("http://127.0.0.1:1/"), () => crypto.subtle.digest("X", new Uint8Array(1)), () => new Headers([["a\\n", ""]]),
      () => atob("*"), () => crypto.getRandomValues(new Uint8Array(1e6)), () => new ReadableStream({ type: "x" }), () => request.text.call(1),
      () => __islet.boot({}), () => __islet.boot(1), () => __islet.inspect(1), () => __islet.register(() => { throw new Error("r"); }),
      () => setTimeout(), () => new WebAssembly.Module(new Uint8Array(3)), () => Response.json(1n), () => new Request("http://a.test/", { method: "CONNECT" })];
    for (const thrower of throwers) {
      try { await thrower(); } catch (error) {
        const text = [error?.stack, error?.message, error?.cause?.stack, Object.getOwnPropertyNames(error ?? {}).map((k) => error[k]).join()].join(" ");
        if (leaks(text)) found.push(text.match(${HOST_TEXT})[0] + " in " + text);
      }
    }`,
  "call sites in prepareStackTrace": `
    const sites = [];
    Error.stackTraceLimit = 100;
    Error.prepareStackTrace = (error, list) => { sites.push(...list); return ""; };
    const peek = () => void new Error("x").stack;
    new Response("", { get headers() { peek(); return undefined; } });
    const target = new EventTarget(); target.addEventListener("a", peek); target.dispatchEvent(new Event("a"));
    await new Promise((resolve) => setTimeout(() => { peek(); resolve(); }, 1));
    await new Promise((resolve) => queueMicrotask(() => { peek(); resolve(); }));
    new ReadableStream({ start: peek, pull: peek }).getReader().read();
    try { await fetch("http://127.0.0.1:1/"); } catch (error) { void error.stack; }
    peek();
    for (const site of sites) {
      const self = site.getThis(), fn = site.getFunction();
      if (self !== undefined && self !== null && self !== globalThis && self !== target) found.push("this " + Object.prototype.toString.call(self) + Object.keys(self));
      if (typeof fn === "function" && fn !== peek && !/peek|Promise/.test(String(fn))) found.push("function " + fn.name + " " + String(fn).slice(0, 80));
      if (leaks(site.getFileName()) || leaks(site.getEvalOrigin()) || leaks(site.getScriptNameOrSourceURL())) found.push("file " + site.getFileName());
    }`,
  "captureStackTrace on the platform's own": `
    const kept = [];
    Error.prepareStackTrace = (error, list) => { for (const s of list) kept.push(s.getFunction(), s.getThis()); return ""; };
    for (const it of [request, ctx, request.headers, Response, fetch]) { try { Error.captureStackTrace(it); void it.stack; } catch {} }
    for (const it of kept) if (it !== undefined && it !== globalThis && it !== null && typeof it === "object") found.push(Object.keys(it).join());`,
  "callers of functions": `
    const seen = [];
    function spy() { try { seen.push(spy.caller); } catch {} try { seen.push(spy.arguments); } catch {} return undefined; }
    JSON.parse("[1]", spy); [1, 2].sort(spy); new Response("", { get status() { spy(); return 200; } });
    await new Promise((resolve) => setTimeout(function later() { spy(); try { seen.push(later.caller); } catch {} resolve(); }, 1));
    for (const one of seen) if (typeof one === "function" && !/spy/.test(String(one))) found.push(String(one).slice(0, 100));`,
  "import()": `
    for (const what of ["node:fs", "fs", "./x.js", "data:text/javascript,export default 1", "file:///etc/passwd", "islet:boot", "main", ""]) {
      try { found.push("imported " + what + Object.keys(await import(what))); } catch (error) { if (leaks(error?.stack)) found.push(error.stack); }
    }`,
  "shared memory and waiting": `
    const shared = new Int32Array(new SharedArrayBuffer(8));
    for (const wait of ["wait", "waitAsync"]) { try { Atomics[wait](shared, 0, 0, 1); found.push(wait); } catch {} }
    try { structuredClone(shared, { transfer: [shared.buffer] }); found.push("transferred shared memory"); } catch {}`,
  clocks: `
    const before = [Date.now(), performance.now(), +new Date()].join();
    for (let i = 0; i < 2e7; i++);
    if (before !== [Date.now(), performance.now(), +new Date()].join()) found.push("time goes on within a slice");`,
  "the boot functions": `
    const steal = [];
    const trap = new Proxy({}, { get: (_, name) => (...args) => { steal.push([String(name), ...args]); } });
    for (const call of [() => __islet.boot(trap), () => __islet.boot({ cells: new SharedArrayBuffer(64), leaveInline() {}, leavePool() {}, ExternalCopy: class {}, seed: new Uint8Array(32), env: "{}", now: 0 }),
      () => { __islet = null; }, () => { __islet.boot = 1; }, () => delete globalThis.__islet]) {
      try { const got = call(); if (typeof got === "function") found.push("a second bridge"); } catch {}
    }
    if (steal.length > 0) found.push("the boot was read " + steal);`,
  "addresses that are not on the network": `
    for (const url of ["file:///etc/passwd", "ftp://127.0.0.1/", "unix:/run/x", "blob:null/1", "about:blank", "chrome://x", "javascript:1", "node:fs", "//etc/passwd"]) {
      try { const r = await fetch(url); found.push(url + " " + r.status); } catch (error) { if (leaks(error?.stack?.replaceAll(url, ""))) found.push(error.stack); }
    }`,
  "the admin API's token": `
    for (const it of [env, ctx, request, globalThis]) for (const key of Reflect.ownKeys(it)) if (/token|secret|admin|process/i.test(String(key))) found.push(String(key));
    if (/islet_token/.test(JSON.stringify(env) + [...request.headers])) found.push("token");`,
  "forged internals of the platform": `
    const makers = [Request, Response, Headers, URL, URLSearchParams, FormData, Blob, File, ReadableStream, WritableStream, TransformStream,
      AbortController, AbortSignal, Event, EventTarget, TextEncoder, TextDecoder, DOMException];
    const end = (it) => { if (typeof it?.then === "function") it.then(() => {}, (error) => { if (leaks(error?.stack)) found.push(error.stack); }); };
    const tried = (run) => { try { end(run()); } catch (error) { if (leaks(error?.stack)) found.push(error.stack); } };
    const forgeries = makers.map((of) => Object.create(of.prototype));
    for (const { prototype } of makers) for (const key of Reflect.ownKeys(prototype)) {
      const { get, set, value } = Reflect.getOwnPropertyDescriptor(prototype, key);
      for (const method of [get, set, value]) {
        if (typeof method !== "function" || key === "constructor") continue;
        for (const receiver of [...forgeries, request, ctx, null, 1]) tried(() => Reflect.apply(method, receiver, [forgeries[0], forgeries[8]]));
      }
    }
    for (const it of forgeries) {
      for (const run of [() => new Response(it), () => new Response("", it), () => new Request(it), () => fetch(it), () => new Headers(it), () => structuredClone(it),
        () => fetch("http://127.0.0.1:1/", { method: "POST", body: it, duplex: "half" }), () => fetch("http://127.0.0.1:1/", { signal: it }), () => AbortSignal.any([it]),
        () => new URL(it), () => new Blob([it]), () => ctx.waitUntil(it), () => Reflect.apply(ctx.waitUntil, it, [1]), () => new ReadableStream(it), () => new Event(it),
        () => crypto.subtle.digest(it, it), () => crypto.subtle.sign("HMAC", it, it), () => crypto.getRandomValues(it)]) tried(run);
    }
    await new Promise((r) => setTimeout(r, 20));`,
  "code caches and objects of the engine": `
    const names = new RegExp("^(" + ["cachedData(Rejected)?|produceCachedData|ExternalCopy|Isolate|Reference|NativeModule|applySync|applyIgnored",
      "copyInto|derefInto|compile(Script|Module)|create(Context|Snapshot|InspectorSession)|evalClosure|leave(Inline|Pool)"].join("|") + ")$");
    const seen = new Set(); const queue = [globalThis, request, env, ctx];
    const visit = (it, path) => { if (it !== null && /^(object|function)$/.test(typeof it) && !seen.has(it)) { seen.add(it); queue.push(it); if (typeof it === "function" && names.test(it.name)) found.push(path); } };
    while (queue.length > 0 && seen.size < 2e4) {
      const it = queue.pop();
      visit(Reflect.getPrototypeOf(it), "prototype");
      for (const key of Reflect.ownKeys(it)) {
        if (names.test(String(key))) found.push(String(key));
        const { get, set, value } = Reflect.getOwnPropertyDescriptor(it, key);
        visit(get, "get " + String(key)); visit(set, "set " + String(key)); visit(value, String(key));
      }
    }
    if (seen.size < 500) found.push("only " + seen.size + " objects");`,
  "weak references to what the platform freed": `
    const refs = []; for (let i = 0; i < 1e4; i++) refs.push(new WeakRef({ i, s: new Uint8Array(100) }));
    await new Promise((r) => setTimeout(r, 5));
    for (const ref of refs) { const it = ref.deref(); if (it !== undefined && typeof it.i !== "number") found.push(typeof it); }`,
};

const NOT_RESPONSES: Readonly<Record<string, string>> = {
  "object that looks like a Response":
    "return { status: 200, headers: new Headers(), body: null, ok: true, text() {} };",
  "object with Response's prototype": "return Object.create(Response.prototype);",
  "object with a Response's own properties":
    "const r = new Response('x'); return Object.create(Response.prototype, Object.getOwnPropertyDescriptors(r));",
  "Response swallowed by setPrototypeOf":
    "const r = {}; Object.setPrototypeOf(r, new Response('x')); return r;",
  "instance by Symbol.hasInstance":
    "Object.defineProperty(Response, Symbol.hasInstance, { value: () => true }); return {};",
  "Reflect.construct for another class":
    "class Fake {} return Reflect.construct(Object, [], Response);",
  "thenable that yields a forgery": "return { then(resolve) { resolve({ status: 200 }); } };",
  nothing: "return undefined;",
  "Proxy of nothing":
    "return new Proxy({}, { get: (_, name) => name === 'then' ? undefined : 200, has: () => true, getPrototypeOf: () => Response.prototype });",
  "internal record as text": 'return "R\\n1\\n200\\n";',
};

const ODD_RESPONSES: Readonly<Record<string, string>> = {
  "Proxy around a Response": "return new Proxy(new Response('ok'), {});",
  "revoked Proxy":
    "const { proxy, revoke } = Proxy.revocable(new Response('ok'), {}); revoke(); return proxy;",
  "promise of promises":
    "let p = Promise.resolve(new Response('ok')); for (let i = 0; i < 1e4; i++) p = Promise.resolve(p); return p;",
  "promise subclass with its own then":
    "class P extends Promise { then(a, b) { return super.then(a, b); } static get [Symbol.species]() { return class extends Promise {}; } } return P.resolve(new Response('ok'));",
  "thenable that answers twice":
    "return { then(resolve, reject) { resolve(new Response('ok')); resolve(new Response('two')); reject(1); } };",
  "Response with patched getters":
    "const r = new Response('ok'); for (const k of ['status', 'headers', 'body', 'ok']) Object.defineProperty(r, k, { get() { throw new Error(k); } }); return r;",
  "subclass that lies":
    "class R extends Response { get status() { return 101; } get headers() { return { [Symbol.iterator]: 1 }; } get body() { return 7; } } return new R('ok');",
  "one Response for all requests":
    "globalThis.kept ??= new Response('ok'); return globalThis.kept;",
  "request returned": "return request;",
  "Response of an earlier request's context":
    "globalThis.old ??= ctx; old.waitUntil(Promise.reject(new Error('x'))); return new Response('ok');",
  "species of promises and buffers":
    "for (const C of [Promise, Array, ArrayBuffer, RegExp, Map, Set]) Object.defineProperty(C, Symbol.species, { get() { throw new Error('species'); } }); return new Response(await new Response('ok').text());",
};

const ENDINGS: readonly Verdict[] = ["ok", "HANDLER_EXCEPTION", "HANDLER_BAD_RESPONSE"];

/** Header text that would end the head, tried past every check that author code can patch. */
const INJECTION = `
  String.prototype.replace = String.prototype.trim = function () { return String(this); };
  RegExp.prototype.test = () => true; RegExp.prototype.exec = () => ["x"]; RegExp.prototype[Symbol.replace] = (s) => s;
  String.prototype.charCodeAt = () => 65; String.prototype.includes = String.prototype.match = () => false;
  try { return new Response("x", { headers: { "x-a": "1\\r\\nx-injected: 1\\r\\n\\r\\nbody", "x-b\\r\\nx-injected": "1" } }); }
  catch { return new Response("refused"); }`;

export const ESCAPES: readonly Attack[] = [
  ...Object.entries(searches).map(([name, body]): Attack => ({
    name,
    group: "escapes",
    source: seek(body),
    limits: { cpuMs: 1_000 },
    expect: ["ok"],
    reply: "safe",
  })),
  ...Object.entries(NOT_RESPONSES).map(([name, body]): Attack => ({
    name,
    group: "escapes",
    source: handler(body),
    expect: ["HANDLER_BAD_RESPONSE"],
  })),
  ...Object.entries(ODD_RESPONSES).map(([name, body]): Attack => ({
    name,
    group: "escapes",
    source: handler(body),
    trigger: async (target) => {
      await target.get();
      return await target.get();
    },
    expect: ENDINGS,
  })),
  ...POLLUTIONS,
  ...ODD_BODIES,
  {
    name: "header that ends the head",
    group: "escapes",
    source: handler(INJECTION),
    trigger: async (target) => {
      const client = target.raw();
      client.send(target.head("GET", "Connection: close\r\n"));
      target.reply = /x-injected/i.test((await client.rest()).split("\r\n\r\n")[0] ?? "")
        ? "injected"
        : "clean";
      return "ok";
    },
    expect: ["ok"],
    reply: "clean",
    breaksItself: true,
  },
  {
    name: "records within texts",
    group: "escapes",
    source: handler(`
      const record = "R" + "\\n" + "1\\n3\\nabcR1\\n0\\n\\0\\u0001\\uD800";
      console.log(record); console.error(new Error(record));
      await new Promise((resolve) => setTimeout(resolve, 1));
      try { await fetch("http://127.0.0.1:1/" + record, { headers: { a: "b" }, method: "POST", body: record }); } catch {}
      return new Response(record, { headers: { "x-a": encodeURIComponent("R\\n1\\n0\\n") } });`),
    expect: ["ok"],
    reply: "R\n1\n3\nabcR1\n0\n\0\u0001\uFFFD",
  },
  {
    name: "boot called by the module itself",
    group: "escapes",
    source: handler(
      "return new Response(stolen);",
      `let stolen = "safe";
      try { if (typeof __islet.boot(new Proxy({}, { get: () => () => {} })) === "function") stolen = "a bridge"; } catch {}`,
    ),
    expect: ["ok"],
    reply: "safe",
  },
  {
    name: "requests reach into each other",
    group: "escapes",
    source: handler(`
      globalThis.all ??= []; all.push(request, ctx);
      for (const one of all) {
        try { one.body?.cancel(); } catch {} try { one.signal?.dispatchEvent(new Event("abort")); } catch {}
        try { one.text?.().catch(() => {}); } catch {}
      }
      return new Response("ok");`),
    trigger: (target) => target.volley(50, "", { method: "POST", body: "x".repeat(1e5) }),
    expect: ["ok"],
  },
];
