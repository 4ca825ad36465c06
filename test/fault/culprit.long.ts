// More of culprit.test.ts: a builtin that holds the thread, which is noticed after seconds of silence.

import { expect, test } from "vitest";
import { readWitness, witnessPath } from "../../runtime/link/witness.ts";
import { startNode, type TestNode } from "../node.ts";
import { until } from "../waiting.ts";
import { WEDGER } from "./wedger.ts";

const TEST_MS_MAX = 60_000;

const SPINNER = `export default { fetch() { for (;;); } };`;
const LONG = { limits: { cpuMs: 30_000, wallMs: 60_000 } };

function field(data: unknown, name: string): unknown {
  return Reflect.get(Object(data), name);
}

/** As in "bad: crash". */
async function strikes(node: TestNode, ...names: string[]): Promise<string[]> {
  const all: string[] = [];
  for (const name of names) {
    const { data } = await node.api("GET", `/api/endpoints/${name}`);
    const list = field(data, "strikes");
    if (!Array.isArray(list)) continue;
    for (const one of list) all.push(`${name}: ${String(field(one, "reason"))}`);
  }
  return all;
}

/** Of the newest restart. */
async function culprit(node: TestNode): Promise<unknown> {
  const { data } = await node.api("GET", "/api/stats");
  const recent = field(field(data, "worker_restarts"), "recent");
  return Array.isArray(recent) ? recent[0] : null;
}

/** Whose code the witness of worker `number` names now. */
function named(node: TestNode, number: number): string {
  const { main = [], pool = [] } = readWitness(witnessPath(node.data, number)) ?? {};
  return [...main, ...pool].map(({ endpoint }) => endpoint).join(" ");
}

test(
  "of a worker that stands still, the version that holds its thread gets a strike",
  async () => {
    await using node = await startNode({ workers: 1, args: ["--drain-timeout", "1s"] });
    await node.publish("good", SPINNER, LONG);
    await node.publish("bad", WEDGER, { trust: "own" });
    await node.standby();
    for (let at = 0; at < 100; at++) await node.get("/bad");
    await until("nobody runs", () => named(node, 1) === "");
    const pool = node.get("/good").catch(() => null);
    await until("the pool is at work", () => named(node, 1) === "good");
    const stuck = node.get("/bad?wedge").catch(() => null);
    await until("bad has a strike", async () => (await strikes(node, "bad")).length > 0);
    // On a busy machine it may not have earned the accepting thread; then one of the pool is lost.
    const reason = String(Reflect.get(Object(await culprit(node)), "reason"));
    expect(["stalled", "wedged"]).toContain(reason);
    expect(await strikes(node, "good", "bad")).toEqual([`bad: ${reason}`]);
    expect(await culprit(node)).toMatchObject({ culprit: { endpoint: "bad" } });
    await Promise.all([pool, stuck]);
  },
  TEST_MS_MAX,
);
