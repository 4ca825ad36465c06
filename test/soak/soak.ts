// `npm run soak`: what takes too long for every test run. Prints what it measured and fails when a bound is broken.
//   npm run soak [publishes] [kills]            220 publishes under 32 connections, then 50 times kill -9 of the
//                                               supervisor while it publishes
//   npm run soak -- hostile [minutes] [text] [trust]
//                                               every attack of test/hostile, then random mixes for 10 minutes of
//                                               those that cost no worker and 10 of all, under each trust setting;
//                                               `text` picks attacks by group and name
//   npm run soak -- queue [kills]               1000 times kill -9 of processes that push messages and take them
//   npm run soak -- kv [kills]                  1000 times kill -9 of processes that write KV
//   npm run soak -- storage [MiB]               a large object up and down through a handler
//   npm run soak -- faults                      what calls see of servers that are killed, paused, slow or cut off
//   npm run soak -- limits [seconds]            a rate limit over two workers: 500 keys from 64 connections for 30 s
//   npm run soak -- redis                       KV and caches in a cluster, and behind sentinels that lose the primary

import assert from "node:assert/strict";
import { startNode, type TestNode } from "../node.ts";
import { pssBytes } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { Load, echo } from "../e2e/load.ts";
import { killOverAndOver } from "../fault/queue-kills.ts";
import { faults } from "./faults.ts";
import { killKvOverAndOver } from "../fault/kv-kills.ts";
import { hostile } from "./hostile.ts";
import { limits } from "./limits.ts";
import { redisGroups } from "./redis.ts";
import { storage } from "./storage.ts";

const IS_HOSTILE = process.argv[2] === "hostile";
const IS_QUEUE = process.argv[2] === "queue";
const IS_KV = process.argv[2] === "kv";
const IS_STORAGE = process.argv[2] === "storage";
const IS_FAULTS = process.argv[2] === "faults";
const IS_REDIS = process.argv[2] === "redis";
const IS_LIMITS = process.argv[2] === "limits";
const IS_OTHER =
  IS_LIMITS || IS_HOSTILE || IS_QUEUE || IS_KV || IS_STORAGE || IS_FAULTS || IS_REDIS;
const PUBLISHES = IS_OTHER ? 0 : Number(process.argv[2] ?? 220);
const KILLS = IS_OTHER ? 0 : Number(process.argv[3] ?? 50);
const QUEUE_KILLS = 1_000;
const MIX_MINUTES = 10;
const LIMIT_SECONDS = 30;
const STORAGE_MIB = 1_024;
const CONNECTIONS = 32;
/** Over the last so many publishes the workers' memory must not grow by more than this each. */
const MEASURED = Math.min(100, Math.floor(PUBLISHES / 2));
const SETTLED = 200;
const GROWTH_BYTES_MAX = 50 * 1024;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function publishes(): Promise<void> {
  await using node = await startNode({ workers: 2 });
  await node.publish("busy", echo("v0"));
  await using load = new Load(node.port, "/busy", CONNECTIONS);
  await load.round();
  const sizeNow = (): number => node.workers.reduce((sum, pid) => sum + pssBytes(pid), 0);
  const begun = performance.now();
  let before = 0;
  for (let at = 1; at <= PUBLISHES; at++) {
    if (at === PUBLISHES - MEASURED + 1) before = sizeNow();
    await node.publish("busy", echo(`v${at}`));
    assert.equal((await node.get("/busy?nonce=n")).text, `v${at}:n`);
    if (at % 20 === 0) print(`${at} publishes, workers ${Math.round(sizeNow() / 1e6)} MB`);
  }
  const each = (performance.now() - begun) / PUBLISHES;
  await load.round();
  const growth = (sizeNow() - before) / MEASURED;
  await load.stopClean();
  print(
    `${PUBLISHES} publishes, ${load.answered} answers, none failed; ${Math.round(each)} ms each; ` +
      `${Math.round(growth / 1024)} KiB of all workers per publish over the last ${MEASURED}`,
  );
  // A young process grows whatever it does.
  if (PUBLISHES < SETTLED) return;
  assert.ok(growth <= GROWTH_BYTES_MAX, `at most ${GROWTH_BYTES_MAX / 1024} KiB are allowed`);
}

async function kills(): Promise<void> {
  using folder = temporary();
  await using left = new AsyncDisposableStack();
  const acknowledged: string[] = [];
  for (let round = 0; round < KILLS; round++) {
    const node = await startNode({ data: folder.path });
    await expectAll(node, acknowledged);
    const goal = acknowledged.length + 1 + (round % 3);
    const work = publishUntilKilled(node, round, acknowledged);
    await until("some were acknowledged", () => acknowledged.length >= goal);
    left.use(await node.kill());
    await work;
  }
  await using node = await startNode({ data: folder.path });
  await expectAll(node, acknowledged);
  print(`${KILLS} kills of the supervisor; all ${acknowledged.length} acknowledged answer`);
}

async function queue(kills: number): Promise<void> {
  using folder = temporary();
  const report = await killOverAndOver(folder.path, kills);
  const { acknowledged, handled, repeated, dead, lost, left } = report;
  print(
    `${kills} kills; ${acknowledged} messages acknowledged, ${handled} handled, ${repeated} of them ` +
      `more than once, ${dead} dead, ${lost.length} lost, ${left} left`,
  );
  assert.deepEqual({ lost, left }, { lost: [], left: 0 });
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

async function kv(times: number): Promise<void> {
  using folder = temporary();
  const report = await killKvOverAndOver(folder.path, times);
  print(
    `${report.kills} kills: ${report.acknowledged} puts acknowledged on ${report.keys} keys, ` +
      `${report.lost.length} lost, ${report.torn.length} torn`,
  );
  assert.deepEqual([...report.lost, ...report.torn], []);
}

if (IS_HOSTILE) {
  const minutes = Number(process.argv[3] ?? MIX_MINUTES);
  const [, , , , only = "", trust] = process.argv;
  await hostile({ minutes, only, trust, print });
}
if (IS_QUEUE) await queue(Number(process.argv[3] ?? QUEUE_KILLS));
if (IS_KV) await kv(Number(process.argv[3] ?? QUEUE_KILLS));
if (IS_STORAGE) await storage(Number(process.argv[3] ?? STORAGE_MIB), print);
if (IS_FAULTS) await faults(print);
if (IS_LIMITS) await limits(Number(process.argv[3] ?? LIMIT_SECONDS), print);
if (IS_REDIS) await redisGroups();
if (PUBLISHES > 0) await publishes();
if (KILLS > 0) await kills();
process.exit(0);
