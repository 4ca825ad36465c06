// Nothing of the host's and nothing internal can be reached from author code.

import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { bundleGuest, openIsolate, type TestIsolate } from "../guest/isolate.ts";
import { LIST_NATIVE, listLeaks } from "../guest/reachability.ts";

const ENTRY = `
import { createPlatform } from "./platform.ts";
const platform = createPlatform();
const port = {
  now: () => 1, monotonic: () => 1, fetch: async () => { throw { code: "X", message: "x" }; },
  bytesCall: async () => new ArrayBuffer(1), setTimer: () => {}, clearTimer: () => {}, log: () => {},
};
globalThis.__thaw = () => {
  delete globalThis.__thaw;
  platform.thaw(port, new Uint8Array(32));
  return 0;
};
`;
const internalNames = (
  "monotonic bytesCall setTimer clearTimer thaw createRequest takeResponse fireTimer " +
  "describeError reportException seedRandom lockdown thawLockdown"
).split(" ");
const boundNames = ["addEventListener", "removeEventListener", "dispatchEvent"].map(
  (name) => `bound ${name}`,
);
// The streams library keeps the resolver of a promise of its own there: the author's stream, the author's promise.
const keysAllowed = ["_backpressureChangePromise_resolve"];

let code = "";
let pristine = "";
let guest: TestIsolate | null = null;

beforeAll(async () => {
  code = await bundleGuest(ENTRY);
  const fresh = openIsolate({ scripts: [], snapshot: false });
  pristine = String(await fresh.evaluate(LIST_NATIVE));
  fresh.dispose();
});
afterEach(() => {
  guest?.dispose();
  guest = null;
});

function open(snapshot: boolean): TestIsolate {
  guest = openIsolate({ scripts: [code], snapshot });
  return guest;
}

async function leaksIn(isolate: TestIsolate, quick: boolean): Promise<string[]> {
  const script = listLeaks({ pristine, internalNames, boundNames, keysAllowed, quick });
  return JSON.parse(String(await isolate.evaluate(script))) as string[];
}

describe.each([
  ["from a snapshot", true],
  ["evaluated afresh", false],
])("guest %s", (_name, snapshot) => {
  test("hands out no native function of its own and nothing internal", async () => {
    const isolate = open(snapshot);
    await isolate.evaluate("__thaw()");
    expect(await leaksIn(isolate, false)).toEqual([]);
  });

  test("a host callback on globalThis is found", async () => {
    const isolate = open(snapshot);
    await isolate.evaluate("__thaw()");
    isolate.plant("helper", () => undefined);
    expect(await leaksIn(isolate, true)).toContainEqual(
      expect.stringContaining("globalThis.helper"),
    );
  });

  test("a host callback behind a symbol, a getter's property or a prototype is found", async () => {
    for (const hide of [
      "Request.prototype[Symbol('x')] = fn",
      "Object.getOwnPropertyDescriptor(URL.prototype, 'href').get.inner = { fn }",
      "Object.setPrototypeOf(Object.getPrototypeOf(crypto), { fn })",
      "console.log.fn = fn",
    ]) {
      const isolate = open(snapshot);
      await isolate.evaluate("__thaw()");
      isolate.plant("planted", () => undefined);
      await isolate.evaluate(`{ const fn = planted; delete globalThis.planted; ${hide}; } 0`);
      expect(await leaksIn(isolate, true), hide).not.toEqual([]);
      isolate.dispose();
    }
  });

  test("a host callback that only a thrown error or a patched method shows is found", async () => {
    for (const hide of [
      "globalThis.btoa = () => { throw Object.assign(new Error('x'), { fn }); }",
      "globalThis.btoa = () => new Map().set('x', fn)",
      "globalThis.btoa = () => { [].push(fn); }",
    ]) {
      const isolate = open(snapshot);
      await isolate.evaluate("__thaw()");
      isolate.plant("planted", () => undefined);
      await isolate.evaluate(`{ const fn = planted; delete globalThis.planted; ${hide}; } 0`);
      expect(await leaksIn(isolate, true), hide).toEqual([]);
      expect(await leaksIn(isolate, false), hide).not.toEqual([]);
      isolate.dispose();
    }
  });

  test("an internal function and an engine's constructor are found", async () => {
    const isolate = open(snapshot);
    await isolate.evaluate("__thaw()");
    await isolate.evaluate("globalThis.platform = { fireTimer() {} }; 0");
    expect(await leaksIn(isolate, true)).toEqual([
      "globalThis.platform.fireTimer (internal fireTimer)",
    ]);
    const bare = openIsolate({
      scripts: [
        `globalThis.old = Function; globalThis.Function = 0;
         Object.defineProperty(old.prototype, "constructor", { value: class Function {} });`,
      ],
      snapshot,
    });
    const leaks = await leaksIn(bare, true);
    bare.dispose();
    expect(leaks).toContainEqual(expect.stringContaining("(native Function)"));
  });

  test("globalThis has no name of the engine's or the bridge's", async () => {
    const isolate = open(snapshot);
    await isolate.evaluate("__thaw()");
    const names = (await isolate.evaluate("Object.getOwnPropertyNames(globalThis)")) as string[];
    expect(names.filter((name) => /^_|ivm|isolate|callback/i.test(name))).toEqual([]);
  });
});
