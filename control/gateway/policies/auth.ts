// Policies that say who may ask.

import { z } from "zod";
import { SIGNATURES, type PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { cidrField, duration, headerName, httpUrl, list, oneOf, text } from "../fields.ts";
import { checkKey, keySource } from "./keys.ts";

export const ipFilter: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    allow: list(cidrField, "networks").default([]),
    deny: list(cidrField, "networks").default([]),
  })
  .transform((fields): PolicyConfig => ({ kind: "ipFilter", ...fields }));

const strings = z
  .union([text("a text"), list(text("a text"), "texts", 100)], { error: "a text or a list" })
  .transform((value) => (Array.isArray(value) ? value : [value]));

export const jwt: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    algorithms: list(oneOf(SIGNATURES), "algorithms", SIGNATURES.length).optional(),
    secret: text("a secret").optional(),
    publicKey: text("a public key in PEM").optional(),
    jwks: httpUrl.optional(),
    issuer: strings.default([]),
    audience: strings.default([]),
    clockSkew: duration(0).default(30_000),
    requiredClaims: list(text("a claim's name"), "claims", 100).default([]),
    forward: z
      .record(text("a claim's name"), headerName, { error: "claims with the names of headers" })
      .default({}),
  })
  .transform((fields, context): PolicyConfig => {
    const source = keySource(fields);
    const algorithms = fields.algorithms ?? (fields.secret === undefined ? [] : ["HS256" as const]);
    for (const issue of checkKey(source, algorithms))
      context.addIssue({ code: "custom", ...issue });
    return {
      kind: "jwt",
      algorithms,
      source: source ?? { kind: "secret", secret: "" },
      issuer: fields.issuer,
      audience: fields.audience,
      skewMs: fields.clockSkew,
      requiredClaims: fields.requiredClaims,
      forward: Object.entries(fields.forward),
    };
  });
