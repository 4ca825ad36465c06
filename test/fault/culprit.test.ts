// Who is to blame for a worker that could not say it any more. Crashes are real ones, only their cause is not: a
// signal from outside does what an error of V8 would do.

import { expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { isRunning } from "../processes.ts";
import { until } from "../waiting.ts";
import { echo } from "../e2e/load.ts";
import { culprit, field, LONG, named, SPINNER, strikes } from "./suspects.ts";

const TEST_MS_MAX = 120_000;

async function crash(node: TestNode, number: number, running: readonly string[]): Promise<void> {
  const asked = running.map((name) => node.get(`/${name}`).catch(() => null));
  await until("they run", () => named(node, number) === running.join(" "));
  const [pid = 0] = await node.serving();
  process.kill(pid, "SIGSEGV");
  await until("it is gone", () => !isRunning(pid));
  await Promise.all(asked);
  await until("another serves", async () => {
    const serving = await node.serving().catch((): number[] => []);
    return serving.length === 1 && !serving.includes(pid);
  });
}

test(
  "of a worker that crashed, the version that ran gets a strike, with the third it is quarantined; of an idle one nobody",
  async () => {
    await using node = await startNode({ standby: true, workers: 1 });
    await node.publish("good", echo("v1"));
    const { version } = await node.publish("bad", SPINNER, LONG);
    await node.standby();
    await node.get("/good?nonce=n");
    await crash(node, 1, []);
    expect(await culprit(node)).toMatchObject({ reason: "crash", culprit: null });
    await crash(node, 2, ["bad"]);
    const bad = { endpoint: "bad", version };
    expect(await culprit(node)).toMatchObject({ reason: "crash", culprit: bad });
    await until("bad has a strike", async () => (await strikes(node, "bad")).length > 0);
    expect(await strikes(node, "good", "bad")).toEqual(["bad: crash"]);
    expect((await node.edge("show", "bad")).stdout).toMatch(/strikes +crash at 20/);
    await crash(node, 3, ["bad"]);
    await crash(node, 4, ["bad"]);
    await until("bad has three strikes", async () => (await strikes(node, "bad")).length === 3);
    await until("bad is quarantined", async () => {
      // Before its worker knows, it would run for as long as it may.
      const signal = AbortSignal.timeout(2_000);
      const none = { status: 0, text: "" };
      const { status, text } = await node.get("/bad", { signal }).catch(() => none);
      return status === 503 && field(JSON.parse(text), "code") === "QUARANTINED";
    });
    expect((await node.get("/good?nonce=n")).text).toBe("v1:n");
  },
  TEST_MS_MAX,
);
