// The supervisor dies: its workers go on serving, and the next node on the folder takes them over, or replaces them
// when they are not what it wants. Every test ends the workers it left.

import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { edge, startNode, type CliResult, type Left, type TestNode } from "../node.ts";
import { gone, isRunning } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { Load, echo } from "../e2e/load.ts";

function sorted(pids: readonly number[]): number[] {
  return pids.toSorted((a, b) => a - b);
}

function portOf(node: TestNode): string[] {
  return ["--port", `${node.port}`];
}

test("workers serve on without their supervisor, and the next one takes them over without a lost request", async () => {
  using folder = temporary();
  const first = await startNode({ data: folder.path, workers: 2 });
  await first.publish("busy", echo("v1"));
  await using load = new Load(first.port, "/busy", 8);
  await load.round();
  await using left = await first.kill();
  expect(sorted(left.workers)).toEqual(sorted(first.workers));
  await load.round();
  await using second = await startNode({ data: folder.path, workers: 2, args: portOf(first) });
  expect(sorted(second.workers)).toEqual(sorted(left.workers));
  await load.round();
  await second.publish("busy", echo("v2"));
  await load.round();
  expect(load.connections.map(({ lastVersion }) => lastVersion)).toEqual(Array(8).fill("v2"));
  await load.stopClean();
  await second.stop();
  await gone(left.workers);
});

test("what a killed supervisor had committed and not announced is served after the next start, also when the orphan dies", async () => {
  using folder = temporary();
  const first = await startNode({ data: folder.path, workers: 1 });
  await first.publish("busy", echo("v1"));
  const [worker = 0] = first.workers;
  process.kill(worker, "SIGSTOP");
  const publishing = first.publish("busy", echo("v2")).catch(() => "cut");
  process.kill(worker, "SIGCONT");
  await using left = await first.kill();
  await publishing;
  // Port 0 is any port, so it is the one that is served already.
  await using second = await startNode({ standby: true, data: folder.path, workers: 1 });
  expect(second.port).toBe(first.port);
  expect(second.workers).toEqual(left.workers);
  const { data } = await second.api("GET", "/api/endpoints/busy/versions");
  const live = (Array.isArray(data) ? data : []).length;
  expect((await second.get("/busy?nonce=n")).text).toBe(`v${live}:n`);
  const standby = await second.standby();
  process.kill(worker, "SIGKILL");
  await second.answersAfterMs("/busy?nonce=n");
  expect((await second.get("/busy?nonce=n")).text).toBe(`v${live}:n`);
  expect(await second.serving()).toEqual([standby]);
});

describe("an orphan that no node takes over", () => {
  let node: TestNode;
  let left: Left;
  let before: CliResult;
  beforeAll(async () => {
    node = await startNode({ workers: 1 });
    await node.publish("busy", echo("v1"));
    before = await doctor();
    left = await node.kill();
  });
  afterAll(() => left[Symbol.asyncDispose]());
  const doctor = (): Promise<CliResult> =>
    edge(["doctor", "--data", node.data, "--port", "0", "--admin-port", "0"]);

  test("is told by edge doctor from a worker of a node", async () => {
    const ofNode = /workers +\d of this folder run under their supervisor/;
    expect(before.stdout).toMatch(ofNode);
    const { code, stdout } = await doctor();
    expect(code).toBe(0);
    expect(stdout).toContain(
      `processes ${left.workers[0]} serve on port ${node.port} without a supervisor`,
    );
    expect(stdout).toContain("WORKERS_ORPHANED: Run edge serve on the same folder");
  });

  test("serves on when a start on its folder fails", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const args = ["serve", "--data", node.data, "--host", "127.0.0.1", "--port", `${node.port}`];
    const ends = [
      await edge([...args, "--admin-port", `${port}`]),
      await edge([...args, "--admin-port", "0", "--workers", "1", "--ready-file", "/dev/null/x"]),
    ];
    taken.close();
    expect(ends.map(({ code }) => code)).toEqual([1, 1]);
    expect(ends[0]?.stderr).toContain("PORT_IN_USE");
    expect(left.workers.filter(isRunning)).toEqual(left.workers);
    expect((await node.get("/busy?nonce=n")).text).toBe("v1:n");
  });

  test("keeps its port from another folder's node", async () => {
    using folder = temporary();
    const args = ["--port", `${node.port}`, "--admin-port", "0", "--host", "127.0.0.1"];
    const end = await edge(["serve", "--data", folder.path, ...args]);
    expect(end.code).toBe(1);
    expect(end.stderr).toContain("PORT_IN_USE");
    expect(left.workers.filter(isRunning)).toEqual(left.workers);
  });

  test("ends on SIGTERM", async () => {
    const [pid = 0] = left.workers;
    process.kill(pid, "SIGTERM");
    await gone(left.workers);
  });
});

test("workers of a development node end with their supervisor", async () => {
  await using node = await startNode({ args: ["--dev"] });
  await using left = await node.kill();
  await gone(left.workers);
});
