// The processes that queue-kills.ts kills. `push`: pushes messages for ever, and says which were acknowledged. `work`:
// takes batches, says which messages it handled, and then acknowledges them; every now and then it fails one.

import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { argv } from "node:process";
import { openLmdbQueue } from "../../services/queue/lmdb.ts";
import { DEAD, MAX_RETRIES, POISON, QUEUE, VISIBILITY_MS } from "./queue-kills.ts";

// Whoever is killed keeps nothing at its end of what it has compiled.
flushCompileCache();

const [, , role = "", folder = "", prefix = ""] = argv;
const queues = await openLmdbQueue({ places: { folder } });
const forever = new AbortController().signal;

/** Synchronously: what the reader of the pipe has seen was done before. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      // The reader has not kept up.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}

async function push(): Promise<never> {
  for (let at = 0; ; at++) {
    const kind = at % 20 === 0 ? POISON : "good";
    const text = `${kind}-${prefix}-${at}`;
    const body = Buffer.from(text);
    await queues.push(QUEUE, [{ body, contentType: "text", delayMs: 0 }], forever);
    say(text);
  }
}

async function work(): Promise<never> {
  const take = { max: 5, waitMs: 0, visibilityMs: VISIBILITY_MS, concurrency: 100 };
  for (;;) {
    const batch = await queues.take(QUEUE, take, forever);
    if (batch === null) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      continue;
    }
    const acked: string[] = [];
    const retried: { receipt: string; delayMs: number; delivered: boolean }[] = [];
    const dead: string[] = [];
    for (const { body, receipt, attempts } of batch.messages) {
      const text = Buffer.from(body).toString();
      if (!text.startsWith(POISON)) {
        say(text);
        acked.push(receipt);
      } else if (attempts > MAX_RETRIES) dead.push(receipt);
      else retried.push({ receipt, delayMs: 0, delivered: true });
    }
    const { lease } = batch;
    const settlement = { lease, acked, retried, dead, deadLetterQueue: DEAD };
    await queues.settle(QUEUE, settlement, forever);
  }
}

say("running");
await (role === "push" ? push() : work());
