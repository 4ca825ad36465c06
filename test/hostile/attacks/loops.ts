// Code that does not give the processor back.

import { setTimeout as delay } from "node:timers/promises";
import { handler, type Attack, type Verdict } from "../range/attack.ts";

const SPIN = "for (;;);";

const endless: Readonly<Record<string, string>> = {
  "plain loop": SPIN,
  "loop behind await": `await null; ${SPIN}`,
  "endless awaits": "for (;;) await null;",
  "loop in then": `return Promise.resolve().then(() => { ${SPIN} });`,
  "microtasks that queue microtasks":
    "const again = () => queueMicrotask(again); again(); return new Promise(() => {});",
  "then-chain that never ends":
    "const step = () => Promise.resolve().then(step); return step().then(() => new Response());",
  "two promises that wake each other":
    "const a = async () => { for (;;) await b(); }; const b = async () => null; return a();",
  generator: "const g = (function* () { for (;;) yield 1; })(); for (const _ of g);",
  "async generator":
    "const g = (async function* () { for (;;) yield 1; })(); for await (const _ of g);",
  "spread of an endless iterator":
    "return new Response([...(function* () { for (;;) yield; })()]);",
  getter: `return new Response("x", { get headers() { ${SPIN} } });`,
  "status with valueOf": `return new Response("x", { status: { valueOf() { ${SPIN} } } });`,
  toString: `return new Response({ toString() { ${SPIN} } });`,
  "Symbol.toPrimitive": `return new Response(\`\${{ [Symbol.toPrimitive]() { ${SPIN} } }}\`);`,
  "JSON reviver": `JSON.parse("[1]", () => { ${SPIN} });`,
  toJSON: `return Response.json({ toJSON() { ${SPIN} } });`,
  "Proxy get trap": `return new Response("x", new Proxy({}, { get() { ${SPIN} } }));`,
  "Proxy ownKeys trap": `return new Response("x", { headers: new Proxy({}, { ownKeys() { ${SPIN} } }) });`,
  "catastrophic regex": 'return new Response(String(/^(a+)+$/.test("a".repeat(40) + "!")));',
  "regex replacer": `return new Response("aaa".replace(/a/g, () => { ${SPIN} }));`,
  "sort comparator": `[3, 1, 2].sort(() => { ${SPIN} });`,
  "comparator of a typed array": `new Float64Array(100).sort(() => { ${SPIN} });`,
  "finally within finally": `try { ${SPIN} } finally { try { ${SPIN} } finally { ${SPIN} } }`,
  "catch that goes on": `for (;;) { try { ${SPIN} } catch { continue; } }`,
  "finally that returns": `for (;;) { try { ${SPIN} } finally { continue; } }`,
  "timer callback": `return new Promise(() => setTimeout(() => { ${SPIN} }, 1));`,
  thenable: `return { then() { ${SPIN} } };`,
  "getter of then": `return { get then() { ${SPIN} } };`,
  "headers from an endless iterable":
    'return new Response("", { headers: (function* () { for (let i = 0; ; i++) yield ["a", "b"]; })() });',
  "instanceof trap": `Object.defineProperty(Response, Symbol.hasInstance, { value() { ${SPIN} } }); return new Response("x") instanceof Response;`,
  "event listener": `const t = new EventTarget(); t.addEventListener("x", () => { ${SPIN} }); t.dispatchEvent(new Event("x"));`,
  "error listener": `addEventListener("error", () => { ${SPIN} }); reportError(new Error("x"));`,
  "stack of an error": `Error.prepareStackTrace = () => { ${SPIN} }; throw new Error("x");`,
  "structured clone getter": `structuredClone({ get a() { ${SPIN} } });`,
  "behind crypto": `await crypto.subtle.digest("SHA-256", new Uint8Array(1)); ${SPIN}`,
  "behind fetch": `try { await fetch("http://127.0.0.1:1/"); } catch { ${SPIN} }`,
  "URL of many parts": "for (;;) new URL('http://a.test/' + 'x/../'.repeat(1000));",
  "decoder without end": "for (;;) new TextDecoder().decode(new Uint8Array(1e6));",
};

/** An endless loop, in a function without arguments and results. */
const WASM_LOOP =
  "new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,97,0,0,10,9,1,7,0,3,64,12,0,11,11])";

const UNSTOPPABLE = "A builtin of V8 that does not look at interrupts holds its thread for good.";

const unstoppable: Readonly<Record<string, string>> = {
  lastIndexOf: "[].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);",
  includes: "[].includes.call({ length: 2 ** 53 - 1 }, 1);",
  fill: "[].fill.call({ length: 2 ** 53 - 1 }, 1);",
  reverse: "[].reverse.call({ length: 2 ** 53 - 1 });",
  copyWithin: "[].copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);",
  "big power": "return new Response(String((3n ** (1n << 27n)) % 10n));",
};

/** It makes properties all the time, and may be out of memory before it is out of time. */
const FULL: readonly Verdict[] = ["MEMORY_LIMIT"];

const spinning: Attack[] = Object.entries(endless).map(([name, body]) => ({
  name,
  group: "loops",
  source: handler(body),
  expect: ["CPU_LIMIT"],
}));

const wedging: Attack[] = Object.entries(unstoppable).map(([name, body]) => ({
  name: `builtin that nothing stops: ${name}`,
  group: "loops",
  source: handler(body),
  // On the accepting thread nobody is left to answer.
  expect: ["CPU_LIMIT", "reset", "broken", ...(name === "fill" ? FULL : [])],
  // Beyond what it takes to see that the thread is lost.
  limits: { cpuMs: 100, wallMs: 8_000 },
  mayCostWorker: UNSTOPPABLE,
  withinMs: 8_000,
  known: [
    {
      property: "peak",
      why: "Some make properties until their thread is stopped.",
      sometimes: true,
    },
  ],
}));

/** By then the version is checked, live and warm. */
const TURNS_BAD_MS = 2_500;

/** Behaves while it is checked. Then it ends its isolate, and is loaded anew. */
function turnsBad(name: string, harm: string): Attack {
  const bomb = "let o = null; for (;;) o = { o, a: [1, 2, 3] };";
  let atMs = 0;
  return {
    name: `top level that turns bad after the check: ${name}`,
    group: "loops",
    source: () => {
      atMs = Date.now() + TURNS_BAD_MS;
      return handler(bomb, `if (Date.now() > ${atMs}) { ${harm} }`);
    },
    trigger: async (target) => {
      await delay(atMs - Date.now() + 100);
      await target.get();
      return await target.get("/ok");
    },
    // On a busy machine a load is given more time than a request waits for it.
    expect: ["ISOLATE_FAILED", "OVERLOADED"],
    limits: { cpuMs: 3_000, wallMs: 8_000 },
    breaksItself: true,
    withinMs: 8_000,
  };
}

export const LOOPS: readonly Attack[] = [
  ...spinning,
  ...wedging,
  {
    name: "Proxy with a looping getPrototypeOf trap returned",
    group: "loops",
    source: handler(`return new Proxy({}, { getPrototypeOf() { ${SPIN} } });`),
    expect: ["CPU_LIMIT", "HANDLER_BAD_RESPONSE"],
  },
  {
    name: "WebAssembly loop",
    group: "loops",
    source: handler(`new WebAssembly.Instance(new WebAssembly.Module(${WASM_LOOP})).exports.a();`),
    expect: ["CPU_LIMIT"],
  },
  {
    name: "many slices, each below the limit",
    group: "loops",
    source: handler(`
      for (let i = 0; i < 30; i++) {
        let x = 0;
        for (let k = 0; k < 3e7; k++) x += k % 7;
        await new Promise((resolve) => setTimeout(resolve, 1 + (x > 1 ? 0 : 1)));
      }
      return new Response("burned");`),
    limits: { cpuMs: 300, wallMs: 10_000 },
    withinMs: 10_000,
    expect: ["CPU_LIMIT"],
  },
  {
    name: "timers of no length for ever",
    group: "loops",
    source: handler("for (;;) await new Promise((resolve) => setTimeout(resolve, 0));"),
    expect: ["HANDLER_TIMEOUT", "CPU_LIMIT"],
  },
  {
    name: "finalizers that loop",
    group: "loops",
    source: handler(`
      const registry = new FinalizationRegistry(() => { for (;;); });
      for (let i = 0; i < 1e5; i++) registry.register({ i }, 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return new Response("ok");`),
    limits: { cpuMs: 500, memoryMb: 128 },
    expect: ["ok"],
  },
  {
    name: "loop behind the reply",
    group: "loops",
    source: handler(
      "ctx.waitUntil((async () => { await null; for (;;); })()); return new Response('ok');",
    ),
    expect: ["ok", "CPU_LIMIT"],
  },
  {
    name: "awaits for ever behind the reply",
    group: "loops",
    source: handler("(async () => { for (;;) await null; })(); return new Response('ok');"),
    expect: ["ok", "CPU_LIMIT"],
  },
  {
    name: "reply stream that pulls for ever",
    group: "loops",
    source: handler("return new Response(new ReadableStream({ pull() { for (;;); } }));"),
    expect: ["CPU_LIMIT", "broken"],
  },
  {
    name: "abort listener that loops",
    group: "loops",
    source: handler(
      "request.signal.addEventListener('abort', () => { for (;;); }); await new Promise((r) => setTimeout(r, 1000)); return new Response();",
    ),
    trigger: async (target) => {
      const client = target.raw();
      client.send(target.head("GET"));
      await target.get("/ok");
      client.close();
      return "client_abort";
    },
    expect: ["client_abort"],
  },
  {
    name: "many that loop at once",
    group: "loops",
    source: handler(SPIN),
    trigger: (target) => target.volley(8),
    limits: { cpuMs: 100, wallMs: 6_000 },
    expect: ["CPU_LIMIT", "OVERLOADED"],
    withinMs: 6_000,
  },
  turnsBad("loop", "for (;;);"),
  {
    ...turnsBad("builtin that nothing stops", "[].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);"),
    expect: ["ISOLATE_FAILED", "OVERLOADED", "reset"],
    mayCostWorker: UNSTOPPABLE,
  },
  {
    name: "rejection that loops when the engine looks at it",
    group: "loops",
    source: handler(
      "const e = new Error('x'); Object.defineProperty(e, 'message', { get() { for (;;); } }); Promise.reject(e); return new Response('ok');",
    ),
    // On the accepting thread nobody is left to answer.
    expect: ["ok", "CPU_LIMIT", "reset", "broken"],
    limits: { cpuMs: 100, wallMs: 8_000 },
    mayCostWorker: "The engine reads the message after the slice, without a time-out.",
    withinMs: 8_000,
    known: [
      { property: "recovery", why: "It shows only when it is entered again.", sometimes: true },
    ],
  },
  {
    name: "promise that nothing settles",
    group: "loops",
    source: handler("return new Promise(() => {});"),
    expect: ["NO_RESPONSE"],
  },
  {
    name: "timer that was cleared",
    group: "loops",
    source: handler(
      "return new Promise((resolve) => clearTimeout(setTimeout(() => resolve(new Response()), 100)));",
    ),
    expect: ["NO_RESPONSE"],
  },
];
