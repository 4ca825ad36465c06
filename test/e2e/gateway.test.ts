import { expect, test } from "vitest";
import { listener } from "../fault/listener.ts";
import { startNode } from "../node.ts";
import { gatewaySuite } from "./gateway.suite.ts";

gatewaySuite("uws");

test("private addresses are refused to handlers when the operator did not allow them", async () => {
  await using heard = await listener();
  await using node = await startNode();
  await node.publish(
    "reach",
    `export default {
      fetch: () => fetch("http://127.0.0.1:${heard.port}/").then(() => new Response("reached")),
    };`,
  );
  expect((await node.get("/reach")).status).toBe(500);
  expect(heard.paths).toEqual([]);
});
