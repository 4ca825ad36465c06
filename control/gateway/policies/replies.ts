// Policies about what clients are told.

import { z } from "zod";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { isCode } from "../../../sdk/errors.ts";
import {
  cidrField,
  count,
  duration,
  flag,
  headerName,
  headerPairs,
  list,
  oneOf,
  share,
  text,
} from "../fields.ts";

const HEADERS = "headers with their values, or false for none";

/** What does no harm to any site; what a site has to be made for is left to it. */
const DEFAULTS: Readonly<Record<string, string>> = {
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "strict-origin-when-cross-origin",
};

export const securityHeaders: z.ZodType<PolicyConfig, unknown> = z
  .strictObject(
    {
      set: headerPairs.default([]),
      without: list(headerName, "headers").default([]),
      remove: list(headerName, "headers").default(["server", "x-powered-by"]),
    },
    { error: HEADERS },
  )
  .transform(({ set, without, remove }): PolicyConfig => {
    const all = new Map([...Object.entries(DEFAULTS), ...set]);
    for (const name of without) all.delete(name);
    return { kind: "securityHeaders", set: [...all], remove };
  });

const ON = "a status such as 404, a class such as 5xx, or a code such as UPSTREAM_FAILED";
const on = z
  .union([z.int().min(400, ON).max(599, ON), z.string()], { error: ON })
  .transform(String)
  .refine((value) => /^(?:[45]\d\d|[45]xx)$/.test(value) || isCode(value), { error: ON });
const template = z.string({ error: "a text" }).max(64 * 1024, "a text of at most 65536 characters");
const page = z
  .strictObject({
    on: list(on, "statuses and codes", 100),
    html: template.default(""),
    json: template.default(""),
  })
  .refine(({ html, json }) => html !== "" || json !== "", { error: "html, json or both" });

export const errorPages: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    pages: list(page, "pages", 100),
    replies: oneOf(["gateway", "all"]).default("gateway"),
  })
  .transform((fields): PolicyConfig => ({ kind: "errorPages", ...fields }));

export const maintenance: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    enabled: flag().default(true),
    allow: list(cidrField, "networks").default([]),
    retryAfter: duration(1_000).default(300_000),
  })
  .transform(({ retryAfter, ...fields }): PolicyConfig => ({
    kind: "maintenance",
    ...fields,
    retryAfterSec: Math.ceil(retryAfter / 1_000),
  }));

export const fault: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    header: text("a header's name", /^[\w!#$%&'*+.^`|~-]{1,128}$/).optional(),
    delay: z.strictObject({ share: share(0).default(1), for: duration() }).optional(),
    abort: z
      .strictObject({ share: share(0).default(1), status: count(400, 599).default(503) })
      .optional(),
  })
  .transform(({ header, delay, abort }): PolicyConfig => ({
    kind: "fault",
    header: header?.toLowerCase() ?? "",
    delayShare: delay?.share ?? 0,
    delayMs: delay?.for ?? 0,
    abortShare: abort?.share ?? 0,
    abortStatus: abort?.status ?? 0,
  }));
