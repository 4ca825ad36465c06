// The policies of a route as the file has them, each made into its normal form.

import { z } from "zod";
import { ALGORITHMS, SIGNATURES, type PolicyConfig } from "../../sdk/gateway/config.ts";
import {
  cidrField,
  count,
  duration,
  flag,
  headerName,
  headerPairs,
  httpUrl,
  keyField,
  list,
  methodField,
  oneOf,
  size,
  text,
} from "./fields.ts";
import { checkKey, keySource } from "./keys.ts";

const ipFilter = z
  .strictObject({
    allow: list(cidrField, "networks").default([]),
    deny: list(cidrField, "networks").default([]),
  })
  .transform((fields): PolicyConfig => ({ kind: "ipFilter", ...fields }));

/** A bucket of more is no limit. */
const CAPACITY_MAX = 1_000_000_000;
const RATE = "a number above 0";

const rateLimit = z
  .strictObject({
    algorithm: oneOf(ALGORITHMS).default("token-bucket"),
    capacity: count(0, CAPACITY_MAX),
    refillPerSec: z.number({ error: RATE }).positive(RATE).max(CAPACITY_MAX, RATE).optional(),
    window: duration().optional(),
    key: keyField.default([{ kind: "ip", name: "" }]),
  })
  .transform((fields, context): PolicyConfig => {
    const { algorithm, capacity, refillPerSec, window, key } = fields;
    const isWindow = algorithm === "fixed-window" || algorithm === "sliding-window";
    const [needed, odd] = isWindow ? ["window", "refillPerSec"] : ["refillPerSec", "window"];
    const given = isWindow ? window : refillPerSec;
    if (given === undefined) {
      const message = isWindow ? "a duration such as 1m (window)" : `${RATE} (refillPerSec)`;
      context.addIssue({ code: "custom", path: [needed ?? ""], message });
    }
    if ((isWindow ? refillPerSec : window) !== undefined) {
      const message = `nothing here: ${algorithm} has no ${odd}`;
      context.addIssue({ code: "custom", path: [odd ?? ""], message });
    }
    return {
      kind: "rateLimit",
      id: "",
      algorithm,
      capacity,
      refillPerSec: refillPerSec ?? 0,
      windowMs: window ?? 0,
      key,
    };
  });

const strings = z
  .union([text("a text"), list(text("a text"), "texts", 100)], { error: "a text or a list" })
  .transform((value) => (Array.isArray(value) ? value : [value]));

const jwt = z
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

const ORIGIN = "an origin such as https://app.example.com, or *";
const origin = text(ORIGIN, /^(?:\*|[a-z][a-z0-9+.-]*:\/\/[^/\s,]+)$/);

const cors = z
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

const headerChange = z.strictObject({
  set: headerPairs.default([]),
  add: headerPairs.default([]),
  remove: list(headerName, "headers").default([]),
});

const headers = z
  .strictObject({ request: headerChange.prefault({}), response: headerChange.prefault({}) })
  .transform((fields): PolicyConfig => ({ kind: "headers", ...fields }));

const bodyLimit = z
  .strictObject({ max: size() })
  .transform(({ max }): PolicyConfig => ({ kind: "bodyLimit", bytesMax: max }));

const timeout = z
  .strictObject({ total: duration() })
  .transform(({ total }): PolicyConfig => ({ kind: "timeout", totalMs: total }));

const POLICIES = { ipFilter, rateLimit, jwt, cors, headers, bodyLimit, timeout };
const ONE = `one policy, of ${Object.keys(POLICIES).join(", ")}`;

export const policySchema: z.ZodType<PolicyConfig, unknown> = z
  .strictObject(
    {
      ipFilter: ipFilter.optional(),
      rateLimit: rateLimit.optional(),
      jwt: jwt.optional(),
      cors: cors.optional(),
      headers: headers.optional(),
      bodyLimit: bodyLimit.optional(),
      timeout: timeout.optional(),
    },
    { error: ONE },
  )
  .meta({ minProperties: 1, maxProperties: 1 })
  .transform((fields, context): PolicyConfig => {
    const [policy, second] = Object.values(fields);
    if (policy !== undefined && second === undefined) return policy;
    context.addIssue({ code: "custom", message: ONE });
    return z.NEVER;
  });
