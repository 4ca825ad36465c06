// Queues: the contract that every backend of them fulfils (test/contracts/queue.ts runs on each), and what handlers
// may ask of it. Messages are delivered at least once: whoever takes one has a lease on it, and when that runs out
// before the message was settled, somebody else is given it. The names that handlers see are those of Workers' Queue.

import type { Backend } from "./service.ts";

/** Of one message; what Workers code is written for, as all of these. */
export const QUEUE_MESSAGE_BYTES_MAX: number = 128 * 1_024;
/** Messages of one sendBatch, and of one batch of a consumer. */
export const QUEUE_BATCH_MAX = 100;
/** Of one sendBatch, and of one batch of a consumer. */
export const QUEUE_BATCH_BYTES_MAX: number = 256 * 1_024;
/** Twelve hours. */
export const QUEUE_DELAY_SECONDS_MAX = 43_200;
export const QUEUE_RETRIES_MAX = 100;
/** A queue is a buffer: beyond this its consumers are not coming back, and a disk is finite. */
export const QUEUE_BACKLOG_MAX = 1_000_000;
export const QUEUE_BACKLOG_BYTES_MAX: number = 1_024 * 1_024 * 1_024;
/** Of one look at messages; their bodies go through an operator's call together. */
export const QUEUE_PEEK_MAX = 100;
export const QUEUE_PEEK_BYTES_MAX: number = 2 * 1_024 * 1_024;
/** Messages that one call of an operator moves: it has to end in an operator's time. */
export const QUEUE_REDRIVE_MAX = 10_000;
/** Of a queue whose delayed messages are counted one by one: some 20 ms of the thread that serves. */
export const QUEUE_CENSUS_MAX = 100_000;
/** In UTF-8: with what a backend adds it still is a key. */
export const QUEUE_NAME_BYTES_MAX = 256;

/** json and text are UTF-8; v8 is what runtime/guest/events/body.ts packs. */
export const QUEUE_CONTENT_TYPES = ["json", "text", "bytes", "v8"] as const;
export type QueueContentType = (typeof QUEUE_CONTENT_TYPES)[number];

export interface QueuePush {
  readonly body: Uint8Array;
  readonly contentType: QueueContentType;
  readonly delayMs: number;
}

export interface QueueMessage {
  readonly id: string;
  /** When it was pushed, by the wall clock. */
  readonly timestampMs: number;
  /** Deliveries, this one included: 1 at first. */
  readonly attempts: number;
  readonly contentType: QueueContentType;
  readonly body: Uint8Array;
  /** What settles this delivery, and no later one. */
  readonly receipt: string;
}

export interface QueueTake {
  readonly max: number;
  /** How long the first message may wait for the batch to fill; 0: take what is there. */
  readonly waitMs: number;
  /** When this is over and it was not settled, a message can be taken again. */
  readonly visibilityMs: number;
  /** Batches of this queue that may be out at once, on all workers together. */
  readonly concurrency: number;
}

export interface QueueBatch {
  readonly lease: string;
  readonly messages: readonly QueueMessage[];
}

export interface QueueRetry {
  readonly receipt: string;
  readonly delayMs: number;
  /** False: nobody has looked at it, so this delivery does not count. */
  readonly delivered: boolean;
}

/** What becomes of the messages of a batch; those not named stay leased until their time is over. */
export interface QueueSettlement {
  readonly lease: string;
  /** Done with. */
  readonly acked: readonly string[];
  readonly retried: readonly QueueRetry[];
  /** Moved to `deadLetterQueue`, with id and time as they were; null: dropped. */
  readonly dead: readonly string[];
  readonly deadLetterQueue: string | null;
}

export interface QueueDepth {
  /** Messages that are not acknowledged: ready, delayed and taken. */
  readonly messages: number;
  readonly bytes: number;
  /** When the oldest of them was pushed; null when there is none. */
  readonly oldestMs: number | null;
}

/** Of a queue's messages those that nobody can take now. */
export interface QueueCensus {
  /** null: the queue has more than QUEUE_CENSUS_MAX messages, and its backend would have to count them. */
  readonly delayed: number | null;
  /** In a batch whose time is not over. */
  readonly taken: number;
}

export type QueueMessageState = "ready" | "delayed" | "taken";

/** A message that is looked at and stays where it is. */
export interface QueuePeeked extends Omit<QueueMessage, "receipt"> {
  readonly state: QueueMessageState;
}

/** Every call names its queue, which needs no making. Names and sizes are checked before (services/queue/port.ts). */
export interface QueueBackend extends Backend {
  /** All or none. When it resolves, a killed process loses nothing. SERVICE_OVERLOADED when the queue is full. */
  push(queue: string, messages: readonly QueuePush[], signal: AbortSignal): Promise<void>;
  /** About in the order of pushing, at most QUEUE_BATCH_BYTES_MAX; null when no batch is due. */
  take(queue: string, take: QueueTake, signal: AbortSignal): Promise<QueueBatch | null>;
  /** Receipts whose lease is over are passed over. Idempotent. */
  settle(queue: string, settlement: QueueSettlement, signal: AbortSignal): Promise<void>;
  depth(queue: string, signal: AbortSignal): Promise<QueueDepth>;
  census(queue: string, signal: AbortSignal): Promise<QueueCensus>;
  /** The first `max`, about in the order of taking; fewer where their bodies would be too much, but one. */
  peek(queue: string, max: number, signal: AbortSignal): Promise<readonly QueuePeeked[]>;
  /** Drops every message, also those that are taken. */
  purge(queue: string, signal: AbortSignal): Promise<void>;
}
