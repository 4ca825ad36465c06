// Counters are text, so that one can be set, read and added to.

import { EdgeError } from "../../sdk/errors.ts";

const WHOLE = /^-?\d{1,16}$/;

/** The sum. null counts as 0; anything but a whole number's text is refused. */
export function addTo(value: Uint8Array | object | null, amount: number): number {
  const text = value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : "";
  if (value !== null && !WHOLE.test(text)) throw notWhole();
  const sum = Number(text) + amount;
  if (Number.isSafeInteger(sum)) return sum;
  throw new EdgeError("SERVICE_INPUT", "The sum is larger than a whole number can be.");
}

export function notWhole(): EdgeError {
  return new EdgeError("SERVICE_INPUT", "The entry is not a whole number.");
}
