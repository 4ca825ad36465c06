// Code that asks for more than there is: of timers, calls, log lines, headers, stack.

import { handler, type Attack, type Verdict } from "../range/attack.ts";
import type { Shooting, Target } from "../range/target.ts";

const PEER = 'const peer = request.headers.get("x-peer");';
function fetches({ peer }: Target): Shooting {
  return { headers: { "x-peer": peer } };
}

const LIMITS = { cpuMs: 1_000, wallMs: 5_000, memoryMb: 32 };

/** What ends with an exception of the guest's own and leaves the isolate as it is. */
const thrown: Readonly<Record<string, string>> = {
  recursion: "const f = () => f() + 1; return f();",
  "recursion through JSON":
    "const o = { toJSON() { return JSON.stringify(o); } }; JSON.stringify(o);",
  "deep JSON": 'JSON.parse("[".repeat(1e6));',
  "stack overflow in a sort callback": "const f = () => [1, 2].sort(f); return f();",
  "stack overflow in a replace callback": 'const f = () => "a".replace("a", f); return f();',
  "stack overflow in a Proxy": "const p = new Proxy({}, { get: (t, k, r) => r[k] }); return p.x;",
  "stack overflow in a stream's pull":
    "const f = () => { new ReadableStream({ pull: f, start: f }); f(); }; return f();",
  "stack overflow in a mapping": "const f = () => Array.from([1], f); return f();",
  "stack overflow in a JSON reviver": "const f = () => JSON.parse('[1]', f); return f();",
  "stack overflow in a typed array's callback":
    "const f = () => new Uint8Array(1).map(f); return f();",
  "stack overflow in a conversion":
    "const o = { toString: () => new URL(o).href }; return new Response(o);",
  "chain of proxies": "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x;",
  "stack overflow in a getter that the platform reads":
    "const o = { get headers() { return new Response('', o).headers; } }; return new Response('', o);",
  "stack overflow in structuredClone":
    "let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; structuredClone(o);",
  "deep regex": 'new RegExp("(".repeat(1e5) + ")".repeat(1e5)).test("");',
  "thrown proxy": "throw new Proxy({}, { get() { throw new Error('trap'); } });",
  "thrown getters":
    "throw { get name() { throw 1; }, get message() { throw 2; }, get stack() { throw 3; } };",
  "huge message": 'throw new Error("x".repeat(5e6));',
  "cause without end": "const e = new Error('x'); e.cause = e; throw e;",
  "rejection with a huge aggregate":
    "throw new AggregateError(Array.from({ length: 1e4 }, (_, i) => new Error(String(i))));",
};

/** What is answered, and does no harm behind it. */
const answered: Readonly<Record<string, string>> = {
  "unhandled rejections":
    "for (let i = 0; i < 1e4; i++) Promise.reject(new Error('x')); return new Response('ok');",
  "exceptions in timers":
    "for (let i = 0; i < 500; i++) setTimeout(() => { throw new Error('x'); }, 1); await new Promise((r) => setTimeout(r, 20)); return new Response('ok');",
  "log lines": "for (let i = 0; i < 2e4; i++) console.log('line ' + i); return new Response('ok');",
  "huge log lines":
    "for (let i = 0; i < 20; i++) console.error('x'.repeat(1e6)); return new Response('ok');",
  "log of what inspects for ever":
    "const o = {}; o.o = o; for (let i = 0; i < 1000; i++) o['k' + i] = { o }; console.log(o, new Proxy(o, {})); return new Response('ok');",
  "deep log":
    "let o = {}; for (let i = 0; i < 1e4; i++) o = { o }; console.log(o); return new Response('ok');",
  "digests at once":
    "await Promise.all(Array.from({ length: 500 }, () => crypto.subtle.digest('SHA-256', new Uint8Array(1e4)))); return new Response('ok');",
};

/** What may be refused in several ways, as long as it ends. */
const refused: Readonly<Record<string, string>> = {
  "RSA keys": `const make = () => crypto.subtle.generateKey({ name: "RSA-PSS", modulusLength: 4096, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-1" }, false, ["sign"]);
    await Promise.all(Array.from({ length: 5000 }, make)); return new Response('ok');`,
  "key derivations": `const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
    const derive = () => crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(8), iterations: 1e6 }, key, 512);
    await Promise.all(Array.from({ length: 5000 }, derive)); return new Response('ok');`,
  "key imports": `const jwk = { kty: "EC", crv: "P-521", x: "A".repeat(88), y: "A".repeat(88) };
    const take = () => crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-521" }, false, ["verify"]).catch(() => {});
    for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 100 }, take)); return new Response("ok");`,
  timers: "for (let i = 0; i < 1e5; i++) setTimeout(() => {}, 1e6); return new Response('ok');",
  "bound functions": "let f = () => 1; for (let i = 0; i < 1e6; i++) f = f.bind(null); return f();",
  "stack overflow within the bridge":
    "const f = () => { try { f(); } finally { fetch('http://127.0.0.1:1/').catch(() => {}); } }; return f();",
  "stack overflow in an event listener":
    "const t = new EventTarget(); t.addEventListener('x', () => t.dispatchEvent(new Event('x'))); const f = () => { t.dispatchEvent(new Event('x')); f(); }; return f();",
  "platform called where the stack ends": `
    const calls = [() => new URL("http://a.test/b?c"), () => new Headers([["a", "b"]]), () => new Response("x").text(), () => structuredClone({ a: [1] }),
      () => crypto.subtle.digest("SHA-1", new Uint8Array(1)), () => setTimeout(() => {}, 1), () => console.log("x"), () => request.clone(), () => ctx.waitUntil(1),
      () => new ReadableStream({ pull(c) { c.enqueue(1); } }).getReader().read(), () => queueMicrotask(() => {}), () => new AbortController().abort()];
    for (const call of calls) {
      const down = () => { try { down(); } catch {} if (left-- > 0) { try { call()?.catch?.(() => {}); } catch {} } };
      let left = 200; down();
    }
    return new Response("ok");`,
  "promises that wait for one another":
    "let p = new Promise(() => {}); for (let i = 0; i < 3e5; i++) p = p.then(() => i); return await p;",
  cookies:
    "const h = new Headers(); for (let i = 0; i < 5e3; i++) h.append('set-cookie', 'c' + i + '=' + 'v'.repeat(50)); return new Response('', { headers: h });",
  intervals:
    "for (let i = 0; i < 900; i++) setInterval(() => {}, 0); await new Promise((r) => setTimeout(r, 300)); return new Response('ok');",
  "response headers":
    "const h = new Headers(); for (let i = 0; i < 5e3; i++) h.append('x-' + i, 'v'.repeat(50)); return new Response('', { headers: h });",
  "background work":
    "for (let i = 0; i < 1e5; i++) ctx.waitUntil(new Promise(() => {})); return new Response('ok');",
  "log lines without end": "for (;;) console.log('x');",
  "digests without end": "for (;;) crypto.subtle.digest('SHA-256', new Uint8Array(1e5));",
  "randomness without end": "for (;;) crypto.getRandomValues(new Uint8Array(65536));",
  "fetches to nowhere":
    "await Promise.all(Array.from({ length: 5e3 }, () => fetch('http://127.0.0.1:1/').catch(() => {}))); return new Response('ok');",
  "fetches without end": "for (;;) fetch('http://127.0.0.1:1/').catch(() => {});",
  "fetches with bytes without end":
    "for (;;) fetch('http://127.0.0.1:1/', { method: 'POST', body: new Uint8Array(1) }).catch(() => {});",
  "fetches without end behind the reply":
    "(async () => { for (;;) { fetch('http://127.0.0.1:1/').catch(() => {}); await null; } })(); await null; return new Response('ok');",
  "log lines without end behind the reply":
    "(async () => { for (;;) { console.log('x'); await null; } })(); return new Response('ok');",
  "background work that begins and ends without end":
    "for (;;) { ctx.waitUntil(null); for (let i = 0; i < 8; i++) await null; }",
  "timers set and cleared without end": "for (;;) clearTimeout(setTimeout(() => {}, 1));",
  "fetches aborted without end":
    "for (;;) { const c = new AbortController(); fetch('http://127.0.0.1:1/', { signal: c.signal }).catch(() => {}); c.abort(); }",
  "fetch with huge headers":
    "await fetch('http://127.0.0.1:1/', { headers: { a: 'x'.repeat(1e7) } }); return new Response('ok');",
  "fetch with a huge address":
    "await fetch('http://127.0.0.1:1/' + 'x'.repeat(1e7)); return new Response('ok');",
  "fetch with a body without end":
    "await fetch(request.headers.get('x-peer'), { method: 'POST', duplex: 'half', body: new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536)); } }) }); return new Response('ok');",
};

const ENDINGS: readonly Verdict[] = [
  "ok",
  "HANDLER_EXCEPTION",
  "HANDLER_BAD_RESPONSE",
  "CPU_LIMIT",
  "MEMORY_LIMIT",
  "HANDLER_TIMEOUT",
  "ISOLATE_FAILED",
  "NO_RESPONSE",
];

export const FLOODS: readonly Attack[] = [
  ...Object.entries(thrown).map(([name, body]): Attack => ({
    name,
    group: "floods",
    source: handler(body),
    limits: LIMITS,
    expect: ["HANDLER_EXCEPTION"],
  })),
  ...Object.entries(answered).map(([name, body]): Attack => ({
    name,
    group: "floods",
    source: handler(body),
    limits: LIMITS,
    expect: ["ok"],
    reply: "ok",
  })),
  ...Object.entries(refused).map(([name, body]): Attack => ({
    name,
    group: "floods",
    source: handler(body),
    limits: LIMITS,
    trigger: (target) => target.get("", fetches(target)),
    expect: ENDINGS,
    withinMs: 6_000,
  })),
  {
    name: "fetches beyond the limit",
    group: "floods",
    source: handler(`${PEER}
      const codes = await Promise.all(Array.from({ length: 200 }, () => fetch(peer).then(async (r) => await r.text(), (e) => e.code)));
      const count = (what) => codes.filter((code) => code === what).length;
      return new Response(count("peer") + " " + count("SUBREQUEST_LIMIT"));`),
    limits: LIMITS,
    trigger: (target) => target.get("", fetches(target)),
    expect: ["ok"],
    reply: "50 150",
  },
  {
    name: "redirects without end",
    group: "floods",
    source: handler(`${PEER} return await fetch(peer + "/loop");`),
    limits: LIMITS,
    trigger: (target) => target.get("", fetches(target)),
    expect: ["HANDLER_EXCEPTION"],
  },
  {
    name: "response without end read whole",
    group: "floods",
    source: handler(`${PEER} return new Response(await (await fetch(peer + "/endless")).text());`),
    limits: LIMITS,
    trigger: (target) => target.get("", fetches(target)),
    expect: ["HANDLER_EXCEPTION", "MEMORY_LIMIT", "HANDLER_TIMEOUT", "CPU_LIMIT"],
    withinMs: 6_000,
  },
  ...["await (await fetch(peer)).text()", "(await fetch(peer)).body"].map((body, at): Attack => ({
    name: `response in chunks of one byte, ${at === 0 ? "read whole" : "passed on"}`,
    group: "floods",
    source: handler(
      `const peer = request.headers.get("x-peer") + "/crumbs"; return new Response(${body});`,
    ),
    limits: LIMITS,
    trigger: (target) => target.volley(4, "", fetches(target)),
    // The server breaks off at the end.
    expect: ["ok", "broken", "HANDLER_EXCEPTION", "CPU_LIMIT", "HANDLER_TIMEOUT"],
    withinMs: 7_000,
  })),
  {
    name: "fetches that wait, all aborted at once",
    group: "floods",
    source: handler(`${PEER} const abort = new AbortController();
      const all = Array.from({ length: 200 }, () => fetch(peer + "/hang", { signal: abort.signal }).catch(({ name }) => name));
      await new Promise((resolve) => setTimeout(resolve, 100)); abort.abort();
      return new Response(String(new Set(await Promise.all(all)).has("AbortError")));`),
    limits: { ...LIMITS, subrequests: 200 },
    trigger: (target) => target.volley(10, "", fetches(target)),
    expect: ["ok"],
    withinMs: 6_000,
  },
  {
    name: "fetches that are never answered, from many requests",
    group: "floods",
    source: handler(
      `${PEER} await Promise.all(Array.from({ length: 50 }, () => fetch(peer + "/hang"))); return new Response();`,
    ),
    trigger: (target) => target.volley(50, "", fetches(target)),
    // Those that find the queue of calls full are told so.
    expect: ["HANDLER_TIMEOUT", "HANDLER_EXCEPTION"],
  },
  {
    name: "handler that calls itself",
    group: "floods",
    source: handler(
      `const own = request.headers.get("x-own"); return await fetch(own, { headers: { "x-own": own } });`,
    ),
    limits: LIMITS,
    trigger: (target) =>
      target.get("", { headers: { "x-own": `http://127.0.0.1:${target.port}/${target.name}` } }),
    expect: ["ok", "OVERLOADED", "HANDLER_TIMEOUT", "HANDLER_EXCEPTION"],
    withinMs: 7_000,
  },
  {
    name: "more requests than an isolate takes",
    group: "floods",
    source: handler("await new Promise((r) => setTimeout(r, 500)); return new Response('ok');"),
    trigger: (target) => target.volley(1_500),
    expect: ["ok", "OVERLOADED"],
    withinMs: 6_000,
  },
  {
    name: "stream of single bytes",
    group: "floods",
    source: handler(
      "return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1)); } }));",
    ),
    limits: LIMITS,
    expect: ["broken"],
    withinMs: 6_000,
  },
  {
    name: "a listener for every request, kept",
    group: "floods",
    source: handler(
      "request.signal.addEventListener('abort', () => kept.push(request)); kept.push(request.signal); return new Response('ok');",
      "const kept = [];",
    ),
    trigger: async (target) => {
      for (let i = 0; i < 300; i++) await target.get();
      return await target.get();
    },
    expect: ["ok"],
  },
];
