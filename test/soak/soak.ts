// `npm run soak`: what takes too long for every test run. Prints what it measured and fails when a bound is broken.
//   npm run soak                                publishes, then kills
//   npm run soak -- publishes [publishes]       220 publishes under 32 connections
//   npm run soak -- kills [kills]               50 times kill -9 of the supervisor while it publishes
//   npm run soak -- workers [kills]             30 workers killed under load, one a second; 30 told to go
//   npm run soak -- hostile [minutes] [text] [trust]
//                                               every attack of test/hostile, then random mixes for 10 minutes of
//                                               those that cost no worker and 10 of all, under each trust setting;
//                                               `text` picks attacks by group and name
//   npm run soak -- queue [kills]               1000 times kill -9 of processes that push messages and take them
//   npm run soak -- kv [kills]                  1000 times kill -9 of processes that write KV
//   npm run soak -- storage [MiB]               a large object up and down through a handler
//   npm run soak -- faults                      what calls see of servers that are killed, paused, slow or cut off
//   npm run soak -- limits [seconds]            a rate limit over two workers: 500 keys from 64 connections for 30 s
//   npm run soak -- proxy [seconds]             one of three servers of an upstream killed over and over, for 30 s of load
//   npm run soak -- sockets [connections] [messages]
//                                               500 WebSockets with 10 000 messages each, sent back by a handler
//   npm run soak -- streams [MiB]               a gibibyte through a handler in every way, slow clients and broken ones
//   npm run soak -- suites PATH [text]          packages' own tests, in isolates (test/suites); `text` picks files
//   npm run soak -- tests [text]                tests in files *.long.ts; `text` picks files by path

import assert from "node:assert/strict";
import { temporary } from "../temporary.ts";
import { killOverAndOver } from "../fault/queue-kills.ts";
import { faults } from "./faults.ts";
import { killKvOverAndOver } from "../fault/kv-kills.ts";
import { hostile } from "./hostile.ts";
import { limits } from "./limits.ts";
import { longTests } from "./long-tests.ts";
import { kills, publishes } from "./publishes.ts";
import { proxy } from "./proxy.ts";
import { sockets } from "./sockets.ts";
import { storage } from "./storage.ts";
import { streams } from "./streams.ts";
import { suites } from "./suites.ts";
import { workers } from "./workers.ts";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
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

async function kv(times: number): Promise<void> {
  using folder = temporary();
  const report = await killKvOverAndOver(folder.path, times);
  print(
    `${report.kills} kills: ${report.acknowledged} puts acknowledged on ${report.keys} keys, ` +
      `${report.lost.length} lost, ${report.torn.length} torn`,
  );
  assert.deepEqual([...report.lost, ...report.torn], []);
}

/** What is typed behind the name; absent: the default. */
type Words = readonly (string | undefined)[];

const SOAKS: Readonly<Record<string, (words: Words) => Promise<void>>> = {
  publishes: ([count = "220"]) => publishes(Number(count), print),
  kills: ([count = "50"]) => kills(Number(count), print),
  workers: ([count = "30"]) => workers(Number(count), print),
  hostile: ([minutes = "10", only = "", trust]) =>
    hostile({ minutes: Number(minutes), only, trust, print }),
  queue: ([count = "1000"]) => queue(Number(count)),
  kv: ([count = "1000"]) => kv(Number(count)),
  storage: ([mib = "1024"]) => storage(Number(mib), print),
  faults: () => faults(print),
  limits: ([seconds = "30"]) => limits(Number(seconds), print),
  proxy: ([seconds = "30"]) => proxy(Number(seconds), print),
  sockets: ([connections = "500", messages = "10000"]) =>
    sockets(Number(connections), Number(messages), print),
  streams: ([mib = "1024"]) => streams(Number(mib), print),
  suites: ([path = "", only = ""]) => suites(path, only, print),
  tests: ([only = ""]) => longTests(only),
};

const [, , name, ...words] = process.argv;
for (const each of name === undefined ? ["publishes", "kills"] : [name]) {
  const soak = SOAKS[each];
  if (soak === undefined) {
    process.stderr.write(`There is no soak "${each}": ${Object.keys(SOAKS).join(", ")}\n`);
    process.exit(2);
  }
  await soak(words);
}
process.exit(0);
