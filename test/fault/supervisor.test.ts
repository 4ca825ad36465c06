// The supervisor is told to end, or dies while it publishes: workers finish what they have, and a node on the same
// folder goes on where the last one stopped.

import { expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { hold, holding } from "../e2e/held.ts";
import { Load, echo } from "../e2e/load.ts";
import { listener } from "./listener.ts";

/** Of what is answered at once: less than the time that a drain has, and than what is cut short would take. */
const DRAIN_MS_MAX = 15_000;
/** Fifty of them are in the soak. */
const ROUNDS = 1;

/** Answers after `ms`, and says so only when the request was not cut short. */
const SLOW = `export default {
  async fetch(request) {
    const ms = Number(new URL(request.url).searchParams.get("ms"));
    await new Promise((resolve) => setTimeout(resolve, ms));
    return new Response("done");
  },
};`;

async function inFlight(node: TestNode): Promise<number> {
  const { data } = await node.api("GET", "/api/stats");
  return Number(Reflect.get(Object(data), "active_requests"));
}

test("SIGTERM under load: what runs is answered, what idles is closed, the node ends with 0", async () => {
  await using node = await startNode({ workers: 2 });
  await node.publish("busy", echo("v1"));
  await node.publish("slow", holding("done "));
  await using load = new Load(node.port, "/busy", 8);
  await load.round();
  const held = await hold(node, "slow", 4);
  const begun = performance.now();
  const stopped = node.stop();
  await until("it drains", () => node.output.includes("Draining"));
  for (const { release } of held) release();
  const answers = await Promise.all(held.map(({ answer }) => answer));
  expect(answers.map(({ text }) => text)).toEqual([0, 1, 2, 3].map((at) => `done body ${at}`));
  await stopped;
  expect(performance.now() - begun).toBeLessThan(DRAIN_MS_MAX);
  await load.stop();
  // Whoever asks a node that ends is refused or reset, and never gets half an answer or somebody else's.
  for (const { error } of load.failures) {
    expect(error).toMatch(/ECONNREFUSED|ECONNRESET|EPIPE|socket hang up/);
  }
});

test("a drain that takes too long is ended by force: SHUTTING_DOWN for those who wait", async () => {
  await using node = await startNode({ args: ["--drain-timeout", "300ms"] });
  await node.publish("slow", SLOW);
  const slow = node.get("/slow?ms=20000");
  await until("the request runs", async () => (await inFlight(node)) === 1);
  const begun = performance.now();
  const stopped = node.stop();
  const answer = await slow;
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.text)).toMatchObject({ code: "SHUTTING_DOWN" });
  await stopped;
  expect(performance.now() - begun).toBeLessThan(DRAIN_MS_MAX);
});

test("work in waitUntil is finished before the node ends", async () => {
  await using node = await startNode({ args: ["--allow-private-egress"] });
  await using heard = await listener();
  await node.publish(
    "later",
    `export default {
      fetch(request, env, ctx) {
        ctx.waitUntil((async () => {
          await fetch("http://127.0.0.1:${heard.port}/held");
          await fetch("http://127.0.0.1:${heard.port}/late");
        })());
        return new Response("first");
      },
    };`,
  );
  expect((await node.get("/later")).text).toBe("first");
  await until("the work has begun", () => heard.paths.length === 1);
  const stopped = node.stop();
  await until("it drains", () => node.output.includes("Draining"));
  heard.release();
  await stopped;
  expect(heard.paths).toEqual(["/held", "/late"]);
});

test("a closed terminal (SIGHUP) drains a node, a second signal ends it at once", async () => {
  const node = await startNode();
  await node.publish("slow", SLOW);
  const slow = node.get("/slow?ms=20000").catch((error: unknown) => error);
  await until("the request runs", async () => (await inFlight(node)) === 1);
  const begun = performance.now();
  node.child.kill("SIGHUP");
  await until("it drains", () => node.output.includes("Draining"));
  await node.stop();
  expect(performance.now() - begun).toBeLessThan(DRAIN_MS_MAX);
  expect(await slow).toBeInstanceOf(Error);
});

test(`kill -9 of the supervisor while it publishes: what was acknowledged is there`, async () => {
  using folder = temporary();
  const acknowledged = new Map<string, string>();
  await using left = new AsyncDisposableStack();
  for (let round = 0; round < ROUNDS; round++) {
    const node = await startNode({ data: folder.path });
    await expectAll(node, acknowledged);
    const work = publishUntilKilled(node, round, acknowledged);
    await until("two were acknowledged", () => acknowledged.size >= (round + 1) * 2);
    left.use(await node.kill());
    await work;
  }
  await using node = await startNode({ data: folder.path });
  await expectAll(node, acknowledged);
  // Nothing is compiled again: the snapshots that were made are used.
  const { data } = await node.api("GET", "/api/endpoints");
  expect(Array.isArray(data) && data.length >= acknowledged.size).toBe(true);
});

async function publishUntilKilled(
  node: TestNode,
  round: number,
  acknowledged: Map<string, string>,
): Promise<void> {
  for (let at = 0; ; at++) {
    const name = `k${round}-${at}`;
    try {
      await node.publish(name, echo(name));
    } catch {
      return;
    }
    acknowledged.set(name, name);
  }
}

async function expectAll(node: TestNode, acknowledged: Map<string, string>): Promise<void> {
  for (const [name, version] of acknowledged) {
    expect((await node.get(`/${name}?nonce=n`)).text).toBe(`${version}:n`);
  }
}
