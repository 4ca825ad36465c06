// The calls of a queue's producer (runtime/guest/services/queue.ts makes them): checks what they say and asks the
// backend.
//
//   send     [[[contentType, delaySeconds | null, body]]]
//   metrics  []                                            -> [messages, bytes, oldestMs | null]

import { EdgeError } from "../../sdk/errors.ts";
import {
  QUEUE_BATCH_BYTES_MAX,
  QUEUE_BATCH_MAX,
  QUEUE_CONTENT_TYPES,
  QUEUE_DELAY_SECONDS_MAX,
  QUEUE_MESSAGE_BYTES_MAX,
  type QueueBackend,
  type QueueContentType,
  type QueuePush,
} from "../../sdk/services/queue.ts";
import type { ServicePort } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import type { ServiceActor } from "../actor.ts";
import { readBytes, readList, readText } from "../arguments.ts";
import { createPort } from "../port.ts";

export interface QueuePortOptions {
  readonly actor: ServiceActor<QueueBackend>;
  readonly queue: string;
  /** Where a message says none. */
  readonly delaySeconds: number;
  /** The endpoint. */
  readonly caller: string;
}

export function createQueuePort({
  actor,
  queue,
  delaySeconds,
  caller,
}: QueuePortOptions): ServicePort {
  return createPort({
    methods: {
      async send([messages], { signal }) {
        const pushed = readMessages(messages, delaySeconds);
        const run = { caller, signal };
        await actor.run((backend, ends) => backend.push(queue, pushed, ends), run);
        return undefined;
      },
      async metrics(_args, { signal }) {
        const run = { caller, signal };
        const depth = await actor.run((backend, ends) => backend.depth(queue, ends), run);
        return [depth.messages, depth.bytes, depth.oldestMs];
      },
    },
  });
}

function readMessages(value: Value, delaySeconds: number): readonly QueuePush[] {
  const list = readList(value, "messages");
  if (list.length === 0 || list.length > QUEUE_BATCH_MAX) {
    const text = `A call sends 1 to ${QUEUE_BATCH_MAX} messages; these are ${list.length}.`;
    throw new EdgeError("SERVICE_INPUT", text);
  }
  let bytes = 0;
  const messages = list.map((each) => {
    const [type, delay, body] = readList(each, "message");
    const content = readBytes(body, "a message's body");
    bytes += content.byteLength;
    limit(content.byteLength, "The message", QUEUE_MESSAGE_BYTES_MAX);
    const seconds = delay === null || delay === undefined ? delaySeconds : readDelay(delay);
    return { body: content, contentType: readType(type), delayMs: Math.round(1_000 * seconds) };
  });
  limit(bytes, "The batch", QUEUE_BATCH_BYTES_MAX);
  return messages;
}

function limit(bytes: number, what: string, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  throw new EdgeError("SERVICE_TOO_LARGE", `${what} has ${bytes} bytes; ${bytesMax} are allowed.`);
}

function readDelay(value: Value): number {
  if (typeof value === "number" && value >= 0 && value <= QUEUE_DELAY_SECONDS_MAX) return value;
  const text = `delaySeconds is a number from 0 to ${QUEUE_DELAY_SECONDS_MAX}.`;
  throw new EdgeError("SERVICE_INPUT", text);
}

function readType(value: Value): QueueContentType {
  const type = readText(value, "contentType");
  const known = QUEUE_CONTENT_TYPES.find((each) => each === type);
  if (known !== undefined) return known;
  throw new EdgeError("SERVICE_INPUT", `contentType is one of ${QUEUE_CONTENT_TYPES.join(", ")}.`);
}
