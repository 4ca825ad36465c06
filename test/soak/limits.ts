// A rate limit over the workers of a node, in real time: many keys from many connections that never rest. Each key has
// to be let through as often as one exact bucket would let it, whichever worker it meets.

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startNode } from "../node.ts";
import { temporary } from "../temporary.ts";

const WORKERS = 2;
const CONNECTIONS = 64;
const KEYS = 500;
const CAPACITY = 10;
const REFILL_PER_SEC = 2;
const CONFIGURATION = `
routes:
  - name: limited
    match: { path: /limited }
    target: { respond: { body: ok } }
    policies: [ rateLimit: { capacity: ${CAPACITY}, refillPerSec: ${REFILL_PER_SEC}, key: "header:x-key" } ]
`;

interface Bucket {
  passed: number;
  asked: number;
  firstMs: number;
  lastMs: number;
}

export async function limits(seconds: number, print: (line: string) => void): Promise<void> {
  using folder = temporary();
  const file = join(folder.path, "edge.yaml");
  writeFileSync(file, CONFIGURATION);
  await using node = await startNode({ standby: true, workers: WORKERS, args: ["--config", file] });
  const buckets = Array.from({ length: KEYS }, (): Bucket => ({
    passed: 0,
    asked: 0,
    firstMs: Number.POSITIVE_INFINITY,
    lastMs: 0,
  }));
  const untilMs = performance.now() + seconds * 1_000;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, index) =>
      askUntil(node.port, untilMs, { buckets, from: index }),
    ),
  );
  const offs = buckets.map(({ passed, firstMs, lastMs }) => {
    const exact = Math.floor(CAPACITY + (REFILL_PER_SEC * (lastMs - firstMs)) / 1_000);
    return passed - exact;
  });
  const asked = buckets.reduce((sum, bucket) => sum + bucket.asked, 0);
  const least = Math.min(...buckets.map((bucket) => bucket.asked));
  print(
    `${asked} requests of ${KEYS} keys (each ${least} at least) from ${CONNECTIONS} connections in ` +
      `${seconds} s: ${Math.min(...offs)} to +${Math.max(...offs)} of exact, ` +
      `${offs.filter((off) => off === 0).length} keys exactly`,
  );
  assert.ok(
    offs.every((off) => Math.abs(off) <= 1),
    "a key was let through more or less often than ± 1 of exact",
  );
}

/** One request after the other on a connection of its own, each of the next key. */
async function askUntil(
  port: number,
  untilMs: number,
  { buckets, from }: { readonly buckets: readonly Bucket[]; readonly from: number },
): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const replies = repliesOf(socket);
  for (let turn = from; performance.now() < untilMs; turn += CONNECTIONS + 1) {
    const key = turn % KEYS;
    const bucket = buckets[key];
    assert.ok(bucket !== undefined);
    socket.write(`GET /limited HTTP/1.1\r\nHost: a\r\nx-key: k${key}\r\n\r\n`);
    bucket.firstMs = Math.min(bucket.firstMs, performance.now());
    const { value: status } = await replies.next();
    assert.ok(status === 200 || status === 429, `status ${status}`);
    bucket.asked++;
    if (status === 200) bucket.passed++;
    bucket.lastMs = Math.max(bucket.lastMs, performance.now());
  }
  socket.destroy();
}

/** The status of each reply that is complete. */
async function* repliesOf(socket: Socket): AsyncGenerator<number> {
  let text = "";
  for await (const chunk of socket) {
    text += String(chunk);
    for (;;) {
      const end = text.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + length) break;
      const status = Number(text.slice(9, 12));
      text = text.slice(end + 4 + length);
      yield status;
    }
  }
}
