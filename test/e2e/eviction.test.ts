// A node with more endpoints than its memory for isolates holds: all of them answer, round and round.

import { expect, test } from "vitest";
import type { IsolateStats, WorkerStats } from "../../sdk/node.ts";
import { TOKEN, startNode, type TestNode } from "../node.ts";
import { until } from "../waiting.ts";

const ENDPOINTS = 5;
const ROUNDS = 5;
/** One takes about 4 MiB of the 16. */
const FIT = 4;

async function isolatesOf(node: TestNode): Promise<IsolateStats[]> {
  const { data } = await node.api("GET", "/api/stats");
  const { workers } = data as { workers: WorkerStats[] };
  return workers.flatMap(({ isolates }) => isolates);
}

test("endpoints that do not all fit answer round and round, and memory stays bounded", async () => {
  await using node = await startNode({ workers: 1, args: ["--isolate-memory", "16MiB"] });
  const names = Array.from({ length: ENDPOINTS }, (_, at) => `e${at}`);
  const source = `export default { fetch: (request, env) => new Response(env.ME) };`;
  await Promise.all(names.map((name) => node.publish(name, source, { vars: { ME: name } })));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      expect(await node.get(`/${name}`)).toMatchObject({ status: 200, text: name });
    }
    await until("those that fit are left", async () => {
      const loaded = (await isolatesOf(node)).filter(({ isolates }) => isolates > 0);
      return loaded.length <= FIT && loaded.every(({ ageMs }) => ageMs !== null);
    });
  }
  const evicted = (await isolatesOf(node)).filter(({ evictions }) => evictions > 0);
  const [{ endpoint, evictions } = { endpoint: "", evictions: 0 }] = evicted;
  expect(evictions).toBeGreaterThan(0);
  const metrics = await fetch(`http://127.0.0.1:${node.adminPort}/metrics`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  expect(await metrics.text()).toContain(
    `edge_isolate_evictions_total{endpoint="${endpoint}",reason="memory"} ${evictions}\n`,
  );
  await until("the log says so", () => /Isolates were evicted: \d+ for memory/.test(node.output));
});
