// The batch that a handler's `queue` method gets, named and behaving as Workers' MessageBatch. Text from the host:
//
//   { queue, metrics: { backlogCount, backlogBytes, oldestMs },
//     messages: [[id, timestampMs, attempts, contentType, body]] }
//
// Outcome: { all: verdict, messages: [verdict] } with a verdict for each message in order: null (none was given),
// -1 (acknowledged), or the seconds until it is tried again, "" when the author named none.

import { GuestDate } from "../clock.ts";
import { exposeInterface } from "../interface.ts";
import type { IncomingEvent } from "../port.ts";
import { decodeBody, type ContentType } from "./body.ts";

type Verdict = number | "" | null;

interface HostBatch {
  readonly queue: string;
  readonly metrics: {
    readonly backlogCount: number;
    readonly backlogBytes: number;
    readonly oldestMs: number | null;
  };
  readonly messages: readonly (readonly [string, number, number, ContentType, string])[];
}

const ACKED = -1;
/** As the host: sdk/services/queue.ts. */
const DELAY_SECONDS_MAX = 43_200;
const parse = JSON.parse;
const freeze = Object.freeze;
/** Only what is made here has it. */
const INTERNAL = {};

let verdictOf: (message: Message) => Verdict;
let verdictOnAll: (batch: MessageBatch) => Verdict;

function delayOf(options: unknown): number | "" {
  const delay = (options as { delaySeconds?: unknown } | null | undefined)?.delaySeconds;
  if (delay === undefined) return "";
  const seconds = +(delay as number);
  if (seconds >= 0 && seconds <= DELAY_SECONDS_MAX) return seconds;
  throw new TypeError(`delaySeconds is a number from 0 to ${DELAY_SECONDS_MAX}.`);
}

class Message {
  readonly #id: string;
  readonly #timestamp: Date;
  readonly #attempts: number;
  readonly #type: ContentType;
  #raw: string | null;
  #body: unknown;
  #verdict: Verdict;

  constructor(internal: unknown, fields: HostBatch["messages"][number]) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#id = fields[0];
    this.#timestamp = new GuestDate(fields[1]);
    this.#attempts = fields[2];
    this.#type = fields[3];
    this.#raw = fields[4];
    this.#verdict = null;
  }

  static {
    verdictOf = (message) => message.#verdict;
  }

  get id(): string {
    return this.#id;
  }

  get timestamp(): Date {
    return this.#timestamp;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** Read when it is first looked at: one body that is no JSON must not fail the batch. */
  get body(): unknown {
    if (this.#raw !== null) {
      this.#body = decodeBody(this.#raw, this.#type);
      this.#raw = null;
    }
    return this.#body;
  }

  /** The first verdict counts. */
  ack(): void {
    this.#verdict ??= ACKED;
  }

  retry(options: unknown = undefined): void {
    const delay = delayOf(options);
    this.#verdict ??= delay;
  }
}

class MessageBatch {
  readonly #queue: string;
  readonly #messages: readonly Message[];
  readonly #metadata: object;
  #verdict: Verdict;

  constructor(internal: unknown, host: HostBatch, messages: readonly Message[]) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    const { backlogCount, backlogBytes, oldestMs } = host.metrics;
    const oldestMessageTimestamp = oldestMs === null ? undefined : new GuestDate(oldestMs);
    this.#queue = host.queue;
    this.#messages = messages;
    this.#metadata = { metrics: { backlogCount, backlogBytes, oldestMessageTimestamp } };
    this.#verdict = null;
  }

  static {
    verdictOnAll = (batch) => batch.#verdict;
  }

  get queue(): string {
    return this.#queue;
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  get metadata(): object {
    return this.#metadata;
  }

  /** Of all that have no verdict of their own. */
  ackAll(): void {
    this.#verdict ??= ACKED;
  }

  retryAll(options: unknown = undefined): void {
    const delay = delayOf(options);
    this.#verdict ??= delay;
  }
}

exposeInterface(Message, "Message");
exposeInterface(MessageBatch, "MessageBatch");

export function createQueueEvent(text: string): IncomingEvent {
  const host = parse(text) as HostBatch;
  const messages: Message[] = [];
  for (let at = 0; at < host.messages.length; at++) {
    const fields = host.messages[at];
    if (fields !== undefined) messages[at] = new Message(INTERNAL, fields);
  }
  const batch = new MessageBatch(INTERNAL, host, freeze(messages));
  return {
    argument: batch,
    outcome() {
      let list = "";
      for (let at = 0; at < messages.length; at++) {
        list += (at === 0 ? "" : ",") + textOf(verdictOf(messages[at] as Message));
      }
      return `{"all":${textOf(verdictOnAll(batch))},"messages":[${list}]}`;
    },
  };
}

function textOf(verdict: Verdict): string {
  if (verdict === null) return "null";
  return verdict === "" ? '""' : `${verdict}`;
}
