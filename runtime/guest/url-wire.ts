// The address of an incoming request. What arrives is nearly always what the URL parser would give back, so a
// check of its characters replaces the parser; whatever the check does not know goes through the parser.
// url-wire.test.ts compares the two.

import { URL } from "./url.ts";

/** Scheme and authority, to what the URL parser makes of it ("" where the parser refuses it). */
const origins: Record<string, string> = { __proto__: null } as never;
let originCount = 0;
/** Entries; a wildcard host can see any number of names. */
const ORIGINS_MAX = 256;

/**
 * What the parser might change, anywhere in the address: other characters, and what may begin a dot segment.
 * An IPv6 authority goes the long way too.
 */
const ODD = /[^a-zA-Z0-9\-_~!$&()*+,;=:@%/?.]|\/\.|\/%|\.%/;
const exec = RegExp.prototype.exec;
const apply = Reflect.apply;

/** Where the path begins in "scheme://authority/…", or -1. */
function pathStart(url: string): number {
  const colon = url.indexOf("://");
  return colon < 0 ? -1 : url.indexOf("/", colon + 3);
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

/** The origin met last, with the slash after it, where the parser leaves it as it is: hosts come in runs. */
let lastOrigin = "\0";

export function normalUrl(url: string): string {
  if (apply(exec, ODD, [url]) !== null) return parse(url) ?? url;
  if (url.startsWith(lastOrigin)) return url;
  const start = pathStart(url);
  if (start < 0) return parse(url) ?? url;
  const origin = url.slice(0, start);
  const normal = originOf(origin);
  if (normal === "") return url;
  if (normal !== origin) return normal + url.slice(start);
  lastOrigin = `${origin}/`;
  return url;
}
