// Policies that say who may ask.

import { z } from "zod";
import {
  SIGNATURES,
  type AnyOfPolicy,
  type ApiKeyPolicy,
  type AuthPolicy,
  type BasicPolicy,
  type CredentialSource,
  type ForwardAuthPolicy,
  type JwtPolicy,
  type PolicyConfig,
} from "../../../sdk/gateway/policies.ts";
import {
  cidrField,
  duration,
  flag,
  headerName,
  httpUrl,
  list,
  nameField,
  oneOf,
  text,
} from "../fields.ts";
import { checkKey, keySource } from "./keys.ts";
import { REVOKED_MAX } from "./revoked.ts";

export const ipFilter: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    allow: list(cidrField, "networks")
      .refine((networks) => networks.length > 0, "a network or more; without allow all may pass")
      .default([]),
    deny: list(cidrField, "networks").default([]),
  })
  .transform((fields): PolicyConfig => ({ kind: "ipFilter", ...fields }));

const strings = z
  .union([text("a text"), list(text("a text"), "texts", 100)], { error: "a text or a list" })
  .transform((value) => (Array.isArray(value) ? value : [value]));

const SOURCE = "bearer, header:NAME, query:NAME or cookie:NAME";

const source: z.ZodType<CredentialSource, string> = z
  .string({ error: SOURCE })
  .regex(/^(?:bearer|(?:header|query|cookie):[^\s:;,=&]{1,128})$/, SOURCE)
  .transform((value): CredentialSource => {
    const [kind = "", name = ""] = value.split(":");
    if (kind === "header") return { kind, name: name.toLowerCase() };
    return kind === "query" || kind === "cookie" ? { kind, name } : { kind: "bearer", name: "" };
  });

function sources(fallback: CredentialSource): z.ZodType<CredentialSource[], unknown> {
  return z
    .union([source, list(source, "places", 5)], { error: SOURCE })
    .transform((value) => (Array.isArray(value) ? value : [value]))
    .default([fallback]);
}

const required = flag().default(true);
const groups = list(nameField, "groups", 100).default([]);
const headerNames = list(headerName, "headers", 100).default([]);

const apiKey: z.ZodType<ApiKeyPolicy, unknown> = z
  .strictObject({
    from: sources({ kind: "header", name: "x-api-key" }),
    groups,
    required,
    hide: flag().default(true),
  })
  .transform((fields): ApiKeyPolicy => ({ kind: "apiKey", ...fields }));

const basic: z.ZodType<BasicPolicy, unknown> = z
  .strictObject({
    realm: text("a text without quotes", /^[ !#-[\]-~]{1,100}$/).default("islet"),
    groups,
    required,
    hide: flag().default(true),
  })
  .transform((fields): BasicPolicy => ({ kind: "basic", ...fields }));

const forwardAuth: z.ZodType<ForwardAuthPolicy, unknown> = z
  .strictObject({
    url: httpUrl.optional(),
    upstream: nameField.optional(),
    path: text("a path, which begins with /", /^\/[!-~]*$/).default("/"),
    timeout: duration(10).default(5_000),
    requestHeaders: headerNames,
    responseHeaders: headerNames,
  })
  .refine(({ url, upstream }) => (url === undefined) !== (upstream === undefined), {
    error: "either url or upstream",
  })
  .transform(({ timeout, ...fields }): ForwardAuthPolicy => ({
    kind: "forwardAuth",
    timeoutMs: timeout,
    ...fields,
    required: true,
  }));

const ids = list(text("a text"), "texts", REVOKED_MAX).default([]);
const revoked = z.strictObject({
  jti: ids,
  sub: ids,
  file: text("a file with a jti or sub in each line").default(""),
});

const jwt: z.ZodType<JwtPolicy, unknown> = z
  .strictObject({
    from: sources({ kind: "bearer", name: "" }),
    required,
    algorithms: list(oneOf(SIGNATURES), "algorithms", SIGNATURES.length).optional(),
    secret: text("a secret").optional(),
    publicKey: text("a public key in PEM").optional(),
    jwks: httpUrl.optional(),
    issuer: strings.default([]),
    audience: strings.default([]),
    clockSkew: duration(0).default(30_000),
    requiredClaims: list(text("a claim's name"), "claims", 100).default([]),
    revoked: revoked.optional(),
    forward: z
      .record(text("a claim's name"), headerName, { error: "claims with the names of headers" })
      .default({}),
  })
  .transform((fields, context): JwtPolicy => {
    const key = keySource(fields);
    const algorithms = fields.algorithms ?? (fields.secret === undefined ? [] : ["HS256" as const]);
    for (const issue of checkKey(key, algorithms)) context.addIssue({ code: "custom", ...issue });
    return {
      kind: "jwt",
      from: fields.from,
      required: fields.required,
      algorithms,
      source: key ?? { kind: "secret", secret: "" },
      issuer: fields.issuer,
      audience: fields.audience,
      skewMs: fields.clockSkew,
      requiredClaims: fields.requiredClaims,
      revoked: fields.revoked ?? null,
      forward: Object.entries(fields.forward),
    };
  });

const METHODS = { jwt, apiKey, basic, forwardAuth };
const ONE = `one way to say who asks, of ${Object.keys(METHODS).join(", ")}`;

const method: z.ZodType<AuthPolicy, unknown> = z
  .strictObject(
    {
      jwt: jwt.optional(),
      apiKey: apiKey.optional(),
      basic: basic.optional(),
      forwardAuth: forwardAuth.optional(),
    },
    { error: ONE },
  )
  .transform((fields, context): AuthPolicy => {
    const [only, second] = Object.values(fields);
    if (only !== undefined && second === undefined) return only;
    context.addIssue({ code: "custom", message: ONE });
    return z.NEVER;
  });

const methods = list(method, "ways to say who asks", 10).refine(({ length }) => length > 0, ONE);

const anyOf: z.ZodType<AnyOfPolicy, unknown> = z
  .union([methods, z.strictObject({ methods, required })], {
    error: "a list of ways to say who asks, or { methods, required }",
  })
  .transform((fields): AnyOfPolicy => {
    return Array.isArray(fields)
      ? { kind: "anyOf", methods: fields, required: true }
      : { kind: "anyOf", ...fields };
  });

export const AUTH: {
  readonly [K in AuthPolicy["kind"] | "anyOf"]: z.ZodType<PolicyConfig, unknown>;
} = {
  ...METHODS,
  anyOf,
};
