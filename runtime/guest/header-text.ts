// Names and values of headers: what the Fetch standard lets through. Loops over character codes and not
// regular expressions, because an author may patch RegExp.prototype.exec and these checks keep line breaks
// out of the packed list.

const charCodeAt = String.prototype.charCodeAt;
const lower = String.prototype.toLowerCase;
const slice = String.prototype.slice;
const apply = Reflect.apply;

/** Names already checked, to their lower-case form. */
const known: Record<string, string> = { __proto__: null } as never;
let knownCount = 0;
/** Names; beyond it a handler with random header names would grow the heap. */
const KNOWN_MAX = 512;
/** UTF-16 units; longer names are rare and not worth keeping. */
const KNOWN_NAME_MAX = 64;

/** Per code below 128: 1 where RFC 9110 allows the character in a token. */
const TOKEN: Uint8Array = new Uint8Array(128);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN[char.charCodeAt(0)] = 1;
}

export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    if (TOKEN[apply(charCodeAt, text, [i]) as number] !== 1) return false;
  }
  return true;
}

/** The lower-case form of a valid header name; throws TypeError for any other. */
export function headerName(value: unknown): string {
  const name = typeof value === "string" ? value : `${value as string}`;
  const found = known[name];
  if (found !== undefined) return found;
  if (!isToken(name)) throw new TypeError(`Invalid header name: "${name}".`);
  const lowered = apply(lower, name, []) as string;
  if (knownCount < KNOWN_MAX && name.length <= KNOWN_NAME_MAX) {
    knownCount++;
    known[name] = lowered;
  }
  return lowered;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

/** Trimmed header value; throws TypeError when it cannot stand in a header. */
export function headerValue(value: unknown): string {
  const text = typeof value === "string" ? value : `${value as string}`;
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(apply(charCodeAt, text, [start]) as number)) start++;
  while (end > start && isSpace(apply(charCodeAt, text, [end - 1]) as number)) end--;
  for (let i = 0; i < text.length; i++) {
    const code = apply(charCodeAt, text, [i]) as number;
    if (code > 0xff) throw new TypeError("Header values may only hold characters up to U+00FF.");
    if ((code === 0x0a || code === 0x0d || code === 0) && i >= start && i < end) {
      throw new TypeError("Header values may not hold line breaks or NUL.");
    }
  }
  return start === 0 && end === text.length ? text : (apply(slice, text, [start, end]) as string);
}
