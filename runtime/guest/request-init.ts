// The members of RequestInit. Those about a page's origin (mode, credentials, cache, referrer …) are checked
// and remembered, because libraries read them back; they have no effect here.

import { isToken } from "./header-text.ts";
import { URL } from "./url.ts";

export interface Options {
  readonly redirect: "follow" | "manual" | "error";
  readonly mode: string;
  readonly credentials: string;
  readonly cache: string;
  readonly referrer: string;
  readonly referrerPolicy: string;
  readonly integrity: string;
  readonly keepalive: boolean;
}

export const DEFAULTS: Options = {
  redirect: "follow",
  mode: "cors",
  credentials: "same-origin",
  cache: "default",
  referrer: "about:client",
  referrerPolicy: "",
  integrity: "",
  keepalive: false,
};

const REDIRECT = ["follow", "manual", "error"] as const;
const MODE = ["cors", "no-cors", "same-origin"] as const;
const CREDENTIALS = ["omit", "same-origin", "include"] as const;
const CACHE = [
  "default",
  "no-store",
  "reload",
  "no-cache",
  "force-cache",
  "only-if-cached",
] as const;
const DUPLEX = ["half"] as const;
const PRIORITY = ["high", "low", "auto"] as const;
const POLICY = [
  "",
  "no-referrer",
  "no-referrer-when-downgrade",
  "same-origin",
  "origin",
  "strict-origin",
  "origin-when-cross-origin",
  "strict-origin-when-cross-origin",
  "unsafe-url",
] as const;

function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[], old: T): T {
  if (value === undefined) return old;
  const text = `${value as string}`;
  for (let i = 0; i < allowed.length; i++) {
    const each = allowed[i];
    if (each !== undefined && each === text) return each;
  }
  throw new TypeError(`${name} may not be "${text}".`);
}

export function parseOptions(init: Record<string, unknown>, old: Options): Options {
  const { cache, credentials, duplex, integrity, keepalive } = init;
  const { mode, priority, redirect, referrer, referrerPolicy, window } = init;
  if (window !== undefined && window !== null) throw new TypeError("window may only be null.");
  oneOf("duplex", duplex, DUPLEX, "half");
  oneOf("priority", priority, PRIORITY, "auto");
  const options: Options = {
    redirect: oneOf("redirect", redirect, REDIRECT, old.redirect),
    mode: oneOf("mode", mode, MODE, old.mode as "cors"),
    credentials: oneOf("credentials", credentials, CREDENTIALS, old.credentials as "omit"),
    cache: oneOf("cache", cache, CACHE, old.cache as "default"),
    referrer: referrer === undefined ? old.referrer : parseReferrer(referrer),
    referrerPolicy: oneOf("referrerPolicy", referrerPolicy, POLICY, old.referrerPolicy as ""),
    integrity: integrity === undefined ? old.integrity : `${integrity as string}`,
    keepalive: keepalive === undefined ? old.keepalive : Boolean(keepalive),
  };
  if (options.cache === "only-if-cached" && options.mode !== "same-origin") {
    throw new TypeError('cache may only be "only-if-cached" with mode "same-origin".');
  }
  return options;
}

function parseReferrer(value: unknown): string {
  const text = `${value as string}`;
  if (text === "") return "";
  try {
    return new URL(text).href;
  } catch {
    // Relative addresses have no base here, but what is no address at all is an error everywhere.
    new URL(text, "http://localhost/");
    return "about:client";
  }
}

export function parseMethod(value: unknown): string {
  const method = `${value as string}`;
  if (!isToken(method)) throw new TypeError(`"${method}" is no valid method.`);
  const upper = method.toUpperCase();
  switch (upper) {
    case "CONNECT":
    case "TRACE":
    case "TRACK":
      throw new TypeError(`The method ${method} is not allowed.`);
    case "DELETE":
    case "GET":
    case "HEAD":
    case "OPTIONS":
    case "POST":
    case "PUT":
      return upper;
    default:
      return method;
  }
}
