// Workers that die, once or in a loop: what was on them is lost, nothing else, and others take over. Nothing at all is
// lost of those that are told to go.

import { expect, test } from "vitest";
import { startNode } from "../node.ts";
import { acceptedBy, commandOf, descendants } from "../processes.ts";
import { until } from "../waiting.ts";
import { Load, echo } from "../e2e/load.ts";

const LOOP_MS = 2_000;
/** Five deaths are replaced at once; then the pauses double from 100 ms, for workers and standbys in turn. */
const LOOP_SPAWNS_MAX = 14;
/** The longest pause there is, and a start on a busy machine. */
const RECOVER_MS_MAX = 30_000;
/** After so many deaths the next replacement would come after twice the time that a drain of nothing may take. */
const STOP_SPAWNS = 12;
const STOP_MS_MAX = 3_200;

test("a worker killed under load loses only what was on it, and is replaced", async () => {
  await using node = await startNode({ standby: true, workers: 2 });
  await node.publish("busy", echo("v1"));
  await using load = new Load(node.port, "/busy", 16);
  await load.round();
  const [victim = 0, other = 0] = node.workers;
  const onVictim = acceptedBy(victim, node.port);
  const safe = acceptedBy(other, node.port);
  const doomed = load.connections.filter((one) => onVictim.has(one.localPort));
  const spared = load.connections.filter((one) => safe.has(one.localPort));
  expect(doomed.length + spared.length).toBe(load.connections.length);
  process.kill(victim, "SIGKILL");
  await until("two workers serve again", async () => {
    const pids = await node.serving();
    return pids.length === 2 && !pids.includes(victim);
  });
  await load.round();
  await load.stop();
  const failed = new Set(load.failures.map(({ connection }) => connection));
  for (const { number } of spared) expect(failed).not.toContain(number);
  // One exchange at most was under way on each connection; the next question opens a new one.
  expect(load.failures.length).toBeLessThanOrEqual(doomed.length);
});

test("a worker that is told to go under load loses nothing", async () => {
  await using node = await startNode({ standby: true, workers: 2 });
  await node.publish("busy", echo("v1"));
  await using load = new Load(node.port, "/busy", 16);
  await load.round();
  const [victim = 0] = node.workers;
  process.kill(victim, "SIGTERM");
  await until("it is gone", () => !node.workerProcesses().includes(victim));
  await load.round();
  await load.stopClean();
});

test("the only worker is replaced by the one that stands by", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
  await node.publish("busy", echo("v1"));
  const standby = await node.standby();
  const [victim = 0] = node.workers;
  process.kill(victim, "SIGKILL");
  await node.answersAfterMs("/busy");
  expect(await node.serving()).toEqual([standby]);
});

test("a node without processes that wait replaces its only worker, and publishes", async () => {
  await using node = await startNode({ standby: false, workers: 1 });
  await node.publish("busy", echo("v1"));
  const [victim = 0] = node.workers;
  expect(node.workerProcesses()).toEqual([victim]);
  process.kill(victim, "SIGKILL");
  await node.answersAfterMs("/busy");
  await node.publish("busy", echo("v2"));
  expect((await node.get("/busy?nonce=n")).text).toBe("v2:n");
  expect(node.workerProcesses()).toEqual(await node.serving());
  await until("no jail waits", () =>
    descendants(node.pid).every((pid) => !/jail\.[jt]s/.test(commandOf(pid))),
  );
});

test("workers that die in a loop are started more and more slowly, and serve again after it", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
  await node.publish("busy", echo("v1"));
  const killed = new Set<number>();
  const deadline = performance.now() + LOOP_MS;
  await until("the loop is over", () => {
    for (const pid of node.workerProcesses()) {
      if (killed.has(pid)) continue;
      killed.add(pid);
      process.kill(pid, "SIGKILL");
    }
    return performance.now() > deadline;
  });
  expect(killed.size).toBeLessThanOrEqual(LOOP_SPAWNS_MAX);
  expect(await node.answersAfterMs("/busy")).toBeLessThan(RECOVER_MS_MAX);
});

test("a node whose workers die in a loop ends at once when it is told to", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
  const killed = new Set<number>();
  const killAll = (): boolean => {
    for (const pid of node.workerProcesses()) {
      if (killed.has(pid)) continue;
      killed.add(pid);
      process.kill(pid, "SIGKILL");
    }
    return killed.size >= STOP_SPAWNS;
  };
  await until("replacements wait", killAll, 40_000);
  const begun = performance.now();
  await node.stop();
  expect(performance.now() - begun).toBeLessThan(STOP_MS_MAX);
});
