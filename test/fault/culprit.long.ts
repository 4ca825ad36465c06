// More of culprit.test.ts: a builtin that holds the thread, which is noticed after seconds of silence.

import { expect, test } from "vitest";
import { startNode } from "../node.ts";
import { until } from "../waiting.ts";
import { culprit, LONG, named, SPINNER, strikes } from "./suspects.ts";
import { WEDGER } from "./wedger.ts";

const TEST_MS_MAX = 60_000;

test(
  "of a worker that stands still, the version that holds its thread gets a strike",
  async () => {
    await using node = await startNode({
      standby: true,
      workers: 1,
      args: ["--drain-timeout", "1s"],
    });
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
