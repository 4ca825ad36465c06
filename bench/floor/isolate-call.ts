// What a crossing into an isolate costs when there is nothing in it: our engine and its door, a guest that
// does nothing or answers with one short string at once. Everything the real guest does comes on top.

import { createEngine, newCells } from "../../runtime/isolate/engine.ts";
import type { Engine } from "../../runtime/isolate/engine.ts";
import { runTasks } from "../micro/harness.ts";
import type { Task } from "../micro/harness.ts";

const TIMEOUT_MS = 1_000;
const REQUEST = `R1\n180\n${"x".repeat(180)}`;
const BATCH = REQUEST.repeat(16);

/** A guest whose `enter` runs this statement. */
async function engineOf(statement: string): Promise<Engine> {
  const engine = await createEngine({ memoryMb: 64, snapshot: null, onCatastrophic: () => {} });
  const code = `const __islet = { boot: ({ leaveInline: leave }) => (lane, slice, now, packed) => { ${statement} } };`;
  await engine.run({ code, filename: "floor", timeoutMs: TIMEOUT_MS });
  const nothing = (): void => {};
  await engine.boot(
    {
      cells: newCells(),
      leaveInline: nothing,
      leavePool: nothing,
      encodings: new SharedArrayBuffer(0),
      seed: new Uint8Array(32),
      env: "{}",
      now: 0,
    },
    TIMEOUT_MS,
  );
  return engine;
}

async function crossing(name: string, statement: string, packed: string): Promise<Task> {
  const engine = await engineOf(statement);
  return { name, run: () => engine.enterInline(1, 0, packed, [], TIMEOUT_MS) };
}

await runTasks("Bare isolate call, inline, with time-out", [
  await crossing("enter, nothing in it", "", ""),
  await crossing("enter with one request of 180 characters", "", REQUEST),
  await crossing("enter and one answer", 'leave(slice, 1, "r1 200 Hello World");', REQUEST),
  await crossing("enter with 16 requests and one answer", "leave(slice, 1, packed);", BATCH),
]);
