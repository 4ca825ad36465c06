// Publishing while requests run: nothing is lost, mixed up or answered by code that was replaced before.

import { expect, test } from "vitest";
import { startNode } from "../node.ts";
import { until } from "../waiting.ts";
import { hold, holding } from "./held.ts";
import { Connection, Load, echo } from "./load.ts";

/** Two hundred of them are in the soak. */
const PUBLISHES = 4;
const CONNECTIONS = 32;
/** Enough new connections that the kernel gives each of two workers some. */
const FRESH = 8;

test(`${PUBLISHES} publishes under ${CONNECTIONS} connections: no request fails or meets old code`, async () => {
  await using node = await startNode({ workers: 2 });
  await node.publish("busy", echo("v0"));
  const idle = Array.from({ length: 4 }, (_, at) => new Connection(1_000 + at, node.port, "/busy"));
  for (const connection of idle) expect(await connection.ask()).toBe("v0");
  await using load = new Load(node.port, "/busy", CONNECTIONS);
  await load.round();
  for (let at = 1; at <= PUBLISHES; at++) {
    const version = `v${at}`;
    expect(await node.publish("busy", echo(version))).toMatchObject({ generation: at + 1 });
    const fresh = Array.from({ length: FRESH }, () => new Connection(at, node.port, "/busy"));
    const answers = await Promise.all([...idle, ...fresh].map((connection) => connection.ask()));
    for (const connection of fresh) connection.close();
    expect(new Set(answers)).toEqual(new Set([version]));
  }
  await load.round();
  expect(new Set(load.connections.map((one) => one.lastVersion))).toEqual(
    new Set([`v${PUBLISHES}`]),
  );
  await load.stopClean();
  for (const connection of idle) connection.close();
});

test("a request that runs when its endpoint is published is finished by the code it began with", async () => {
  await using node = await startNode();
  await node.publish("slow", holding("old "));
  const running = await hold(node, "slow", 4);
  await node.publish("slow", holding("new "));
  expect((await node.get("/slow")).text).toBe("new ");
  for (const { release } of running) release();
  const texts = (await Promise.all(running.map(({ answer }) => answer))).map(({ text }) => text);
  expect(texts).toEqual(["old body 0", "old body 1", "old body 2", "old body 3"]);
  await until("only the new code is left", async () => {
    const { data } = await node.api("GET", "/api/stats");
    const { workers } = data as { workers: { isolates: { state: string }[] }[] };
    const states = workers.flatMap(({ isolates }) => isolates.map(({ state }) => state));
    return states.join() === "loaded";
  });
});
