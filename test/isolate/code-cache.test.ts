import { expect, test } from "vitest";
import { createEngine, type Engine } from "../../runtime/isolate/engine.ts";

const SCRIPT = { code: "globalThis.answer = (() => 6 * 7)();", filename: "some.js" };
const TIMEOUT_MS = 5_000;
/** Of V8's header: a hash of the options that code was compiled with. */
const FLAGS_AT = 12;

function create(): Promise<Engine> {
  return createEngine({ memoryMb: 16, snapshot: null, onCatastrophic: () => {} });
}

async function runWith(cached: ArrayBuffer): Promise<unknown[]> {
  const engine = await create();
  const isTaken = await engine.run({ ...SCRIPT, timeoutMs: TIMEOUT_MS, cached });
  const answer = await engine.evaluate("answer", TIMEOUT_MS);
  engine.dispose();
  return [isTaken, answer];
}

test("a script runs with its code cache, and tells when V8 refuses that", async () => {
  const maker = await create();
  const cache = await maker.codeCache(SCRIPT);
  maker.dispose();
  const bytes = new Uint8Array(cache ?? new ArrayBuffer(0));
  expect(await runWith(bytes.slice().buffer)).toEqual([true, 42]);
  const [flags = 0] = bytes.subarray(FLAGS_AT);
  bytes[FLAGS_AT] = flags ^ 1;
  expect(await runWith(bytes.buffer)).toEqual([false, 42]);
});
