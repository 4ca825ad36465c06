// A whole request inside an isolate with the real guest: unpack, create the Request, run the handler, take the
// Response, pack. One crossing per call; per request. The floor of it is floor/isolate-call.ts.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle, stopEsbuild } from "../../compiler/bundle.ts";
import { buildGuest } from "../../compiler/guest.ts";
import { snapshotScripts } from "../../compiler/script.ts";
import { WARM_UP } from "../../compiler/warm-up.ts";
import { createEngine, makeSnapshot, newCells } from "../../runtime/isolate/engine.ts";
import { GUEST_ENTRY } from "../../runtime/link/places.ts";
import { BODY, ENTER, pack } from "../../sdk/bridge.ts";
import { ECHO, HELLO, HONO } from "../load/apps.ts";
import type { App } from "../load/apps.ts";
import { runTasks } from "./harness.ts";
import type { Task } from "./harness.ts";

const TIMEOUT_MS = 5_000;
const BATCH = 16;
const HEADERS = "host\nexample.com\nuser-agent\nwrk\naccept\n*/*\n";
const cacheDir = mkdtempSync(join(tmpdir(), "islet-bench-guest-"));
process.on("exit", () => rmSync(cacheDir, { recursive: true, force: true }));
const guest = await buildGuest({ entry: GUEST_ENTRY, cacheDir });

function packedOf(app: App, count: number): string {
  const { path, body } = app.call;
  const head = `${body === null ? "GET" : "POST"}\nhttp://example.com${path}\n`;
  const kind = body === null ? BODY.NONE : BODY.TEXT;
  const tail = `0123456789abcdefghijkl\n${HEADERS}${body === null ? "" : `\0${body}`}`;
  let packed = "";
  for (let id = 1; id <= count; id++) packed += pack(ENTER.REQUEST, id, `${head}${kind}\n${tail}`);
  return packed;
}

async function taskOf(app: App, count: number): Promise<Task> {
  const { code } = await bundle({ entry: app.entry, cwd: join(app.entry, "..") });
  const snapshot = makeSnapshot(snapshotScripts(guest.code, code), WARM_UP);
  const engine = await createEngine({ memoryMb: 128, snapshot, onCatastrophic: () => {} });
  const answers: string[] = [];
  await engine.boot(
    {
      cells: newCells(),
      leaveInline: (_slice, _settled, text) => {
        answers.length = 0;
        answers.push(text);
      },
      leavePool: () => {},
      encodings: new SharedArrayBuffer(0),
      seed: new Uint8Array(32),
      env: "{}",
      now: 0,
    },
    TIMEOUT_MS,
  );
  const packed = packedOf(app, count);
  let slice = 0;
  const run = (): void => engine.enterInline(++slice, 0, packed, [], TIMEOUT_MS);
  run();
  const replies = (answers.join("").match(/200\n1\n/g) ?? []).length;
  if (replies !== count) throw new Error(`${app.name}: ${replies} of ${count} answers`);
  return { name: `${app.name}, ${count === 1 ? "one" : `batch of ${count}`}`, run, units: count };
}

const tasks: Task[] = [];
for (const app of [HELLO, HONO, ECHO]) {
  for (const count of [1, BATCH]) tasks.push(await taskOf(app, count));
}
await stopEsbuild();
await runTasks("Guest, per request", tasks);
