// A configuration as people may see it: what is secret, or may be, is not in it.
//
// By name, wherever it stands: a policy that is added later, and holds a secret under a usual name, is covered too.

import type { Json } from "../errors.ts";

const MASK = "(secret)";
/** Names of fields and headers. Their objects are looked into: not all that is called a key is one. */
const SECRET = /secret|password|passwd|token|api-?key|^keys?$|credential|authorization/i;
const SECRET_HEADER = /^(?:set-)?cookie$/i;
/** Keys are no text to read, certificates none to compare by eye: both have their file beside them. */
const PEM = /^(?:cert|ca|clientCa)$/;
const USER_IN_URL = /(\/\/)[^/?#\s]*@/g;

/** `value`: plain data, as of JSON. */
export function shown(value: unknown, name = ""): Json {
  const isSecret = SECRET.test(name);
  if (typeof value === "string") return shownText(value, { name, isSecret });
  if (Array.isArray(value)) return shownList(value, name);
  if (typeof value === "object" && value !== null) {
    // A hash of a password can be guessed at.
    if (/^password$/i.test(name)) return MASK;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]): [string, Json] => [key, shown(one, key)]),
    );
  }
  if (isSecret && typeof value === "number") return MASK;
  return typeof value === "number" || typeof value === "boolean" ? value : null;
}

function shownText(
  text: string,
  { name, isSecret }: { readonly name: string; readonly isSecret: boolean },
): string {
  if (text === "") return "";
  if (isSecret || text.includes("PRIVATE KEY")) return MASK;
  return PEM.test(name) ? "(PEM)" : text.replace(USER_IN_URL, `$1${MASK}@`);
}

/** A pair of texts is a header or the like: its first one is the name of its second. */
function shownList(list: readonly unknown[], name: string): Json {
  const [first, second] = list;
  const isPair = list.length === 2 && typeof first === "string" && typeof second === "string";
  if (isPair && (SECRET.test(first) || SECRET_HEADER.test(first))) return [first, MASK];
  return list.map((one) => shown(one, name));
}
