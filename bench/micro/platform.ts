// What the web platform of isolates costs beside Node's own: the same code in both, by turns, in one process. Timed
// from outside, since time stands still within an isolate; what asks the host (fetch, crypto.subtle, compression,
// timers) is not here.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BODY, ENTER, pack } from "../../sdk/bridge.ts";
import { spread } from "../statistics.ts";
import { grouped, printTable, rounded } from "../table.ts";
import { openIsolate } from "./isolate.ts";
import { SERIAL_FILE } from "./list.ts";
import { APIS, type Timed } from "./platform/apis.ts";

/** One run: long beside the crossing. */
const RUN_MS = 3;
const ROUNDS = 60;
const NS_PER_MS = 1e6;

type Run = (times: number) => Promise<number>;

async function inIsolate(): Promise<(api: string) => Run> {
  let answer = "";
  const handler = join(import.meta.dirname, "platform/handler.ts");
  const enter = await openIsolate(handler, (packed) => {
    answer += packed;
  });
  let request = 0;
  return (api) => (times) => {
    const url = `http://a/?api=${encodeURIComponent(api)}&times=${times}`;
    const packed = pack(ENTER.REQUEST, ++request, `GET\n${url}\n${BODY.NONE}\nid\n`);
    answer = "";
    const started = performance.now();
    enter(packed);
    const tookMs = performance.now() - started;
    if (!answer.includes("\n200\n") && !/\n200\n1\n/.test(answer)) {
      throw new Error(`${api} did not answer: ${answer.slice(0, 200)}`);
    }
    return Promise.resolve(tookMs);
  };
}

function inNode(timed: Timed): Run {
  return async (times) => {
    const started = performance.now();
    await timed(times);
    return performance.now() - started;
  };
}

/** How many times fill a run, once the code is warm. The quickest of some tells: others may have been held up. */
async function calibrate(run: Run): Promise<number> {
  for (let times = 16; ;) {
    const tries = [await run(times), await run(times), await run(times), await run(times)];
    const tookMs = Math.min(...tries);
    if (tookMs >= RUN_MS / 2) return Math.max(1, Math.round((times * RUN_MS) / tookMs));
    times = Math.ceil(times * Math.min(8, Math.max(2, RUN_MS / Math.max(tookMs, 0.1))));
  }
}

const isolate = await inIsolate();
const rows = [];
for (const [name, timed] of Object.entries(APIS)) {
  const sides = [isolate(name), inNode(timed)];
  const nanoseconds: number[] = [];
  const counts = [];
  for (const run of sides) counts.push(await calibrate(run));
  const samples: number[][] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [side, run] of sides.entries()) {
      const times = counts[side] ?? 1;
      samples[side]?.push(((await run(times)) * NS_PER_MS) / times);
    }
  }
  for (const each of samples) nanoseconds.push(spread(each).min);
  const [ours = Number.NaN, node = Number.NaN] = nanoseconds;
  rows.push({ name, ours, node });
}
printTable(
  "Web platform, ns per call",
  ["", "isolate", "Node", "× Node"],
  rows.map(({ name, ours, node }) => [name, grouped(ours), grouped(node), rounded(ours / node, 1)]),
);
const file = process.env[SERIAL_FILE];
if (file !== undefined) {
  const tasks = rows.flatMap(({ name, ours, node }) => [
    { name: `${name}, isolate`, medianNs: ours },
    { name: `${name}, Node`, medianNs: node },
  ]);
  writeFileSync(file, JSON.stringify(tasks));
}
