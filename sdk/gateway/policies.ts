// The policies of a route in normal form.

import type { Json } from "../errors.ts";
import type { OpenApiRules } from "./openapi.ts";

export type PolicyConfig =
  | {
      readonly kind: "ipFilter";
      readonly allow: readonly string[];
      readonly deny: readonly string[];
    }
  | RateLimitPolicy
  | ConcurrencyPolicy
  | LoadShedPolicy
  | MtlsPolicy
  | AuthPolicy
  | AnyOfPolicy
  | CorsPolicy
  | { readonly kind: "headers"; readonly request: HeaderChange; readonly response: HeaderChange }
  | QueryPolicy
  | RequestIdPolicy
  | MirrorPolicy
  | { readonly kind: "bodyLimit"; readonly bytesMax: number }
  | { readonly kind: "timeout"; readonly totalMs: number }
  | CompressionPolicy
  | IdempotencyPolicy
  | CachePolicy
  | SecurityHeadersPolicy
  | ErrorPagesPolicy
  | MaintenancePolicy
  | FaultPolicy
  | ValidationPolicy
  | CustomPolicy;

export interface MtlsPolicy {
  readonly kind: "mtls";
  /** As CN:a, DNS:a.example, URI:spiffe://b, email:c, IP:d, SHA256:hex; none: whoever has a certificate. */
  readonly allow: readonly string[];
  /** What is told to those behind, and in which header. */
  readonly forward: readonly (readonly ["subject" | "names" | "fingerprint" | "xfcc", string])[];
}

export type PolicyKind = PolicyConfig["kind"];

export const ALGORITHMS = ["token-bucket", "fixed-window", "sliding-window", "gcra"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface KeySource {
  readonly kind: "ip" | "apiKey" | "consumer" | "jwt" | "header" | "route";
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
  /** Which other nodes count in too; "": it is this node's alone. */
  readonly store: string;
}

export interface ConcurrencyPolicy {
  readonly kind: "concurrency";
  /** As a rate limit's. */
  readonly id: string;
  /** Requests that are open at once, over all workers. */
  readonly max: number;
  readonly key: readonly KeySource[];
  /** Further ones that wait, in each worker; 0: none. */
  readonly queueMax: number;
  readonly timeoutMs: number;
  /** As a rate limit's. */
  readonly store: string;
}

export const PRIORITIES = ["low", "normal", "high"] as const;
export type Priority = (typeof PRIORITIES)[number];

export interface LoadShedPolicy {
  readonly kind: "loadShed";
  /** Of the event loop; routes of more than low priority bear more. */
  readonly maxLagMs: number;
  readonly priority: Priority;
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

/** Ways to say who asks. */
export type AuthPolicy = JwtPolicy | ApiKeyPolicy | BasicPolicy | ForwardAuthPolicy;

/** One of the methods is enough. */
export interface AnyOfPolicy {
  readonly kind: "anyOf";
  readonly methods: readonly AuthPolicy[];
  readonly required: boolean;
}

/** Where a request may carry a credential. */
export interface CredentialSource {
  readonly kind: "bearer" | "header" | "query" | "cookie";
  /** Of the header, parameter or cookie. */
  readonly name: string;
}

export interface ApiKeyPolicy {
  readonly kind: "apiKey";
  readonly from: readonly CredentialSource[];
  /** One of these, where there are any. */
  readonly groups: readonly string[];
  /** False: who brings none passes without a name. */
  readonly required: boolean;
  /** The credential is not sent on. */
  readonly hide: boolean;
}

export interface BasicPolicy {
  readonly kind: "basic";
  readonly realm: string;
  readonly groups: readonly string[];
  readonly required: boolean;
  readonly hide: boolean;
}

export interface ForwardAuthPolicy {
  readonly kind: "forwardAuth";
  /** Whom to ask: one of the two. */
  readonly url?: string | undefined;
  readonly upstream?: string | undefined;
  /** With its query; of an upstream. */
  readonly path: string;
  readonly timeoutMs: number;
  /** Sent to it, in lower case; none: all. */
  readonly requestHeaders: readonly string[];
  /** Of its reply, added to the request. */
  readonly responseHeaders: readonly string[];
  readonly required: true;
}

export interface ConsumerConfig {
  readonly name: string;
  readonly groups: readonly string[];
  /** SHA-256 of each, in hex. */
  readonly keys: readonly string[];
  readonly password: PasswordHash | null;
  /** Of all its requests. */
  readonly limit: RateLimitPolicy | null;
}

/** Of one that the configuration takes from the environment, or as a file may hold it. */
export type PasswordHash = { readonly kind: "sha256"; readonly hash: string } | ScryptHash;

/** Salt and hash in base64. */
export interface ScryptHash {
  readonly kind: "scrypt";
  readonly log2N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: string;
  readonly hash: string;
}

/** By the token's own id, or by whom it is about. */
export interface Revoked {
  readonly jti: readonly string[];
  readonly sub: readonly string[];
  /** Whose lines are among them; absolute, "" for none. */
  readonly file: string;
}

export interface JwtPolicy {
  readonly kind: "jwt";
  readonly from: readonly CredentialSource[];
  readonly required: boolean;
  readonly algorithms: readonly Signature[];
  readonly source:
    | { readonly kind: "secret"; readonly secret: string }
    | { readonly kind: "publicKey"; readonly pem: string }
    | { readonly kind: "jwks"; readonly url: string };
  readonly issuer: readonly string[];
  readonly audience: readonly string[];
  readonly skewMs: number;
  readonly requiredClaims: readonly string[];
  /** Tokens that have not run out and are good no more. */
  readonly revoked: Revoked | null;
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

/** Texts may hold what those of `headers` may. */
export interface QueryPolicy {
  readonly kind: "query";
  readonly set: readonly (readonly [string, string])[];
  readonly add: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

export const ID_SOURCES = ["trusted", "all", "none"] as const;

export interface RequestIdPolicy {
  readonly kind: "requestId";
  /** Whose ids are taken over: those of trusted proxies, of any client, nobody's. */
  readonly accept: (typeof ID_SOURCES)[number];
  /** That has it, in lower case. */
  readonly header: string;
}

/** Some requests are sent to another upstream too, whose replies nobody sees. */
export interface MirrorPolicy {
  readonly kind: "mirror";
  readonly upstream: string;
  /** From 0 to 1. */
  readonly share: number;
  /** Requests with longer bodies are not mirrored. */
  readonly bodyBytesMax: number;
  /** That are open at once in each worker; further ones are not mirrored. */
  readonly openMax: number;
  readonly timeoutMs: number;
}

export interface CustomPolicy {
  readonly kind: "custom";
  /** Whose handler has the methods. */
  readonly endpoint: string;
  /** Handed to them. */
  readonly options: Json;
}

/** In the order in which they are preferred where nobody says otherwise. */
export const ENCODINGS = ["br", "zstd", "gzip"] as const;
export type ContentEncoding = (typeof ENCODINGS)[number];

export interface CompressionPolicy {
  readonly kind: "compression";
  readonly encodings: readonly ContentEncoding[];
  /** Shorter bodies go on as they are. */
  readonly bytesMin: number;
  /** text/html, text/*, *+json; in lower case. */
  readonly types: readonly string[];
}

export interface IdempotencyPolicy {
  readonly kind: "idempotency";
  /** That has the key, in lower case. */
  readonly header: string;
  readonly methods: readonly string[];
  readonly required: boolean;
  /** How long a reply is kept. */
  readonly ttlMs: number;
  /** After which a request that is under way no longer keeps others waiting. */
  readonly lockMs: number;
  /** For one that is under way. */
  readonly waitMs: number;
  readonly bodyBytesMax: number;
  readonly replyBytesMax: number;
}

/** Names in lower case. */
export interface SecurityHeadersPolicy {
  readonly kind: "securityHeaders";
  readonly set: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

export interface ErrorPage {
  /** 404, 5xx, UPSTREAM_FAILED. */
  readonly on: readonly string[];
  /** "" for none; one of the two there is. */
  readonly html: string;
  readonly json: string;
}

export interface ErrorPagesPolicy {
  readonly kind: "errorPages";
  readonly pages: readonly ErrorPage[];
  /** Whose failures: "all" takes in the target's. */
  readonly replies: "gateway" | "all";
}

export interface MaintenancePolicy {
  readonly kind: "maintenance";
  readonly enabled: boolean;
  /** As CIDR. */
  readonly allow: readonly string[];
  readonly retryAfterSec: number;
}

export interface FaultPolicy {
  readonly kind: "fault";
  /** Only requests that have it; "" for all. */
  readonly header: string;
  /** Shares from 0 to 1. */
  readonly delayShare: number;
  readonly delayMs: number;
  readonly abortShare: number;
  readonly abortStatus: number;
}

/** JSON Schemas; null: anything fits. */
export interface ValidationPolicy {
  readonly kind: "validation";
  readonly body: object | null;
  readonly query: object | null;
  readonly headers: object | null;
  readonly openapi: OpenApiRules | null;
  readonly bodyBytesMax: number;
}

export interface CachePolicy {
  readonly kind: "cache";
  /** Of a 200 that does not say; 0: it is not kept. */
  readonly ttlMs: number;
  /** Of a body. */
  readonly bytesMax: number;
  /** That make another address of it, in lower case. */
  readonly headers: readonly string[];
  /** Of replies that do not say. */
  readonly staleMs: number;
  readonly staleErrorMs: number;
}
