// Policies that change what is sent.

import { z } from "zod";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import {
  count,
  flag,
  headerName,
  headerPairs,
  list,
  methodField,
  parameterName,
  parameterPairs,
  text,
} from "../fields.ts";

const ORIGIN = "an origin such as https://app.example.com, or *";
const origin = text(ORIGIN, /^(?:\*|[a-z][a-z0-9+.-]*:\/\/[^/\s,]+)$/);

export const cors: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    origins: list(origin, "origins"),
    methods: list(methodField, "methods").default(["GET", "HEAD", "POST"]),
    headers: list(headerName, "headers").default([]),
    exposeHeaders: list(headerName, "headers").default([]),
    credentials: flag().default(false),
    maxAge: count(0, 86_400).default(600),
  })
  .refine(({ origins, credentials }) => !(credentials && origins.includes("*")), {
    path: ["origins"],
    error: "origins by name: browsers refuse * together with credentials",
  })
  .transform(({ maxAge, ...fields }): PolicyConfig => ({
    kind: "cors",
    ...fields,
    maxAgeSec: maxAge,
  }));

/** They say where a message ends, or are a connection's: whoever sends it writes them. */
const FRAMING = /^(?:connection|content-length|keep-alive|te|trailer|transfer-encoding|upgrade)$/;
const written = headerPairs.refine((pairs) => !pairs.some(([name]) => FRAMING.test(name)), {
  error: "headers that say nothing of connections and lengths, which Islet writes itself",
});
const headerChange = z.strictObject({
  set: written.default([]),
  add: written.default([]),
  remove: list(headerName, "headers").default([]),
});

export const headers: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({ request: headerChange.prefault({}), response: headerChange.prefault({}) })
  .transform((fields): PolicyConfig => ({ kind: "headers", ...fields }));

export const query: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    set: parameterPairs.default([]),
    add: parameterPairs.default([]),
    remove: list(parameterName, "parameters", 100).default([]),
  })
  .transform((fields): PolicyConfig => ({ kind: "query", ...fields }));
