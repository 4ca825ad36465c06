// What an operator asks of a queue (admin-api/routes/queues.ts). No handler reaches these calls: a producer may neither
// read nor take away what lies in a queue.
//
//   standing []         -> [messages, bytes, oldestMs | null, delayed | null, taken]
//   peek     [max]      -> [[id, timestampMs, attempts, contentType, state, body]]
//   redrive  [to, max]  -> how many
//   purge    []         -> how many there were

import { EdgeError } from "../../sdk/errors.ts";
import {
  QUEUE_BATCH_MAX,
  QUEUE_NAME_BYTES_MAX,
  QUEUE_PEEK_MAX,
  QUEUE_REDRIVE_MAX,
  type QueueBackend,
  type QueueTake,
} from "../../sdk/services/queue.ts";
import type { ServicePort } from "../../sdk/services/service.ts";
import type { ServiceActor } from "../actor.ts";
import { readInteger, readText } from "../arguments.ts";
import { createPort } from "../port.ts";

/** Whatever is out already, and time enough to move what was taken. */
const REDRIVE_TAKE: Omit<QueueTake, "max"> = {
  waitMs: 0,
  visibilityMs: 60_000,
  concurrency: 1_000,
};

export function createQueueOperatorPort({
  actor,
  queue,
  caller,
}: {
  readonly actor: ServiceActor<QueueBackend>;
  readonly queue: string;
  readonly caller: string;
}): ServicePort {
  return createPort({
    methods: {
      async standing(_args, { signal }) {
        const [depth, census] = await actor.run(
          (backend, ends) => Promise.all([backend.depth(queue, ends), backend.census(queue, ends)]),
          { caller, signal },
        );
        return [depth.messages, depth.bytes, depth.oldestMs, census.delayed, census.taken];
      },
      async peek([max], context) {
        const { signal } = context;
        const count = readInteger(max, "max", { min: 1, max: QUEUE_PEEK_MAX });
        const run = { caller, signal };
        const found = await actor.run((backend, ends) => backend.peek(queue, count, ends), run);
        return found.map(({ id, timestampMs, attempts, contentType, state, body }) => {
          context.hold(body.byteLength);
          return [id, timestampMs, attempts, contentType, state, body];
        });
      },
      async redrive([to, max], { signal }) {
        const target = readQueue(to, queue);
        const most = readInteger(max, "max", { min: 1, max: QUEUE_REDRIVE_MAX });
        let moved = 0;
        while (moved < most) {
          const take = { ...REDRIVE_TAKE, max: Math.min(QUEUE_BATCH_MAX, most - moved) };
          const count = await actor.run(
            (backend, ends) => move(backend, { queue, target, take }, ends),
            {
              caller,
              signal,
            },
          );
          if (count === 0) break;
          moved += count;
        }
        return moved;
      },
      async purge(_args, { signal }) {
        return actor.run(
          async (backend, ends) => {
            const { messages } = await backend.depth(queue, ends);
            await backend.purge(queue, ends);
            return messages;
          },
          { caller, signal },
        );
      },
    },
  });
}

/** As a consumer does that gives up on them all: with id and time, and twice rather than not at all. */
async function move(
  backend: QueueBackend,
  { queue, target, take }: { readonly queue: string; readonly target: string; take: QueueTake },
  signal: AbortSignal,
): Promise<number> {
  const batch = await backend.take(queue, take, signal);
  if (batch === null) return 0;
  const dead = batch.messages.map(({ receipt }) => receipt);
  const settlement = { lease: batch.lease, acked: [], retried: [], dead, deadLetterQueue: target };
  await backend.settle(queue, settlement, signal);
  return dead.length;
}

function readQueue(value: Parameters<typeof readText>[0], from: string): string {
  const name = readText(value, "to");
  const isName = name !== "" && Buffer.byteLength(name) <= QUEUE_NAME_BYTES_MAX;
  if (isName && name !== from) return name;
  const what = isName ? "It is the queue itself." : "It is no queue's name.";
  throw new EdgeError("SERVICE_INPUT", `to: another queue is expected. ${what}`);
}
