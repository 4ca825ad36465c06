// A node that is published to all the time: under load, and while its supervisor is killed.

import assert from "node:assert/strict";
import { startNode, type TestNode } from "../node.ts";
import { pssBytes } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { Load, echo } from "../e2e/load.ts";

const CONNECTIONS = 32;
/** Over the last so many publishes the workers' memory must not grow by more than this each. */
const MEASURED_MAX = 100;
const GROWTH_BYTES_MAX = 50 * 1024;
const SETTLED = 200;

type Print = (line: string) => void;

export async function publishes(count: number, print: Print): Promise<void> {
  const measured = Math.min(MEASURED_MAX, Math.floor(count / 2));
  await using node = await startNode({ standby: true, workers: 2 });
  await node.publish("busy", echo("v0"));
  await using load = new Load(node.port, "/busy", CONNECTIONS);
  await load.round();
  const sizeNow = (): number => node.workers.reduce((sum, pid) => sum + pssBytes(pid), 0);
  const begun = performance.now();
  let before = 0;
  for (let at = 1; at <= count; at++) {
    if (at === count - measured + 1) before = sizeNow();
    await node.publish("busy", echo(`v${at}`));
    assert.equal((await node.get("/busy?nonce=n")).text, `v${at}:n`);
    if (at % 20 === 0) print(`${at} publishes, workers ${Math.round(sizeNow() / 1e6)} MB`);
  }
  const each = (performance.now() - begun) / count;
  await load.round();
  const growth = (sizeNow() - before) / measured;
  await load.stopClean();
  print(
    `${count} publishes, ${load.answered} answers, none failed; ${Math.round(each)} ms each; ` +
      `${Math.round(growth / 1024)} KiB of all workers per publish over the last ${measured}`,
  );
  // A young process grows whatever it does.
  if (count < SETTLED) return;
  assert.ok(growth <= GROWTH_BYTES_MAX, `at most ${GROWTH_BYTES_MAX / 1024} KiB are allowed`);
}

export async function kills(count: number, print: Print): Promise<void> {
  using folder = temporary();
  await using left = new AsyncDisposableStack();
  const acknowledged: string[] = [];
  for (let round = 0; round < count; round++) {
    const node = await startNode({ standby: true, data: folder.path });
    await expectAll(node, acknowledged);
    const goal = acknowledged.length + 1 + (round % 3);
    const work = publishUntilKilled(node, round, acknowledged);
    await until("some were acknowledged", () => acknowledged.length >= goal);
    left.use(await node.kill());
    await work;
  }
  await using node = await startNode({ standby: true, data: folder.path });
  await expectAll(node, acknowledged);
  print(`${count} kills of the supervisor; all ${acknowledged.length} acknowledged answer`);
}

async function publishUntilKilled(
  node: TestNode,
  round: number,
  acknowledged: string[],
): Promise<void> {
  for (let at = 0; ; at++) {
    const name = `k${round}-${at}`;
    try {
      await node.publish(name, echo(name));
    } catch {
      return;
    }
    acknowledged.push(name);
  }
}

async function expectAll(node: TestNode, acknowledged: readonly string[]): Promise<void> {
  for (const name of acknowledged) {
    assert.equal((await node.get(`/${name}?nonce=n`)).text, `${name}:n`);
  }
}
