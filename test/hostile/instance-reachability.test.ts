// The same question as reachability.test.ts, asked inside real instances as workers load them: what can author
// code reach from what a request hands it, and what can it record by patching builtins before a request arrives.
// Each check is run against a guest with a planted leak as well, where it must fail.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCryptoCalls } from "../../runtime/isolate/crypto-calls.ts";
import type { CallService } from "../../runtime/isolate/call.ts";
import { BODY, CALLS } from "../../sdk/bridge.ts";
import { openIsolate } from "../guest/isolate.ts";
import { LIST_NATIVE, listLeaks } from "../guest/reachability.ts";
import { openWorkshop, type Opened, type StartKind, type Workshop } from "../isolate/instances.ts";
import { CYCLE, INTERNAL_MEMBERS, RECORDER } from "./recorder.ts";

const GUEST = fileURLToPath(new URL("../../runtime/guest", import.meta.url));
/** The walk and the spies are slow; what is tested here is not time. */
const LIMITS = { cpuMs: 15_000, wallMs: 18_000 };
const STARTS: readonly StartKind[] = ["full", "platform"];

const internalNames = INTERNAL_MEMBERS.filter((name) => !/^(cells|nesting|buffers)$/.test(name));
const boundNames = ["addEventListener", "removeEventListener", "dispatchEvent"].map(
  (name) => `bound ${name}`,
);
const keysAllowed = ["_backpressureChangePromise_resolve"];

let pristine = "";
let workshop: Workshop;
const folder = mkdtempSync(join(tmpdir(), "islet-reach-"));
const variants: Workshop[] = [];

beforeAll(async () => {
  const fresh = openIsolate({ scripts: [], snapshot: false });
  pristine = String(await fresh.evaluate(LIST_NATIVE));
  fresh.dispose();
  workshop = await openWorkshop();
});
afterAll(() => {
  workshop.close();
  for (const variant of variants) variant.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A workshop whose guest runs `plant` with the engine's arguments before it boots. */
async function planted(plant: string): Promise<Workshop> {
  const guestEntry = join(folder, `boot-${variants.length}.ts`);
  writeFileSync(
    guestEntry,
    `import { boot as real } from ${JSON.stringify(join(GUEST, "boot.ts"))};
     import { ExecutionContext } from ${JSON.stringify(join(GUEST, "execution-context.ts"))};
     export { register, inspect } from ${JSON.stringify(join(GUEST, "boot.ts"))};
     export function boot(args) {
       // The author may call it as well.
       if (args?.cells === undefined) return real(args);
       let each = () => {}; ${plant}
       const enter = real(args); void ExecutionContext;
       return (...rest) => { each(); enter(...rest); }; }`,
  );
  const variant = await openWorkshop({ guestEntry });
  variants.push(variant);
  return variant;
}

/** Answers fetches as the worker's egress would, without a network. */
function fakeFetch(): CallService {
  const pulled = new Set<string>();
  return {
    call(name, call) {
      if (name !== CALLS.FETCH && name !== CALLS.FETCH_PULL && name !== CALLS.FETCH_TEXT) {
        return false;
      }
      setImmediate(() => {
        const url = call.args.split("\n")[1] ?? "";
        if (name === CALLS.FETCH_TEXT) call.ok("fetched");
        else if (name === CALLS.FETCH_PULL && pulled.has(call.args)) call.ok("");
        else if (name === CALLS.FETCH_PULL) {
          pulled.add(call.args);
          call.okBytes(new TextEncoder().encode("fetched").slice().buffer);
        } else if (url.endsWith("/fail")) call.fail("CANCELLED", "No such peer.");
        else if (!url.endsWith("/hang")) {
          call.ok(`200\nOK\n${url}\n0\n${BODY.STREAM}\ncontent-type\ntext/plain\n`);
        }
      });
      return true;
    },
    cancel: () => undefined,
    ownerDone: () => undefined,
    close: () => undefined,
  };
}

function open(shop: Workshop, source: string, start: StartKind): Opened {
  const services = (): CallService[] => [createCryptoCalls(), fakeFetch()];
  return shop.open({ source, start, limits: LIMITS, services, env: '{"vars":{"VAR":"v"}}' });
}

function script(resolversAllowed: boolean): string {
  return listLeaks({
    pristine,
    internalNames,
    boundNames,
    keysAllowed,
    resolversAllowed,
    quick: true,
  });
}

/** Everything a handler is given or can make the platform call, with the frames of every stack on the way. */
const POSITIONS = `
const roots = [], positions = { __proto__: null };
const note = (value) => { roots[roots.length] = value; };
const here = (position) => {
  Error.prepareStackTrace = (error, frames) => {
    for (const frame of frames) {
      note(frame); note(frame.getThis()); note(frame.getFunction()); note(frame.getEvalOrigin());
    }
    positions[position] = Math.max(positions[position] ?? 0, frames.length);
    return frames;
  };
  note(new Error("x").stack);
};
const thrown = (run) => { try { run(); } catch (error) { note(error); note(error.stack); } };
async function visit(request, env, ctx) {
  here("sync");
  note(request); note(request.headers); note(request.signal); note(env); note(ctx);
  thrown(() => new Headers([["bad name", "x"]])); thrown(() => new URL("::"));
  thrown(() => new Response("x", { status: 1 })); thrown(() => ctx.waitUntil.call(null));
  thrown(() => __islet.boot()); thrown(() => __islet.boot({})); thrown(() => __islet.inspect());
  note(new Response("x", { get status() { here("getter"); return 200; } }));
  note(new Headers([[{ toString() { here("toString"); return "a"; } }, "b"]]));
  const target = new EventTarget();
  target.addEventListener("x", (event) => { note(event); here("listener"); });
  target.dispatchEvent(new Event("x"));
  await null; here("async");
  await new Promise((resolve) => queueMicrotask(() => { here("microtask"); resolve(); }));
  await new Promise((resolve) => setTimeout(() => { here("timer"); resolve(); }, 1));
  ctx.waitUntil({ then(resolve) { here("waitUntil"); resolve(); } });
  const body = request.body; note(body);
  const reader = body.getReader(); note(reader);
  note(await reader.read()); here("stream"); await reader.read();
  await new Response(new ReadableStream({ pull(c) { note(c); here("pull"); c.close(); } })).text();
  const fetched = await fetch("http://a.test/").then((value) => { here("fetched"); return value; });
  note(fetched); note(fetched.headers); note(fetched.body); note(await fetched.text());
  await fetch("http://a.test/fail").catch((error) => { note(error); note(error.stack); here("fetch failed"); });
  const control = new AbortController(); note(control);
  control.signal.addEventListener("abort", () => here("abort"));
  const hanging = fetch("http://a.test/hang", { signal: control.signal });
  control.abort();
  await hanging.catch((error) => { note(error); here("fetch aborted"); });
  note(await crypto.subtle.digest("SHA-256", new Uint8Array(1))); here("digest");
  let n = 0;
  const pull = (c) => { here("reply"); if (n++ === 2) c.close(); else c.enqueue(new Uint8Array(1)); };
  return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
}`;

function walker(): string {
  return `${POSITIONS}
export default {
  get fetch() { here("bridge"); return (request, env, ctx) => {
    if (new URL(request.url).pathname !== "/walk") {
      const answer = visit(request, env, ctx);
      return { get then() { here("then"); return answer.then.bind(answer); } };
    }
    delete Error.prepareStackTrace;
    globalThis.__roots = [roots, __islet];
    const leaks = ${script(false)};
    return Response.json({ leaks: JSON.parse(leaks), positions, roots: roots.length });
  }; },
};`;
}

interface Walked {
  readonly leaks: readonly string[];
  readonly positions: Readonly<Record<string, number>>;
  readonly roots: number;
}

async function walk(shop: Workshop, start: StartKind): Promise<Walked> {
  const opened = open(shop, walker(), start);
  const visit = opened.send({ url: "/visit", method: "POST", streamed: true });
  visit.exchange.upload("part");
  visit.exchange.upload(null);
  await visit.text();
  const walked = JSON.parse(await opened.text("/walk")) as Walked;
  opened.generation.abandon();
  return walked;
}

const SEEN = (
  "abort async bridge digest fetch aborted,fetch failed,fetched getter listener microtask pull reply " +
  "stream sync then timer toString waitUntil"
)
  .replace("fetch aborted,fetch failed,", "fetch-aborted fetch-failed ")
  .split(" ")
  .map((name) => name.replace("-", " "));

describe.each(STARTS)("an instance that starts from %s", (start) => {
  test("hands its handler nothing of the engine's or the bridge's", async () => {
    const { leaks, positions, roots } = await walk(workshop, start);
    expect(Object.keys(positions).sort()).toEqual(SEEN);
    expect(Math.min(...Object.values(positions))).toBeGreaterThan(0);
    expect(roots).toBeGreaterThan(100);
    expect(leaks).toEqual([]);
  });

  test.each([
    ["a callback on globalThis", "globalThis.hidden = args.leavePool;"],
    ["a callback on the context", "ExecutionContext.prototype.hidden = args.leaveInline;"],
    ["the ExternalCopy class on globalThis", "globalThis.hidden = args.ExternalCopy;"],
    ["a method of an engine's object", "globalThis.hidden = args.ExternalCopy.prototype.release;"],
  ])("with %s is found out", async (_what, plant) => {
    const { leaks } = await walk(await planted(plant), start);
    expect(leaks).toContainEqual(expect.stringMatching(/hidden.* \((native|internal) /));
  });
});

/** Cases, narrow enough that requests are still answered. */
const PATCHED: Readonly<Record<string, string>> = {
  "Object.prototype and Object": "cover(Object.prototype, Object);",
  "Function.prototype": "cover(Function.prototype);",
  "Array.prototype and Array": "cover(Array.prototype, Array);",
  "array iterators": "cover(getPrototypeOf([][Symbol.iterator]()));",
  "primitives, JSON, Reflect and errors":
    "cover(String.prototype, String, Number.prototype, Number, Math, Symbol.prototype, Symbol, JSON, Reflect, Error.prototype, Error, RegExp.prototype);",
  "maps and sets": "cover(Map.prototype, Set.prototype, WeakMap.prototype, WeakSet.prototype);",
  "Promise.prototype and Promise": "cover(Promise.prototype, Promise);",
  "the constructor of promises": "coverConstructorOf(Promise.prototype);",
  "buffers and typed arrays":
    "cover(ArrayBuffer.prototype, ArrayBuffer, Uint8Array.prototype, Uint8Array, getPrototypeOf(Uint8Array.prototype), getPrototypeOf(Uint8Array));",
  "constructors on globalThis":
    'coverConstructors(["Map", "Set", "WeakMap", "Uint8Array", "Int32Array", "ArrayBuffer", "Array", "Object", "Number", "String", "Error", "TypeError"]);',
  "Promise on globalThis": 'coverConstructors(["Promise"]);',
  "names looked up on Object.prototype":
    'trapNames(["then", "op", "id", "payload", "buffers", "status", "headers", "body", "text", "kind", "transferOut", "cells", "answered", "streaming", "resolve", "reject", "abort", "pull", "owner", "code", "message"]);',
};

function recording(patch: string): string {
  return `${RECORDER}${CYCLE}
${patch}
export default { async fetch(request, env, ctx) {
  const name = new URL(request.url).pathname.slice(1);
  if (name !== "verdict") return handlers[name](request, env, ctx);
  for (let i = undos.length; i-- > 0; ) undos[i]();
  inside = true;
  const count = recorded.length;
  await settleAll();
  const found = shapes();
  globalThis.__roots = recorded;
  const leaks = JSON.parse(${script(true)});
  return Response.json({ calls, count, found: [...new Set(found)], leaks });
} };`;
}

interface Verdict {
  readonly calls: number;
  readonly count: number;
  readonly found: readonly string[];
  readonly leaks: readonly string[];
}

/** A request of every kind; returns the paths that were not answered. */
async function cycle(opened: Opened): Promise<string[]> {
  const plain = "reply own json fetch relay fail digest timer wait throws ok".split(" ");
  const uploads = ["text", "bytes", "stream"];
  const failed: string[] = [];
  for (const name of plain) {
    const outcome = await opened.outcome(`/${name}`);
    if (outcome !== (name === "throws" ? "HANDLER_EXCEPTION" : "ok"))
      failed.push(`${name} ${outcome}`);
  }
  for (const name of uploads) {
    const sent = opened.send({ url: `/${name}`, method: "POST", streamed: true });
    sent.exchange.upload("part");
    sent.exchange.upload(null);
    const outcome = await sent.ended();
    if (outcome !== "ok") failed.push(`${name} ${outcome}`);
    const whole = await opened.send({ url: `/${name}`, method: "POST", body: "whole" }).ended();
    if (whole !== "ok") failed.push(`${name} whole ${whole}`);
  }
  for (const name of ["hang", "drip"]) {
    const sent = opened.send(`/${name}`);
    if ((await opened.outcome("/ok")) !== "ok") failed.push(`ok beside ${name}`);
    sent.exchange.disconnect();
    await sent.ended();
  }
  return failed;
}

async function record(
  shop: Workshop,
  patch: string,
  start: StartKind,
): Promise<Verdict & { readonly failed: readonly string[] }> {
  const opened = open(shop, recording(patch), start);
  const failed = await cycle(opened);
  const verdict = JSON.parse(await opened.text("/verdict")) as Verdict;
  expect(opened.deaths).toEqual([]);
  opened.generation.abandon();
  return { ...verdict, failed };
}

describe.each(STARTS)("a module that starts from %s and records", (start) => {
  test.each(Object.entries(PATCHED))("%s gets hold of nothing internal", async (_name, patch) => {
    const { calls, count, found, leaks, failed } = await record(workshop, patch, start);
    expect(failed).toEqual([]);
    expect(calls).toBeGreaterThan(0);
    expect(count).toBeGreaterThan(0);
    expect(found).toEqual([]);
    expect(leaks).toEqual([]);
  });
});

describe("a recording module finds out", () => {
  test.each([
    ["a callback in a map", "each = () => new Map().set(1, args.leavePool);", "leaks"],
    ["an engine's class in a map", "each = () => new Map().set(1, args.ExternalCopy);", "leaks"],
    ["a port in a map", "each = () => new Map().set(1, { bytesCall() {} });", "found"],
    ["a map of internals", "each = () => new Map([[1, { creditWaiter: null }]]).get(1);", "found"],
    ["the cells", "each = () => new Map().set(1, new Int32Array(args.cells));", "found"],
  ] as const)("%s", async (_what, plant, where) => {
    const patch = PATCHED["maps and sets"] ?? "";
    const verdict = await record(await planted(plant), patch, "platform");
    expect(verdict[where]).not.toEqual([]);
  });
});
