// Addresses of mail, read with suspicion: what could end a line or a command of SMTP is refused, not repaired.

import { domainToASCII } from "node:url";
import { EdgeError } from "../../sdk/errors.ts";
import {
  EMAIL_ADDRESS_BYTES_MAX,
  EMAIL_LINE_BYTES_MAX,
  type EmailAddress,
} from "../../sdk/services/email.ts";
import type { Value } from "../../sdk/services/values.ts";
import { limitText, optional, readFields, readText } from "../arguments.ts";

/** RFC 5322's dot-atom; quoted local parts and those beyond ASCII are nobody's in practice. */
const LOCAL = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/;
const DOMAIN =
  /^(?=.{1,255}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const LOCAL_BYTES_MAX = 64;
/** Name <address> */
const NAMED = /^([^<>]*)<([^<>]+)>$/;
/** C0, DEL, C1 and the two separators that some readers take for line breaks. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Text for one line of a mail's head. */
export function readLine(value: Value, what: string): string {
  const text = limitText(readText(value, what), what, EMAIL_LINE_BYTES_MAX);
  if (!CONTROLS.test(text) && text.isWellFormed()) return text;
  throw new EdgeError("SERVICE_INPUT", `${what} holds a line break or another control character.`);
}

/** "a@b.c"; the domain in lower case, and in its ASCII form. */
export function readAddress(value: Value, what: string): string {
  const text = readText(value, what);
  const at = text.lastIndexOf("@");
  const local = text.slice(0, at);
  if (at > 0 && text.length <= EMAIL_ADDRESS_BYTES_MAX && local.length <= LOCAL_BYTES_MAX) {
    const domain = domainToASCII(text.slice(at + 1));
    if (LOCAL.test(local) && DOMAIN.test(domain)) return `${local}@${domain}`;
  }
  const shown = JSON.stringify(text.slice(0, EMAIL_ADDRESS_BYTES_MAX));
  throw new EdgeError("SERVICE_INPUT", `${what}: ${shown} is no address that mail is sent to.`);
}

/** "a@b.c", "Name <a@b.c>" or { email, name }. */
export function readMailbox(value: Value, what: string): EmailAddress {
  if (typeof value !== "string") {
    const fields = readFields(value, what);
    const name = optional(fields["name"], `${what}'s name`, readLine) ?? "";
    return { address: readAddress(fields["email"], what), name };
  }
  const named = NAMED.exec(readLine(value, what));
  if (named === null) return { address: readAddress(value, what), name: "" };
  const name = (named[1] ?? "").trim().replace(/^"(.*)"$/, "$1");
  return { address: readAddress(named[2], what), name };
}

/** One or a list. */
export function readMailboxes(value: Value, what: string): readonly EmailAddress[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return [readMailbox(value, what)];
  return (value as readonly Value[]).map((each) => readMailbox(each, what));
}

/** As mail compares addresses in practice. */
export function isAmong(address: string, allowed: readonly string[]): boolean {
  const wanted = address.toLowerCase();
  return allowed.some((each) => each.toLowerCase() === wanted);
}
