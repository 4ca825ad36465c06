// A whole request inside an isolate with the real guest: unpack, create the Request, run the handler, take the
// Response, pack. One crossing per call; per request. The floor of it is floor/isolate-call.ts.

import { BODY, ENTER, pack } from "../../sdk/bridge.ts";
import { ECHO, HELLO, HONO } from "../load/apps.ts";
import type { App } from "../load/apps.ts";
import { runTasks } from "./harness.ts";
import type { Task } from "./harness.ts";
import { openIsolate } from "./isolate.ts";

const BATCH = 16;
const HEADERS = "host\nexample.com\nuser-agent\nwrk\naccept\n*/*\n";

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
  let answer = "";
  const enter = await openIsolate(app.entry, (packed) => {
    answer = packed;
  });
  const packed = packedOf(app, count);
  const run = (): void => enter(packed);
  run();
  const replies = (answer.match(/200\n1\n/g) ?? []).length;
  if (replies !== count) throw new Error(`${app.name}: ${replies} of ${count} answers`);
  return { name: `${app.name}, ${count === 1 ? "one" : `batch of ${count}`}`, run, units: count };
}

const tasks: Task[] = [];
for (const app of [HELLO, HONO, ECHO]) {
  for (const count of [1, BATCH]) tasks.push(await taskOf(app, count));
}
await runTasks("Guest, per request", tasks);
