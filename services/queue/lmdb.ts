// Queues in LMDB, in one environment that all workers of the node write. A message is its body, and a place in an index
// by the time from which it may be taken: taking moves it ahead by the visibility time-out, so a lease that runs out
// needs nobody to end it. Every call is one transaction; the process may be killed between any two.
//
//   ["body", queue, id]              -> body
//   ["at", queue, visibleAtMs, id]   -> Place
//   ["lease", queue, endsAtMs, lease] -> how many messages   batches that are out
//   ["total", queue]                 -> Total

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { ServicePlaces } from "../../sdk/services/config.ts";
import {
  QUEUE_BACKLOG_BYTES_MAX,
  QUEUE_BACKLOG_MAX,
  QUEUE_BATCH_BYTES_MAX,
  QUEUE_CENSUS_MAX,
  QUEUE_PEEK_BYTES_MAX,
  type QueueBackend,
  type QueueBatch,
  type QueueContentType,
  type QueueMessage,
  type QueuePeeked,
  type QueueTake,
} from "../../sdk/services/queue.ts";
import { openEnvironment, type Environment } from "../lmdb.ts";
import type { Opening } from "../opening.ts";

interface Place {
  readonly timestampMs: number;
  readonly contentType: QueueContentType;
  /** Deliveries so far. */
  readonly attempts: number;
  readonly bytes: number;
  /** Somebody has it, or had it when his time was over. */
  readonly isTaken?: true;
}

interface Total {
  readonly messages: number;
  readonly bytes: number;
}

interface Due {
  readonly visibleAtMs: number;
  readonly id: string;
  readonly place: Place;
}

const NOTHING: Total = { messages: 0, bytes: 0 };
/** Behind every time. */
const END = Infinity;
/** Messages that one transaction of a purge takes: others write in between. */
const PURGE_STEP = 1_000;
/** Of an id: milliseconds, a count within this process, and enough that no other makes the same. */
const TIME_DIGITS = 12;
const COUNT_DIGITS = 6;
const COUNT_MAX: number = 16 ** COUNT_DIGITS;
const RANDOM_BYTES = 7;

export interface LmdbQueueOptions {
  readonly places: ServicePlaces;
  /** The wall clock. */
  readonly now?: () => number;
  readonly backlogMax?: number;
  readonly backlogBytesMax?: number;
  readonly censusMax?: number;
}

export async function openLmdbQueue(options: LmdbQueueOptions): Promise<QueueBackend> {
  const { environment, opening } = await openEnvironment(join(options.places.folder, "queue"));
  return new LmdbQueue(environment, opening, options);
}

class LmdbQueue implements QueueBackend {
  readonly #env: Environment;
  readonly #opening: Opening;
  readonly #now: () => number;
  readonly #backlogMax: number;
  readonly #backlogBytesMax: number;
  readonly #censusMax: number;
  #count = 0;

  constructor(env: Environment, opening: Opening, options: LmdbQueueOptions) {
    const { now = Date.now } = options;
    this.#env = env;
    this.#opening = opening;
    this.#now = now;
    this.#censusMax = options.censusMax ?? QUEUE_CENSUS_MAX;
    this.#backlogMax = options.backlogMax ?? QUEUE_BACKLOG_MAX;
    this.#backlogBytesMax = options.backlogBytesMax ?? QUEUE_BACKLOG_BYTES_MAX;
  }

  async push(...[queue, messages, signal]: Parameters<QueueBackend["push"]>): Promise<void> {
    const isFull = await this.#write(signal, () => {
      const now = this.#now();
      const total = this.#total(queue);
      let { bytes } = total;
      for (const { body } of messages) bytes += body.byteLength;
      const count = total.messages + messages.length;
      if (count > this.#backlogMax || bytes > this.#backlogBytesMax) return true;
      for (const { body, contentType, delayMs } of messages) {
        const place = { timestampMs: now, contentType, attempts: 0, bytes: body.byteLength };
        const id = this.#createId(now);
        void this.#env.put(["body", queue, id], Buffer.from(body));
        void this.#env.put(["at", queue, now + delayMs, id], place);
      }
      void this.#env.put(["total", queue], { messages: count, bytes });
      return false;
    });
    if (isFull) throw new EdgeError("SERVICE_OVERLOADED", `The queue ${queue} is full.`);
  }

  async take(
    ...[queue, take, signal]: Parameters<QueueBackend["take"]>
  ): Promise<QueueBatch | null> {
    // Most looks find nothing, and a look takes no lock.
    this.#env.resetReadTxn();
    if (this.#due(queue, take).length === 0) return null;
    return this.#write(signal, () => {
      const due = this.#due(queue, take);
      if (due.length === 0) return null;
      const now = this.#now();
      const visibleAtMs = now + take.visibilityMs;
      const lease = `${visibleAtMs}:${randomBytes(RANDOM_BYTES).toString("hex")}`;
      const messages: QueueMessage[] = [];
      for (const { visibleAtMs: from, id, place } of due) {
        const attempts = place.attempts + 1;
        void this.#env.remove(["at", queue, from, id]);
        void this.#env.put(["at", queue, visibleAtMs, id], { ...place, attempts, isTaken: true });
        const body = this.#env.get(["body", queue, id]) as Uint8Array;
        const { timestampMs, contentType } = place;
        const receipt = `${visibleAtMs}:${attempts}:${id}`;
        messages.push({ id, timestampMs, attempts, contentType, body, receipt });
      }
      const ended = { start: ["lease", queue, 0], end: ["lease", queue, now + 1] };
      const over = [...this.#env.getKeys(ended)];
      for (const key of over) void this.#env.remove(key);
      void this.#env.put(["lease", queue, visibleAtMs, lease], messages.length);
      return { lease, messages };
    });
  }

  async settle(...[queue, settlement, signal]: Parameters<QueueBackend["settle"]>): Promise<void> {
    const { lease, acked, retried, dead, deadLetterQueue } = settlement;
    await this.#write(signal, () => {
      const now = this.#now();
      for (const receipt of acked) this.#remove(queue, receipt);
      for (const { receipt, delayMs, delivered } of retried) {
        const held = this.#held(queue, receipt);
        if (held === null) continue;
        const { visibleAtMs, id } = held;
        const { isTaken: _, ...place } = held.place;
        const attempts = delivered ? place.attempts : place.attempts - 1;
        void this.#env.remove(["at", queue, visibleAtMs, id]);
        void this.#env.put(["at", queue, now + delayMs, id], { ...place, attempts });
      }
      for (const receipt of dead) {
        const body = this.#remove(queue, receipt);
        if (body !== null && deadLetterQueue !== null) this.#bury(deadLetterQueue, body, now);
      }
      void this.#env.remove(["lease", queue, Number(lease.split(":")[0]), lease]);
    });
  }

  async depth(...[queue]: Parameters<QueueBackend["depth"]>): ReturnType<QueueBackend["depth"]> {
    this.#env.resetReadTxn();
    const { messages, bytes } = this.#total(queue);
    // Ids begin with the time.
    const range = { start: ["body", queue], end: ["body", queue, "g"], limit: 1 };
    const [key] = [...this.#env.getKeys(range)];
    const id = key?.[2] as string | undefined;
    const oldestMs = id === undefined ? null : Number.parseInt(id.slice(0, TIME_DIGITS), 16);
    return { messages, bytes, oldestMs };
  }

  async census(...[queue]: Parameters<QueueBackend["census"]>): ReturnType<QueueBackend["census"]> {
    this.#env.resetReadTxn();
    const now = this.#now();
    const later = { start: ["at", queue, now + 1], end: ["at", queue, END] };
    let taken = 0;
    const leases = { start: ["lease", queue, now + 1], end: ["lease", queue, END] };
    // A queue's leases are some hundreds at most.
    for (const { value } of this.#env.getRange(leases)) taken += Number(value);
    // The store's count knows no limit.
    if (this.#total(queue).messages > this.#censusMax) return { delayed: null, taken };
    return { delayed: Math.max(0, this.#env.getKeysCount(later) - taken), taken };
  }

  async peek(...[queue, max]: Parameters<QueueBackend["peek"]>): ReturnType<QueueBackend["peek"]> {
    this.#env.resetReadTxn();
    const now = this.#now();
    const range = { start: ["at", queue, 0], end: ["at", queue, END], limit: max };
    const found: QueuePeeked[] = [];
    let bytes = 0;
    for (const { key, value } of this.#env.getRange(range)) {
      const { isTaken, bytes: size, ...message } = value as Place;
      bytes += size;
      if (bytes > QUEUE_PEEK_BYTES_MAX && found.length > 0) break;
      const [, , visibleAtMs, id] = key as [string, string, number, string];
      const body = this.#env.get(["body", queue, id]) as Uint8Array;
      const waits = isTaken === true ? "taken" : "delayed";
      found.push({ id, ...message, body, state: visibleAtMs > now ? waits : "ready" });
    }
    return found;
  }

  async purge(...[queue, signal]: Parameters<QueueBackend["purge"]>): Promise<void> {
    let more = true;
    while (more) {
      more = await this.#write(signal, () => {
        const range = { start: ["at", queue, 0], end: ["at", queue, END], limit: PURGE_STEP };
        const entries = [...this.#env.getRange(range)];
        let { messages, bytes } = this.#total(queue);
        for (const { key, value } of entries) {
          void this.#env.remove(key);
          void this.#env.remove(["body", queue, (key as string[])[3] ?? ""]);
          messages--;
          bytes -= (value as Place).bytes;
        }
        void this.#env.put(["total", queue], { messages, bytes });
        return entries.length === PURGE_STEP;
      });
    }
  }

  async probe(): Promise<{ readonly version: string }> {
    this.#env.get(["total", ""]);
    return { version: "embedded" };
  }

  async close(): Promise<void> {
    await this.#env.close();
    this.#opening.close();
  }

  /** What a batch would hold now; empty when none is due. */
  #due(queue: string, { max, waitMs, concurrency }: QueueTake): Due[] {
    const now = this.#now();
    const range = { start: ["at", queue, 0], end: ["at", queue, now + 1], limit: max };
    const due: Due[] = [];
    let bytes = 0;
    let isFull = false;
    for (const { key, value } of this.#env.getRange(range)) {
      const place = value as Place;
      bytes += place.bytes;
      isFull = bytes > QUEUE_BATCH_BYTES_MAX;
      if (isFull) break;
      const [, , visibleAtMs, id] = key as [string, string, number, string];
      due.push({ visibleAtMs, id, place });
    }
    const [first] = due;
    if (first === undefined) return due;
    isFull ||= due.length === max;
    if (!isFull && first.visibleAtMs > now - waitMs) return [];
    const leases = { start: ["lease", queue, now + 1], end: ["lease", queue, END] };
    return this.#env.getKeysCount({ ...leases, limit: concurrency }) < concurrency ? due : [];
  }

  /** The message, if this delivery of it still holds it. */
  #held(queue: string, receipt: string): Due | null {
    const [visibleAt, attempts, id = ""] = receipt.split(":");
    const visibleAtMs = Number(visibleAt);
    const place = this.#env.get(["at", queue, visibleAtMs, id]) as Place | undefined;
    if (place === undefined || place.attempts !== Number(attempts)) return null;
    return { visibleAtMs, id, place };
  }

  #remove(queue: string, receipt: string): (Due & { readonly body: Uint8Array }) | null {
    const held = this.#held(queue, receipt);
    if (held === null) return null;
    const { visibleAtMs, id, place } = held;
    const body = this.#env.get(["body", queue, id]) as Uint8Array;
    const { messages, bytes } = this.#total(queue);
    void this.#env.remove(["at", queue, visibleAtMs, id]);
    void this.#env.remove(["body", queue, id]);
    void this.#env.put(["total", queue], { messages: messages - 1, bytes: bytes - place.bytes });
    return { ...held, body };
  }

  /** Also into a queue that is full: the message was taken once already. */
  #bury(
    queue: string,
    { id, place, body }: Due & { readonly body: Uint8Array },
    now: number,
  ): void {
    const { messages, bytes } = this.#total(queue);
    void this.#env.put(["body", queue, id], body);
    const { isTaken: _, ...rest } = place;
    void this.#env.put(["at", queue, now, id], { ...rest, attempts: 0 });
    void this.#env.put(["total", queue], { messages: messages + 1, bytes: bytes + place.bytes });
  }

  #total(queue: string): Total {
    return (this.#env.get(["total", queue]) as Total | undefined) ?? NOTHING;
  }

  #createId(now: number): string {
    this.#count = (this.#count + 1) % COUNT_MAX;
    const time = now.toString(16).padStart(TIME_DIGITS, "0");
    const count = this.#count.toString(16).padStart(COUNT_DIGITS, "0");
    return time + count + randomBytes(RANDOM_BYTES).toString("hex");
  }

  async #write<T>(signal: AbortSignal, work: () => T): Promise<T> {
    signal.throwIfAborted();
    try {
      const done = await this.#opening.commit(() =>
        this.#env.transaction(() => (signal.aborted ? null : { result: work() })),
      );
      if (done !== null) return done.result;
      throw signal.reason;
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EdgeError("SERVICE_UNAVAILABLE", `The queue cannot be written: ${why}`, { cause });
    }
  }
}
