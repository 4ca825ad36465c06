// What lockdown takes away, tried from author code in real isolates.

import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { bundleGuest, openIsolate, type TestIsolate } from "../guest/isolate.ts";

const ENTRY = `
import { createPlatform } from "./platform.ts";
const platform = createPlatform();
globalThis.__thaw = () => {
  delete globalThis.__thaw;
  platform.thaw({ now: () => 86_400_000, monotonic: () => 5, fetch: async () => 0, bytesCall: async () => 0,
    memoryBytes: 2 ** 25, setTimer() {}, clearTimer() {}, log() {} }, new Uint8Array(32));
  return 0;
};
`;

let code = "";
let guest: TestIsolate | null = null;
beforeAll(async () => {
  code = await bundleGuest(ENTRY);
});
afterEach(() => {
  guest?.dispose();
  guest = null;
});

async function openThawed(snapshot: boolean): Promise<TestIsolate> {
  guest = openIsolate({ scripts: [code], snapshot });
  await guest.evaluate("__thaw()");
  return guest;
}

const FROM_STRINGS = [
  "eval('1')",
  "(0, eval)('1')",
  "Function('return 1')()",
  "new Function('return 1')()",
  "(() => {}).constructor('return 1')()",
  "(async () => {}).constructor('return 1')",
  "(function* () {}).constructor('yield 1')",
  "(async function* () {}).constructor('yield 1')",
  "Object.getPrototypeOf((async () => {}).constructor)('return 1')",
  "Object.getPrototypeOf((function* () {}).constructor)('return 1')",
  "Reflect.construct(Function, ['return 1'])",
  "Reflect.construct((() => {}).constructor, ['return 1'], Object)",
  "new (class extends Function {})('return 1')",
  "globalThis.constructor.constructor('return 1')",
  "URL.constructor('return 1')",
  "Request.prototype.constructor.constructor('return 1')",
  "setTimeout.constructor('return 1')",
  "Iterator.constructor('return 1')",
  "[].map.constructor('return 1')",
];

describe.each([
  ["from a snapshot", true],
  ["evaluated afresh", false],
])("guest %s", (_name, snapshot) => {
  test("code from strings throws EvalError, however it is asked for", async () => {
    const isolate = await openThawed(snapshot);
    for (const attempt of FROM_STRINGS) {
      const outcome = await isolate.evaluate(
        `(() => { try { ${attempt}; return "ran"; } catch (error) { return error.constructor.name; } })()`,
      );
      expect(outcome, attempt).toBe("EvalError");
    }
    for (const attempt of ["setTimeout('1')", "setInterval('1', 1)"]) {
      const outcome = await isolate.evaluate(
        `(() => { try { ${attempt}; return "ran"; } catch (error) { return error.constructor.name; } })()`,
      );
      expect(outcome, attempt).toBe("TypeError");
    }
    await expect(isolate.evaluate("import('data:text/javascript,1')")).rejects.toThrow();
  });

  test("functions stay instances of Function", async () => {
    const isolate = await openThawed(snapshot);
    const script = `[() => {}, async () => {}, function* () {}, URL, fetch]
      .every((fn) => fn instanceof Function) &&
      Object.getPrototypeOf(Object.getPrototypeOf(async () => {})) === Function.prototype`;
    expect(await isolate.evaluate(script)).toBe(true);
    expect(
      await isolate.evaluate("Function.name + Function.length + typeof Function.prototype"),
    ).toBe("Function1function");
  });

  test("nothing can wait or be called back outside a slice", async () => {
    const isolate = await openThawed(snapshot);
    const shared = "new Int32Array(new SharedArrayBuffer(8))";
    await expect(isolate.evaluate(`Atomics.wait(${shared}, 0, 0, 10)`)).rejects.toThrow(TypeError);
    await expect(isolate.evaluate(`Atomics.waitAsync(${shared}, 0, 0, 10)`)).rejects.toThrow(
      TypeError,
    );
    const registry = `{ const r = new FinalizationRegistry(() => {}); r.register({}, 1); r.unregister({}); }
      Object.prototype.toString.call(new FinalizationRegistry(() => {}))`;
    expect(await isolate.evaluate(registry)).toBe("[object FinalizationRegistry]");
    await expect(isolate.evaluate("new FinalizationRegistry()")).rejects.toThrow(TypeError);
    await expect(isolate.evaluate("new FinalizationRegistry(() => 0).register(1)")).rejects.toThrow(
      TypeError,
    );
  });

  test("compiling WebAssembly and what follows it happen within the slice", async () => {
    const isolate = await openThawed(snapshot);
    // An empty module.
    const bytes = "new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])";
    expect(
      await isolate.evaluate(`globalThis.log = [];
      WebAssembly.compile(${bytes}).then((module) => log.push(module instanceof WebAssembly.Module));
      WebAssembly.instantiate(${bytes}).then((both) => log.push(Object.keys(both).join()));
      WebAssembly.instantiate(new WebAssembly.Module(${bytes}))
        .then((one) => log.push(one instanceof WebAssembly.Instance));
      WebAssembly.compile(new Uint8Array(1)).catch((error) => log.push(error.name)); 0`),
    ).toBe(0);
    // Read by a later script: all promise jobs ran with the first, in whichever order.
    const all = ["CompileError", "module,instance", "true", "true"];
    expect(await isolate.evaluate("log.map(String).sort()")).toEqual(all);
  });

  test("a loop behind WebAssembly.compile is stopped by the slice's time-out", async () => {
    const isolate = await openThawed(snapshot);
    const bytes = "new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])";
    await expect(
      isolate.evaluate(`WebAssembly.compile(${bytes}).then(() => { for (;;); }); 0`, 200),
    ).rejects.toThrow(/timed out/);
    expect(await isolate.evaluate("1")).toBe(1);
  });

  test("the machine's clock is out of reach", async () => {
    const isolate = await openThawed(snapshot);
    const readings = `[Date.now(), +new Date(), new Date().constructor.now(), new (new Date().constructor)().getTime(),
      +new (class extends Date {})(), new Date(Date()).getTime(), performance.timeOrigin + performance.now(),
      Date.parse(new Intl.DateTimeFormat("en", { timeZone: "UTC", dateStyle: "short" }).format() + " UTC"),
      Number(new Intl.DateTimeFormat("en", { year: "numeric", timeZone: "UTC" }).formatToParts()[0].value)]`;
    const day = 86_400_000;
    expect(await isolate.evaluate(readings)).toEqual([
      day,
      day,
      day,
      day,
      day,
      day,
      day,
      day,
      1970,
    ]);
  });
});
