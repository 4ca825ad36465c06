// Code that patches what the guest's own code might use, before and after the bridge is built. At worst its own
// isolate dies; the host never throws, and a request that the patched code does not even see is its own affair.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openWorkshop, type Opened, type Workshop } from "../isolate/instances.ts";

const PATCHES: Readonly<Record<string, string>> = {
  "String.prototype.slice": "String.prototype.slice = () => 'x\\n9\\n';",
  "String.prototype.indexOf": "String.prototype.indexOf = () => 0;",
  "String.prototype.indexOf, negative": "String.prototype.indexOf = () => -1;",
  "String.prototype.charAt": "String.prototype.charAt = () => '?';",
  "Array iteration": "Array.prototype[Symbol.iterator] = () => { throw new Error('i'); };",
  "Array.prototype setters":
    "for (const k of [0, 1, 2]) Object.defineProperty(Array.prototype, k, { set() {}, get() { return undefined; } });",
  "Array.prototype.push": "Array.prototype.push = () => { throw 1; };",
  "Promise.prototype.then": "Promise.prototype.then = () => { throw 1; };",
  "Promise.prototype.then, silent": "Promise.prototype.then = () => undefined;",
  "Promise.prototype.constructor":
    "Object.defineProperty(Promise.prototype, 'constructor', { get() { throw 1; } });",
  Promise: "globalThis.Promise = class { constructor() { throw 1; } };",
  "Object.prototype setters":
    "for (const k of ['op', 'id', 'payload', 'then', 'status', 'headers', 'body', 'resolve', 'name']) Object.defineProperty(Object.prototype, k, { set() { throw 1; }, get() { return undefined; }, configurable: true });",
  "Object.prototype getters":
    "for (const k of ['then', 'text', 'kind', 'get', 'set']) Object.defineProperty(Object.prototype, k, { get() { throw 1; }, configurable: true });",
  "Map.prototype.get": "Map.prototype.get = () => ({ answered: false });",
  "Map.prototype.get, throwing": "Map.prototype.get = () => { throw 1; };",
  "Map.prototype.set": "Map.prototype.set = () => { throw 1; };",
  "Map.prototype.delete": "Map.prototype.delete = () => { throw 1; };",
  "JSON.stringify": "JSON.stringify = JSON.parse = () => { throw 1; };",
  Number: "globalThis.Number = () => { throw 1; };",
  Map: "globalThis.Map = class { constructor() { throw 1; } };",
  Uint8Array: "globalThis.Uint8Array = class { constructor() { throw 1; } };",
  Int32Array: "globalThis.Int32Array = class { constructor() { throw 1; } };",
  TypeError: "globalThis.TypeError = function () { throw 1; };",
  "Function.prototype":
    "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw 1; };",
  "RegExp.prototype.exec": "RegExp.prototype.exec = () => { throw 1; };",
  "Symbol.hasInstance":
    "Object.defineProperty(Uint8Array, Symbol.hasInstance, { value: () => { throw 1; } });",
  "Error.prepareStackTrace": "Error.prepareStackTrace = () => { throw 1; };",
  "endless indexOf": "String.prototype.indexOf = () => { for (;;); };",
  "endless Map.prototype.get": "Map.prototype.get = () => { for (;;); };",
};

const HANDLER = `
export default {
  async fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === "/patch") { patch(); return new Response("patched"); }
    if (path === "/body") return new Response(await request.text());
    if (path === "/stream") return new Response(request.body);
    if (path === "/digest") return new Response(await crypto.subtle.digest("SHA-1", new Uint8Array(1)));
    if (path === "/timer") { await new Promise((resolve) => setTimeout(resolve, 1)); return new Response("t"); }
    if (path === "/throw") throw new Error("t");
    return new Response("ok");
  },
};`;

const LIMITS = { cpuMs: 200, wallMs: 1_000 };

let workshop: Workshop;
let neighbour: Opened;
const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);

beforeAll(async () => {
  workshop = await openWorkshop();
  neighbour = workshop.open({
    source: 'export default { fetch: () => new Response("neighbour") };',
  });
  await neighbour.text();
});
afterAll(() => workshop.close());
beforeEach(() => {
  uncaught.length = 0;
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
});
afterEach(() => {
  process.off("uncaughtException", note);
  process.off("unhandledRejection", note);
});

/** A round of everything; every request must end, whatever its outcome. */
async function round(opened: Opened): Promise<void> {
  const sent = ["/ok", "/digest", "/timer", "/throw"].map((url) => opened.send(url));
  const bodies = ["/body", "/stream"].map((url) =>
    opened.send({ url, method: "POST", streamed: true }),
  );
  for (const one of bodies) {
    one.exchange.upload("part");
    one.exchange.upload(null);
  }
  expect(await neighbour.text()).toBe("neighbour");
  await Promise.all([...sent, ...bodies].map((one) => one.exchange.done));
  expect(await neighbour.text()).toBe("neighbour");
  expect(opened.generation.inFlight).toBe(0);
}

describe.each(["own", "untrusted"] as const)("with trust %s, a handler that patches", (trust) => {
  test.each(Object.entries(PATCHES))(
    "%s while it runs harms itself alone",
    async (_name, patch) => {
      const source = `const patch = () => { ${patch} };${HANDLER}`;
      const opened = workshop.open({ source, trust, limits: LIMITS });
      await opened.text("/ok");
      await opened.send("/patch").exchange.done;
      await round(opened);
      expect(uncaught).toEqual([]);
      opened.generation.abandon();
    },
  );

  test.each(Object.entries(PATCHES))("%s as it loads harms itself alone", async (_name, patch) => {
    const source = `const patch = () => {}; ${patch}${HANDLER}`;
    const opened = workshop.open({ source, trust, limits: LIMITS });
    await opened.send("/ok").exchange.done;
    await round(opened);
    expect(uncaught).toEqual([]);
    opened.generation.abandon();
  });
});
