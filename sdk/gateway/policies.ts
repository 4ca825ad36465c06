// The policies of a route in normal form.

import type { Json } from "../errors.ts";

export type PolicyConfig =
  | {
      readonly kind: "ipFilter";
      readonly allow: readonly string[];
      readonly deny: readonly string[];
    }
  | RateLimitPolicy
  | JwtPolicy
  | CorsPolicy
  | { readonly kind: "headers"; readonly request: HeaderChange; readonly response: HeaderChange }
  | { readonly kind: "bodyLimit"; readonly bytesMax: number }
  | { readonly kind: "timeout"; readonly totalMs: number }
  | CustomPolicy;

export type PolicyKind = PolicyConfig["kind"];

export const ALGORITHMS = ["token-bucket", "fixed-window", "sliding-window", "gcra"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface KeySource {
  readonly kind: "ip" | "apiKey" | "jwt" | "header" | "route";
  /** Of the claim or header. */
  readonly name: string;
}

export interface RateLimitPolicy {
  readonly kind: "rateLimit";
  /** What the counts are kept under: the same text, the same counts. */
  readonly id: string;
  readonly algorithm: Algorithm;
  /** Requests at once: the bucket's size, or what a window takes. */
  readonly capacity: number;
  /** Of token-bucket and gcra. */
  readonly refillPerSec: number;
  /** Of the windows. */
  readonly windowMs: number;
  readonly key: readonly KeySource[];
}

export const SIGNATURES = [
  "HS256",
  "HS384",
  "HS512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;
export type Signature = (typeof SIGNATURES)[number];

export interface JwtPolicy {
  readonly kind: "jwt";
  readonly algorithms: readonly Signature[];
  readonly source:
    | { readonly kind: "secret"; readonly secret: string }
    | { readonly kind: "publicKey"; readonly pem: string }
    | { readonly kind: "jwks"; readonly url: string };
  readonly issuer: readonly string[];
  readonly audience: readonly string[];
  readonly skewMs: number;
  readonly requiredClaims: readonly string[];
  /** Claim, then the header it is sent on in. */
  readonly forward: readonly (readonly [string, string])[];
}

export interface CorsPolicy {
  readonly kind: "cors";
  /** "*" alone: any. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeSec: number;
}

/** Names in lower case. */
export interface HeaderChange {
  readonly set: readonly (readonly [string, string])[];
  readonly add: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

export interface CustomPolicy {
  readonly kind: "custom";
  /** Whose handler has the methods. */
  readonly endpoint: string;
  /** Handed to them. */
  readonly options: Json;
}
