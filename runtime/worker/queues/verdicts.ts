// What becomes of a batch: from how its event ended, and from what the handler said of its messages, which is hostile
// text (runtime/guest/events/queue-batch.ts makes it).

import { infoOf, isCode } from "../../../sdk/errors.ts";
import {
  QUEUE_DELAY_SECONDS_MAX,
  type QueueBatch,
  type QueueMessage,
  type QueueRetry,
  type QueueSettlement,
} from "../../../sdk/services/queue.ts";
import type { QueueConsumer } from "../../../sdk/services/service.ts";
import type { EventEnd } from "../events/event.ts";

/** "": again, after the consumer's own delay; null: the handler said nothing. */
type Verdict = "ack" | number | "" | null;

/** As the guest says "acknowledged". */
const ACKED = -1;
/** Before a message that never met the handler comes again. */
const UNDELIVERED_DELAY_MS = 1_000;

type Rules = Pick<QueueConsumer, "maxRetries" | "deadLetterQueue" | "retryDelaySeconds">;

/** Messages that were taken so often that whoever took them must have been lost each time. */
export function isSpent({ attempts }: QueueMessage, { maxRetries }: Rules): boolean {
  return attempts > maxRetries + 1;
}

/** `batch`: with those that are spent, which the handler was not given. */
export function settlementOf(batch: QueueBatch, end: EventEnd, rules: Rules): QueueSettlement {
  const { deadLetterQueue } = rules;
  const acked: string[] = [];
  const retried: QueueRetry[] = [];
  const dead: string[] = [];
  const verdicts = readVerdicts(end);
  const delivered = end.outcome === "ok" || isHandlersFault(end);
  let place = 0;
  for (const message of batch.messages) {
    const { receipt, attempts } = message;
    if (isSpent(message, rules)) {
      dead.push(receipt);
      continue;
    }
    const verdict = verdicts(place++);
    if (verdict === "ack") acked.push(receipt);
    else if (!delivered) retried.push({ receipt, delayMs: UNDELIVERED_DELAY_MS, delivered });
    else if (attempts > rules.maxRetries) dead.push(receipt);
    else {
      const seconds = typeof verdict === "number" ? verdict : rules.retryDelaySeconds;
      retried.push({ receipt, delayMs: Math.round(1_000 * seconds), delivered });
    }
  }
  return { lease: batch.lease, acked, retried, dead, deadLetterQueue };
}

function isHandlersFault({ outcome }: EventEnd): boolean {
  return isCode(outcome) && infoOf(outcome).fault === "handler";
}

/** Of the message at a place of what the handler was given. */
function readVerdicts({ returned, text }: EventEnd): (place: number) => Verdict {
  const said = parse(text);
  const all = said === null ? null : verdictOf(said["all"]);
  const list: unknown = said?.["messages"];
  const each: readonly unknown[] = Array.isArray(list) ? list : [];
  // Whoever returns and says nothing is done with all of them.
  const silence = all ?? (returned && said !== null ? "ack" : "");
  return (place) => verdictOf(each[place]) ?? silence;
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const said: unknown = JSON.parse(text);
    return typeof said === "object" && said !== null ? (said as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function verdictOf(value: unknown): Verdict {
  if (value === ACKED) return "ack";
  if (value === "") return "";
  const isDelay = typeof value === "number" && value >= 0 && value <= QUEUE_DELAY_SECONDS_MAX;
  return isDelay ? value : null;
}
