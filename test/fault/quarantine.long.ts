// A version that brings down workers is found, and after the third time not loaded any more, until it is released.

import { expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { gone } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { echo } from "../e2e/load.ts";
import { WEDGER } from "./wedger.ts";

const TEST_MS_MAX = 60_000;

function field(data: unknown, name: string): unknown {
  return Reflect.get(Object(data), name);
}

async function strikes(node: TestNode, name: string): Promise<number> {
  const { data } = await node.api("GET", `/api/endpoints/${name}`);
  const all = field(data, "strikes");
  return Array.isArray(all) ? all.length : 0;
}

/** Asks until `count` workers were lost to it. */
async function wedge(node: TestNode, path: string, count: number): Promise<void> {
  const name = path.slice(1);
  for (let at = 1; at <= count; at++) {
    await node.answersAfterMs(path);
    const lost = await node.serving();
    await node.get(`${path}?wedge`).catch(() => null);
    await until(`strike ${at}`, async () => (await strikes(node, name)) === at);
    // Until it has gone it may take the next request, and be lost only once.
    await gone(lost);
  }
}

async function codeOf(node: TestNode, path: string): Promise<string> {
  const { status, text } = await node.get(path);
  return status === 503 ? String(field(JSON.parse(text), "code")) : `${status}`;
}

test(
  "a version that wedged three workers is quarantined across restarts, until it is resumed",
  async () => {
    using folder = temporary();
    const first = await startNode({ standby: true, data: folder.path });
    await first.publish("good", echo("v1"));
    const { version } = await first.publish("bad", WEDGER, { trust: "untrusted" });
    await wedge(first, "/bad", 3);
    // Connections that wait for the last worker that leaves are reset.
    await until("it is quarantined", async () => {
      return (await codeOf(first, "/bad").catch(String)) === "QUARANTINED";
    });
    await first.answersAfterMs("/good");
    expect(await first.get("/good?nonce=n")).toMatchObject({ status: 200, text: "v1:n" });
    await until("it is logged", () => first.output.includes("bad is quarantined"));
    await first.stop();

    await using second = await startNode({ standby: true, data: folder.path });
    expect(await codeOf(second, "/bad")).toBe("QUARANTINED");
    expect((await second.edge("list")).stdout).toMatch(/^bad +quarantined /m);
    const { stdout } = await second.edge("show", "bad");
    expect(stdout).toMatch(/quarantine +20\d\d-\d\d-\d\dT/);
    expect(stdout).toMatch(/strikes +wedged at 20.*, wedged at 20.*, wedged at 20/);
    expect((await second.edge("versions", "bad")).stdout).toContain("live, quarantined");
    expect((await second.edge("resume", "bad")).stdout).toContain(`bad serves ${version}`);
    expect(await codeOf(second, "/bad")).toBe("200");
    expect(await strikes(second, "bad")).toBe(0);
  },
  TEST_MS_MAX,
);
