// The consumers that this worker runs: those of the versions that are live in it. Of an endpoint in a cordon they run
// there, where its isolate is.

import type { QueueConsumer } from "../../../sdk/services/service.ts";
import type { Log } from "../../observe/log.ts";
import type { Endpoints } from "../endpoints.ts";
import { takesEvents } from "../events/event.ts";
import type { Observers } from "../request-ticket.ts";
import type { NodeServices } from "../services/node-services.ts";
import { Consumer } from "./consumer.ts";

export interface ConsumersOptions {
  readonly endpoints: Pick<Endpoints, "slot" | "slots">;
  readonly services: Pick<NodeServices, "queues">;
  readonly observers: Observers;
  readonly log: Log;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  /** By what they are started with: another setting is another consumer. */
  #running = new Map<string, Consumer>();
  /** Have their last batches still. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: ConsumersOptions) {
    this.#options = options;
    this.refresh();
  }

  /** Starts and ends consumers as the slots say now. */
  refresh(): void {
    const before = this.#running;
    this.#running = new Map();
    for (const slot of this.#options.endpoints.slots()) {
      if (!takesEvents(slot)) continue;
      const { name, version } = slot;
      for (const setting of version?.manifest.consumers ?? []) {
        const key = JSON.stringify([name, setting]);
        this.#running.set(key, before.get(key) ?? this.#start(name, setting));
        before.delete(key);
      }
    }
    for (const consumer of before.values()) this.#end(consumer);
  }

  /** They take no more; resolves when what they have is settled. */
  async stop(): Promise<void> {
    for (const consumer of this.#running.values()) this.#end(consumer);
    this.#running.clear();
    await Promise.all(this.#ending);
  }

  #start(endpoint: string, setting: QueueConsumer): Consumer {
    const { endpoints, services, observers, log } = this.#options;
    return new Consumer({
      endpoint,
      setting,
      slot: () => endpoints.slot(endpoint),
      actor: services.queues(setting.service),
      observers,
      log,
    });
  }

  #end(consumer: Consumer): void {
    const ended = consumer.stop().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}
