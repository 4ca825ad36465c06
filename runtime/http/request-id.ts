// Ids of requests: a random prefix per process and a counter, 22 characters of a–z and 0–9.
//
// Nothing from outside is taken over unless a route asks for it (policy requestId), so that an id in a log names
// one request of this node. The prefix (72 bits) keeps the ids of two processes apart and those of others from being
// guessed.

import { randomBytes } from "node:crypto";

/** Ids per block: the last two digits come from a table, the rest changes once in so many. */
const BLOCK = 36 * 36;
const COUNTER_DIGITS = 8;

const LAST_DIGITS: readonly string[] = Array.from({ length: BLOCK }, (_, i) =>
  i.toString(36).padStart(2, "0"),
);

const PREFIX = BigInt(`0x${randomBytes(9).toString("hex")}`)
  .toString(36)
  .padStart(14, "0")
  .slice(-14);

let block = 0;
let next = 0;
let blockText = `${PREFIX}${"0".repeat(COUNTER_DIGITS - 2)}`;

export function nextRequestId(): string {
  if (next === BLOCK) {
    next = 0;
    block++;
    blockText = PREFIX + block.toString(36).padStart(COUNTER_DIGITS - 2, "0");
  }
  return blockText + LAST_DIGITS[next++];
}
