// What values of the configuration look like. Each says in one phrase what it expects; an issue's message is that
// phrase, and faults.ts makes a sentence of it.

import { domainToASCII } from "node:url";
import { z } from "zod";
import { isCidr } from "../../sdk/gateway/cidr.ts";
import type { HashSource } from "../../sdk/gateway/config.ts";
import type { KeySource } from "../../sdk/gateway/policies.ts";
import { parseDuration, parseSize } from "../../sdk/gateway/units.ts";

/** Longer waits than a day are mistakes. */
const DURATION_MS_MAX = 86_400_000;
/** Names are labels of metrics and parts of keys. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
/** What may stand in a header on the wire, in ASCII. */
const HEADER_VALUE = /^[\t -~]*$/;
/** A name or address, and a port up to 65535: another as Host is 400 to servers. */
const AUTHORITY =
  /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?:[0-5]?\d{0,4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?$/;
const METHOD = /^[A-Z][A-Z0-9-]{0,31}$/;
const TEXT_CHARS_MAX = 64 * 1024;

export function text(expected: string, pattern: RegExp = /^[^]+$/): z.ZodType<string, string> {
  return z.string({ error: expected }).regex(pattern, expected).max(TEXT_CHARS_MAX, expected);
}

export function count(min: number, max: number): z.ZodType<number, number> {
  const expected = `a whole number from ${min} to ${max}`;
  return z.int({ error: expected }).min(min, expected).max(max, expected);
}

export function share(min: number): z.ZodType<number, number> {
  const expected = `a number from ${min} to 1`;
  return z.number({ error: expected }).min(min, expected).max(1, expected);
}

export function flag(): z.ZodType<boolean, boolean> {
  return z.boolean({ error: "true or false" });
}

export function list<T, I>(of: z.ZodType<T, I>, what: string, max = 1_000): z.ZodType<T[], I[]> {
  return z.array(of, { error: `a list of ${what}` }).max(max, `at most ${max} of ${what}`);
}

export function oneOf<const T extends readonly string[]>(
  values: T,
): z.ZodType<T[number], T[number]> {
  return z.enum(values, { error: `one of ${values.join(", ")}` });
}

/** In milliseconds. */
export function duration(minMs = 1): z.ZodType<number, string> {
  const expected = "a duration such as 250ms, 30s or 5m";
  return z
    .string({ error: expected })
    .regex(/^\d+(?:\.\d+)?(?:ms|s|m|h)$/, expected)
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms !== null && ms >= minMs && ms <= DURATION_MS_MAX) return ms;
      context.addIssue({ code: "custom", message: `a duration from ${minMs}ms to 24h` });
      return z.NEVER;
    });
}

/** In bytes. */
export function size(): z.ZodType<number, string | number> {
  const expected = "a size such as 512B, 64KiB or 1MiB";
  return z.union([z.int().min(0), z.string()], { error: expected }).transform((value, context) => {
    const bytes = parseSize(String(value));
    if (bytes !== null) return bytes;
    context.addIssue({ code: "custom", message: expected });
    return z.NEVER;
  });
}

export const nameField: z.ZodType<string, string> = text(
  "a name of 1 to 63 letters, digits, -, _ and .",
  NAME,
);

export const headerName: z.ZodType<string, string> = text("a header's name", HEADER_NAME).transform(
  (name) => name.toLowerCase(),
);

/** What servers see as Host. */
export const hostField: z.ZodType<string, string> = text(
  "upstream, preserve or a host's name",
  AUTHORITY,
);

const headerValue = text("a header's value: printable ASCII without line breaks", HEADER_VALUE);

/** Names in lower case. */
export const headerPairs: z.ZodType<[string, string][], Record<string, string>> = z
  .record(text("a header's name", HEADER_NAME), headerValue, {
    error: "header names with their values",
  })
  .transform((record) =>
    Object.entries(record).map(([name, value]): [string, string] => [name.toLowerCase(), value]),
  );

const PARAMETER = "a parameter's name";
const PARAMETER_VALUE = "a parameter's value, of at most 1024 characters";
export const parameterName: z.ZodType<string, string> = text(PARAMETER, /^[^\0-\x1f]{1,128}$/);
const parameterValue = text(PARAMETER_VALUE, /^[^]{0,1024}$/);

export const parameterPairs: z.ZodType<[string, string][], Record<string, string>> = z
  .record(parameterName, parameterValue, { error: "parameters with their values" })
  .transform((record) => Object.entries(record));

export const methodField: z.ZodType<string, string> = z
  .string({ error: "an HTTP method such as GET" })
  .transform((value) => value.toUpperCase())
  .refine((value) => METHOD.test(value) || value === "*", { error: "an HTTP method such as GET" });

export const cidrField: z.ZodType<string, string> = z
  .string({ error: "an address or network such as 10.0.0.0/8" })
  .refine(isCidr, { error: "an address or network such as 10.0.0.0/8" });

export const httpUrl: z.ZodType<string, string> = z
  .string({ error: "an http or https address" })
  .refine((value) => /^https?:\/\//.test(value) && URL.canParse(value), {
    error: "an http or https address",
  });

const SERVER = "a server such as http://10.0.0.1:7001, https://api.internal or unix:/run/app.sock";

export const serverUrl: z.ZodType<string, string> = z
  .string({ error: SERVER })
  .transform((value, context) => {
    if (/^unix:\/[^\0]+$/.test(value)) return value;
    const url = /^https?:\/\//.test(value) && URL.canParse(value) ? new URL(value) : null;
    if (url === null || domainToASCII(url.hostname) === "" || url.username !== "") {
      // An IPv6 literal is no domain, and fine.
      if (url === null || !url.hostname.startsWith("[") || url.username !== "") {
        context.addIssue({ code: "custom", message: SERVER });
        return z.NEVER;
      }
    }
    if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
      const message = "a server without a path: a route's target can add one (addPrefix)";
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
    return url.origin;
  });

const HASH = "ip, header:NAME or cookie:NAME";

export const hashField: z.ZodType<HashSource, string> = z
  .string({ error: HASH })
  .regex(/^(?:ip|(?:header|cookie):[^\s:;,=]{1,128})$/, HASH)
  .transform((value) => {
    const { kind, name } = splitKind(value);
    return kind === "header" || kind === "cookie"
      ? { kind, name: kind === "header" ? name.toLowerCase() : name }
      : { kind: "ip", name: "" };
  });

const KEY = "ip, apiKey, consumer, route, header:NAME or jwt:CLAIM";

const keySource: z.ZodType<KeySource, string> = z
  .string({ error: KEY })
  .regex(/^(?:ip|apiKey|consumer|route|(?:header|jwt):[^\s:;,=]{1,128})$/, KEY)
  .transform((value): KeySource => {
    const { kind, name } = splitKind(value);
    if (kind === "header") return { kind, name: name.toLowerCase() };
    if (kind === "jwt") return { kind, name };
    const isNamed = kind === "apiKey" || kind === "consumer" || kind === "route";
    return { kind: isNamed ? kind : "ip", name: "" };
  });

export const keyField: z.ZodType<KeySource[], string | string[]> = z
  .union([keySource, z.array(keySource).min(1).max(5)], { error: KEY })
  .transform((value) => (Array.isArray(value) ? value : [value]));

function splitKind(value: string): { kind: string; name: string } {
  const colon = value.indexOf(":");
  return colon < 0
    ? { kind: value, name: "" }
    : { kind: value.slice(0, colon), name: value.slice(colon + 1) };
}
