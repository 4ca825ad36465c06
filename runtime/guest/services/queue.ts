// The producer's face of a queue: Workers' Queue. The consumer's is events/queue-batch.ts.

import type { Value } from "../../../sdk/services/values.ts";
import { GuestDate } from "../clock.ts";
import { encodeBody, isContentType, type ContentType } from "../events/body.ts";
import { exposeInterface } from "../interface.ts";
import type { ServiceClient } from "./client.ts";

const toArray = Array.from;
/** Only what is made here has it. */
const INTERNAL = {};

let createWith: (client: ServiceClient) => Queue;

interface SendOptions {
  readonly contentType?: unknown;
  readonly delaySeconds?: unknown;
}

function optionsOf(value: unknown): SendOptions {
  return typeof value === "object" && value !== null ? value : {};
}

function typeOf({ contentType }: SendOptions): ContentType {
  if (contentType === undefined) return "json";
  if (isContentType(contentType)) return contentType;
  throw new TypeError("contentType is json, text, bytes or v8.");
}

function delayOf({ delaySeconds }: SendOptions, usual: unknown): Value {
  const delay = delaySeconds === undefined ? usual : delaySeconds;
  return delay === undefined ? null : +(delay as number);
}

/** [content type, delay in seconds or null, body]. */
function pack(body: unknown, options: SendOptions, usualDelay: unknown): Value {
  const type = typeOf(options);
  return [type, delayOf(options, usualDelay), encodeBody(body, type)];
}

class Queue {
  readonly #client: ServiceClient;

  constructor(internal: unknown, client: ServiceClient) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
  }

  static {
    createWith = (client) => new Queue(INTERNAL, client);
  }

  /** Resolves when the message is stored. */
  async send(body: unknown, options: unknown = undefined): Promise<void> {
    const message = pack(body, optionsOf(options), undefined);
    await this.#client.call("send", [[message]]);
  }

  /** All of them or none. */
  async sendBatch(messages: Iterable<unknown>, options: unknown = undefined): Promise<void> {
    const { delaySeconds } = optionsOf(options);
    const given = toArray(messages) as readonly (SendOptions & { readonly body?: unknown })[];
    const packed: Value[] = [];
    for (let at = 0; at < given.length; at++) {
      const message = given[at];
      if (typeof message !== "object" || message === null) {
        throw new TypeError("sendBatch takes objects with a body.");
      }
      packed[at] = pack(message.body, message, delaySeconds);
    }
    await this.#client.call("send", [packed]);
  }

  async metrics(): Promise<object> {
    const answer = (await this.#client.call("metrics", [])) as readonly (number | null)[];
    const backlogCount = answer[0];
    const backlogBytes = answer[1];
    const oldest = answer[2];
    const oldestMessageTimestamp = typeof oldest === "number" ? new GuestDate(oldest) : undefined;
    return { backlogCount, backlogBytes, oldestMessageTimestamp };
  }
}

exposeInterface(Queue, "Queue");

export function createQueue(client: ServiceClient): object {
  return createWith(client);
}
