// What an isolate starts from, when it starts from a full snapshot: code compiled before, the author's state as
// its top level left it, and nothing of how the snapshot was made.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GUEST_FILE, snapshotScripts } from "../../compiler/script.ts";
import { ANSWERS_NAME, WARM_UP } from "../../compiler/warm-up.ts";
import { createEngine, makeSnapshot } from "../../runtime/isolate/engine.ts";
import { openIsolate } from "../guest/isolate.ts";
import { bundleOf, openWorkshop, scriptOf, type StartKind, type Workshop } from "./instances.ts";

const STARTS: readonly StartKind[] = ["full", "platform"];
const HELLO = `export default { fetch: () => new Response("hello") };`;

let workshop: Workshop;

beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

function holds(blob: ArrayBuffer, text: string): boolean {
  return Buffer.from(blob).includes(text);
}

describe("the warm-up", () => {
  test("goes all the way through the platform that ships", async () => {
    const isolate = openIsolate({ scripts: [workshop.guest.code, WARM_UP], snapshot: false });
    const answers = String(await isolate.evaluate(`JSON.stringify(${ANSWERS_NAME})`));
    isolate.dispose();
    const reports = JSON.parse(answers) as string[];
    const all = reports.join("");
    // The posted JSON's answer, the thrown error, log, fetch, its text, the timer, and the last answer.
    expect(all).toMatch(/^r1\n\d+\n201\n1\n/);
    expect(all).toMatch(/q2\n\d+\n9\n7\nTypeErrorwarm-up/);
    expect(all).toContain("info\nwarm-up { list: [ 1 ] }");
    expect(all).toMatch(/f1\n\d+\n3\nfetch\n/);
    expect(all).toMatch(/f2\n\d+\n3\nfetch.text\n1/);
    expect(all).toMatch(/t1\n\d+\n1\n3/);
    expect(reports.at(-1)).toMatch(/^r3\n\d+\n200\n1\n.*\0text$/s);
  });

  test("leaves compiled code in a snapshot, and not one of its own texts", () => {
    const scripts = snapshotScripts(workshop.guest.code, bundleOf(HELLO));
    const cold = makeSnapshot(scripts);
    const warm = makeSnapshot(scripts, WARM_UP);
    expect(warm.byteLength - cold.byteLength).toBeGreaterThan(20_000);
    for (const text of ["warm-up", ANSWERS_NAME]) expect(holds(warm, text)).toBe(false);
  });

  test("costs no snapshot when the module has broken the platform for it", async () => {
    const opened = workshop.open({
      start: "full",
      source: `
        const Real = Response;
        globalThis.Response = class { constructor() { throw new Error("broken"); } };
        globalThis.URL = undefined;
        Promise.prototype.then = () => { throw new Error("broken"); };
        export default { fetch: () => new Real("mine") };`,
    });
    expect(await opened.text("/")).toBe("mine");
  });
});

test("the bundle of a snapshot is compiled with functions that nothing has called", () => {
  const uncalled = Array.from(
    { length: 200 },
    (_, i) =>
      `export const f${i} = (a, b) => { const c = a * ${i}; return b > c ? [a, b, c] : { a, b, c }; };`,
  ).join("\n");
  const bundle = bundleOf(`${HELLO}\n${uncalled}`);
  const whole = makeSnapshot(snapshotScripts(workshop.guest.code, bundle));
  const lazy = makeSnapshot([
    { code: workshop.guest.code, filename: GUEST_FILE },
    scriptOf(`${HELLO}\n${uncalled}`),
  ]);
  expect(whole.byteLength - lazy.byteLength).toBeGreaterThan(200 * 100);
});

describe.each(STARTS)("an isolate of a %s start", (start) => {
  test("has the module's state as its top level left it, run once as far as it can see", async () => {
    const opened = workshop.open({
      start,
      source: `
        const seen = [];
        globalThis.runs = (globalThis.runs ?? 0) + 1;
        seen.push("top");
        export default { fetch() { seen.push("fetch"); return Response.json([globalThis.runs, seen]); } };`,
    });
    expect(JSON.parse(await opened.text("/"))).toEqual([1, ["top", "fetch"]]);
    expect(JSON.parse(await opened.text("/"))).toEqual([1, ["top", "fetch", "fetch"]]);
  });

  test("has no global of the snapshot's making, before the module's top level and after", async () => {
    const opened = workshop.open({
      start,
      source: `
        const names = Object.getOwnPropertyNames(globalThis).filter((name) => name.startsWith("_"));
        export default { fetch: () => Response.json([names,
          Object.getOwnPropertyNames(globalThis).filter((name) => name.startsWith("_"))]) };`,
    });
    expect(JSON.parse(await opened.text("/"))).toEqual([[], []]);
  });

  test("names the bundle in stack traces, with the line of the module", async () => {
    const opened = workshop.open({
      start,
      source: `function deep() {
        return new Error("here").stack;
      }
      export default { fetch: () => new Response(deep()) };`,
    });
    const [message, first, second] = (await opened.text("/")).split("\n");
    expect(message).toBe("Error: here");
    expect(first).toMatch(/^ {4}at deep \(islet:bundle:\d+:\d+\)$/);
    expect(second).toMatch(/^ {4}at .*fetch \(islet:bundle:\d+:\d+\)$/);
  });

  test("makes no code from strings", async () => {
    const opened = workshop.open({
      start,
      source: `
        const attempt = (make) => { try { return typeof make(); } catch (error) { return error.name; } };
        const all = () => [() => eval("1"), () => (0, eval)("1"), () => new Function("1"),
          () => (() => {}).constructor("1"), () => (async () => {}).constructor("1")].map(attempt);
        const top = all();
        export default { fetch: () => Response.json([top, all()]) };`,
    });
    const refused = Array.from({ length: 5 }, () => "EvalError");
    expect(JSON.parse(await opened.text("/"))).toEqual([refused, refused]);
  });
});

test("stack traces of a full and of a platform start are the same", async () => {
  const source = `export default { fetch: () => new Response(new Error("x").stack) };`;
  const [full, platform] = await Promise.all(
    STARTS.map((start) => workshop.open({ start, source }).text("/")),
  );
  expect(full).toBe(platform);
});

test("the engine takes over the bytes of the snapshot it starts from", async () => {
  const snapshot = makeSnapshot(snapshotScripts(workshop.guest.code, bundleOf(HELLO)), WARM_UP);
  const engine = await createEngine({ memoryMb: 64, snapshot, onCatastrophic: () => undefined });
  expect(snapshot.detached).toBe(true);
  expect(await engine.evaluate("typeof __islet.boot", 1_000)).toBe("function");
  engine.dispose();
});
