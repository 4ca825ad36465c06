// Formats, usages and JSON Web Keys, as Web IDL converts them.

import type { Value } from "../../../sdk/services/values.ts";
import { bytesOf } from "../buffer-source.ts";
import { readBytes } from "./algorithms.ts";

const FORMATS: readonly string[] = ["raw", "spki", "pkcs8", "jwk"];
/** In the order in which keys list them. */
const USAGES: readonly string[] = [
  "encrypt",
  "decrypt",
  "sign",
  "verify",
  "deriveKey",
  "deriveBits",
  "wrapKey",
  "unwrapKey",
];
/** Of a JSON Web Key, in the order in which they are read. */
const MEMBERS: readonly string[] = [
  "alg",
  "crv",
  "d",
  "dp",
  "dq",
  "e",
  "ext",
  "k",
  "key_ops",
  "kty",
  "n",
  "p",
  "q",
  "qi",
  "use",
  "x",
  "y",
];

function indexIn(list: readonly string[], text: string): number {
  for (let at = 0; at < list.length; at++) if (list[at] === text) return at;
  return -1;
}

export function readFormat(format: unknown): string {
  const text = `${format as string}`;
  if (indexIn(FORMATS, text) < 0) throw new TypeError("The format is none of a key");
  return text;
}

function readTexts(sequence: unknown): string[] {
  if (typeof sequence !== "object" || sequence === null) throw new TypeError("A list is needed");
  const texts: string[] = [];
  for (const item of sequence as Iterable<unknown>) texts[texts.length] = `${item as string}`;
  return texts;
}

export function readUsages(usages: unknown): string[] {
  const given = readTexts(usages);
  for (let at = 0; at < given.length; at++) {
    if (indexIn(USAGES, given[at] as string) < 0) throw new TypeError("That is no key usage");
  }
  const usual: string[] = [];
  for (let at = 0; at < USAGES.length; at++) {
    const usage = USAGES[at] as string;
    if (indexIn(given, usage) >= 0) usual[usual.length] = usage;
  }
  return usual;
}

export function readKeyData(format: string, data: unknown): Value {
  if (format !== "jwk") return readBytes(data);
  if ((typeof data !== "object" && typeof data !== "function") || bytesOf(data) !== null) {
    throw new TypeError("A JSON Web Key must be an object");
  }
  const jwk: Record<string, Value> = {};
  // null converts to a dictionary without members.
  const given = (data ?? {}) as Record<string, unknown>;
  for (let at = 0; at < MEMBERS.length; at++) {
    const member = MEMBERS[at] as string;
    const value = given[member];
    if (value === undefined) continue;
    if (member === "ext") jwk[member] = Boolean(value);
    else jwk[member] = member === "key_ops" ? readTexts(value) : `${value as string}`;
  }
  return jwk;
}
