// One consumer in one worker: takes batches of a queue, gives each to the handler as an event, and tells the queue what
// became of it. All workers of the node do so; the queue sees to it that no two have the same message, and that no
// more batches are out than the consumer wants. Whatever is lost here, by a crash or because the queue does not answer,
// comes again when its visibility time-out is over.

import { setTimeout as delay } from "node:timers/promises";
import { errorData } from "../../../sdk/errors.ts";
import {
  QUEUE_BATCH_MAX,
  type QueueBackend,
  type QueueBatch,
  type QueueMessage,
} from "../../../sdk/services/queue.ts";
import type { QueueConsumer } from "../../../sdk/services/service.ts";
import type { ServiceActor } from "../../../services/actor.ts";
import type { Log } from "../../observe/log.ts";
import type { Slot } from "../endpoints.ts";
import { sendEvent, takesEvents, type EventEnd } from "../events/event.ts";
import type { Observers } from "../request-ticket.ts";
import { isSpent, settlementOf } from "./verdicts.ts";

export interface ConsumerOptions {
  readonly endpoint: string;
  readonly setting: QueueConsumer;
  readonly slot: () => Slot | undefined;
  readonly actor: ServiceActor<QueueBackend>;
  readonly observers: Observers;
  readonly log: Log;
}

/** Between two looks into a queue: short behind a batch, where more may follow, and longer while there is nothing. */
const LOOK_MS_MIN = 5;
const LOOK_MS_MAX = 200;
/** While the queue does not answer. */
const FAILED_MS = 1_000;
/** Beyond what the handler may take: what settling may. */
const SETTLE_MS = 5_000;
const FOREVER: AbortSignal = new AbortController().signal;

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #ended = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #pauseMs = LOOK_MS_MIN;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    void this.#run();
  }

  get running(): number {
    return this.#running.size;
  }

  /** Takes no more. Resolves when what it has is settled. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#running);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const taken = await this.#look();
      if (taken) this.#pauseMs = LOOK_MS_MIN;
      if (this.#running.size >= this.#options.setting.maxConcurrency) {
        await Promise.race(this.#running);
      } else if (!taken) {
        await delay(this.#pauseMs, undefined, { signal }).catch(() => {});
        this.#pauseMs = Math.min(2 * this.#pauseMs, LOOK_MS_MAX);
      }
    }
  }

  /** Whether there was a batch. */
  async #look(): Promise<boolean> {
    const slot = this.#options.slot();
    if (slot === undefined || !takesEvents(slot)) return false;
    try {
      const batch = await this.#take(slot);
      if (batch === null) return false;
      const work = this.#handle(batch).finally(() => this.#running.delete(work));
      this.#running.add(work);
      return true;
    } catch {
      // Its actor has logged it, once.
      this.#pauseMs = FAILED_MS;
      return false;
    }
  }

  #take(slot: Slot): Promise<QueueBatch | null> {
    const { setting, observers } = this.#options;
    const handlerMs = slot.version === null ? 0 : observers.limits(slot.version).wallMs;
    const take = {
      max: Math.min(setting.maxBatchSize, QUEUE_BATCH_MAX),
      waitMs: setting.maxBatchTimeoutMs,
      // A handler that is still allowed to run must not see its messages with somebody else.
      visibilityMs: Math.max(setting.visibilityTimeoutMs, handlerMs + SETTLE_MS),
      concurrency: setting.maxConcurrency,
    };
    return this.#ask((queues, signal) => queues.take(setting.queue, take, signal));
  }

  async #handle(batch: QueueBatch): Promise<void> {
    const { endpoint, setting, log } = this.#options;
    const { queue } = setting;
    try {
      const settlement = settlementOf(batch, await this.#send(batch), setting);
      await this.#ask((queues, signal) => queues.settle(queue, settlement, signal));
      const { length } = settlement.dead;
      if (length === 0) return;
      const where = setting.deadLetterQueue;
      const became = where === null ? "was dropped" : `went to ${where}`;
      const text = `A message ${became} after ${setting.maxRetries} retries (${length} of a batch).`;
      log.write("warn", text, { endpoint, queue });
    } catch (error) {
      const text = `A batch could not be settled, and comes again: ${errorData(error).message}`;
      log.write("error", text, { endpoint, queue });
    }
  }

  async #send(batch: QueueBatch): Promise<EventEnd> {
    const { setting, slot, observers } = this.#options;
    const { queue } = setting;
    const messages = batch.messages.filter((message) => !isSpent(message, setting));
    const current = slot();
    const gone: EventEnd = { outcome: "SHUTTING_DOWN", returned: false, text: "" };
    if (messages.length === 0 || current === undefined || !takesEvents(current)) return gone;
    const depth = await this.#ask((queues, signal) => queues.depth(queue, signal));
    const metrics = {
      backlogCount: depth.messages,
      backlogBytes: depth.bytes,
      oldestMs: depth.oldestMs,
    };
    const text = JSON.stringify({ queue, metrics, messages: messages.map(packed) });
    return sendEvent(current, { name: "queue", text }, { path: `/${queue}`, observers });
  }

  #ask<T>(work: (queues: QueueBackend, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { actor, endpoint } = this.#options;
    return actor.run(work, { caller: endpoint, signal: FOREVER });
  }
}

function packed({
  id,
  timestampMs,
  attempts,
  contentType,
  body,
}: QueueMessage): readonly unknown[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const isText = contentType === "json" || contentType === "text";
  const text = bytes.toString(isText ? "utf8" : "base64url");
  return [id, timestampMs, attempts, contentType, text];
}
