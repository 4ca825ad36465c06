// The address of an incoming request. What arrives is nearly always what the URL parser would give back, so a
// check of its characters replaces the parser; whatever the check does not know goes through the parser.
// url-wire.test.ts compares the two.

import { URL } from "./url.ts";

/** Scheme and authority, to what the URL parser makes of it ("" where the parser refuses it). */
const origins: Record<string, string> = { __proto__: null } as never;
let originCount = 0;
/** Entries; a wildcard host can see any number of names. */
const ORIGINS_MAX = 256;

/** Per code below 128: 1 where it may stand in a path or query and the parser leaves it alone. */
const PLAIN = new Uint8Array(128);
for (const char of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~!$&()*+,;=:@%/?") {
  PLAIN[char.charCodeAt(0)] = 1;
}
const charCodeAt = String.prototype.charCodeAt;
const apply = Reflect.apply;

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;

/** Where the path begins in "scheme://authority/…", or -1. */
function pathStart(url: string): number {
  const colon = url.indexOf("://");
  return colon < 0 ? -1 : url.indexOf("/", colon + 3);
}

function isPlain(url: string, from: number): boolean {
  let before = 0;
  for (let i = from; i < url.length; i++) {
    const code = apply(charCodeAt, url, [i]) as number;
    if (code === DOT) {
      // "/." may begin a dot segment.
      if (before === SLASH) return false;
    } else if (PLAIN[code] !== 1) return false;
    // "/%2e" is a dot segment too.
    if (code === PERCENT && before === SLASH) return false;
    if (code === PERCENT && before === DOT) return false;
    before = code;
  }
  return true;
}

function originOf(origin: string): string {
  const found = origins[origin];
  if (found !== undefined) return found;
  const parsed = parse(`${origin}/`);
  const normal = parsed === null ? "" : parsed.slice(0, -1);
  if (originCount < ORIGINS_MAX) {
    originCount++;
    origins[origin] = normal;
  }
  return normal;
}

function parse(url: string): string | null {
  try {
    return new URL(url).href;
  } catch {
    // No address by the standard's rules: the author gets it as it came.
    return null;
  }
}

export function normalUrl(url: string): string {
  const start = pathStart(url);
  if (start > 0 && isPlain(url, start)) {
    const origin = url.slice(0, start);
    const normal = originOf(origin);
    if (normal === origin) return url;
    if (normal !== "") return normal + url.slice(start);
  }
  return parse(url) ?? url;
}
