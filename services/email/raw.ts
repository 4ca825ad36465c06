// A mail that a handler has made itself. What counts of its head is that it says who sends it, once, and that this is
// the sender the binding allows; and that nothing in it can be taken for the end of the mail by a server behind this
// one (lines ended by a lone CR or LF).

import { EdgeError } from "../../sdk/errors.ts";
import { readAddress } from "./addresses.ts";
import { tooLarge } from "./message.ts";
import { EMAIL_BYTES_MAX } from "../../sdk/services/email.ts";

const CR = 13;
const LF = 10;
/** A head that is longer is no mail's. */
const HEAD_BYTES_MAX: number = 64 * 1_024;
const BRACKETED = /<([^<>]*)>\s*$/;

/** The same mail with whole line ends. `from`: of the envelope. */
export function checkRaw(given: Uint8Array, from: string): Uint8Array {
  if (given.byteLength > EMAIL_BYTES_MAX) throw tooLarge(given.byteLength);
  const raw = wholeLineEnds(given);
  if (raw.byteLength > EMAIL_BYTES_MAX) throw tooLarge(raw.byteLength);
  const senders = headersOf(raw, "from");
  const [sender] = senders;
  if (senders.length !== 1 || sender === undefined) {
    throw new EdgeError("SERVICE_INPUT", "A raw mail has exactly one header From.");
  }
  const address = BRACKETED.exec(sender)?.[1] ?? sender.trim();
  if (readAddress(address, "The header From").toLowerCase() !== from.toLowerCase()) {
    const text = `The header From names ${address}, the envelope ${from}: both have to be the same.`;
    throw new EdgeError("SERVICE_INPUT", text);
  }
  for (const name of ["sender", "resent-from", "resent-sender", "bcc", "return-path"]) {
    if (headersOf(raw, name).length === 0) continue;
    throw new EdgeError("SERVICE_INPUT", `A raw mail has no header ${name} here.`);
  }
  return raw;
}

/** null when it has none. */
export function messageIdOf(raw: Uint8Array): string | null {
  return headersOf(raw, "message-id")[0]?.trim() ?? null;
}

/** Values of a header, unfolded. */
export function headersOf(raw: Uint8Array, name: string): readonly string[] {
  const head = Buffer.from(raw.subarray(0, HEAD_BYTES_MAX)).toString("utf8");
  const end = head.indexOf("\r\n\r\n");
  if (end < 0 && !head.startsWith("\r\n") && raw.byteLength > HEAD_BYTES_MAX) {
    throw new EdgeError(
      "SERVICE_INPUT",
      `The head of a raw mail has at most ${HEAD_BYTES_MAX} bytes.`,
    );
  }
  const lines = head
    .slice(0, end < 0 ? head.length : end)
    .replace(/\r\n[ \t]+/g, " ")
    .split("\r\n");
  const found: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    // Some readers allow blanks before the colon.
    if (line.slice(0, colon).trim().toLowerCase() === name) found.push(line.slice(colon + 1));
  }
  return found;
}

function wholeLineEnds(given: Uint8Array): Uint8Array {
  let missing = 0;
  for (let at = 0; at < given.length; at++) {
    if (given[at] === LF ? given[at - 1] !== CR : given[at] === CR && given[at + 1] !== LF)
      missing++;
  }
  if (missing === 0) return given;
  const whole = new Uint8Array(given.length + missing);
  let to = 0;
  for (let at = 0; at < given.length; at++) {
    const byte = given[at] as number;
    if (byte === LF && given[at - 1] !== CR) whole[to++] = CR;
    whole[to++] = byte;
    if (byte === CR && given[at + 1] !== LF) whole[to++] = LF;
  }
  return whole;
}
