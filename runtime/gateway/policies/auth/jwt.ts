// Lets through who brings a token that verifies: JSON Web Tokens. The door to jose.
//
// Which algorithms are taken is configured and fits the key's type (control/gateway/policies/keys.ts), whatever the
// token's header says: so neither "none" nor a public key used as a secret verifies. Keys come from the configuration
// alone; `jku`, `jwk` and `x5u` of a token are not looked at, `kid` only selects among the configured key set. `crit`
// of anything unknown is refused. The client is not told why: that is for the log and the metric.

import { createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose";
import type { JwtPolicy } from "../../../../sdk/gateway/policies.ts";
import type { HeaderList } from "../../../../sdk/exchange.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";
import { createReader } from "./credentials.ts";
import { ACCEPTED, type Method, type Refused, type Verdict } from "./method.ts";
import { hasRepeatedKey } from "./repeated-key.ts";

/** Parsing costs by length; no token of use is longer. */
export const TOKEN_CHARS_MAX: number = 8 * 1024;
/** A key set is fetched again for an unknown `kid`, but no more often: tokens of attackers have unknown ones. */
export const JWKS_FLOOR_MS = 30_000;
const JWKS_AGE_MS_MAX = 600_000;
const JWKS_TIMEOUT_MS = 5_000;

const CHALLENGE = "www-authenticate\nBearer\n";
const INVALID = 'www-authenticate\nBearer error="invalid_token"\n';
const ABSENT: Verdict = { kind: "absent", challenge: CHALLENGE };
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/;
const NOT_A_VALUE = /[^\t -~]/g;

type Verify = (token: string) => Promise<JWTPayload>;

export function createJwt(policy: JwtPolicy, host: PolicyHost): Method {
  const verify = createVerify(policy, host);
  const isRevoked = createRevoked(policy);
  const readers = policy.from.map((source) => createReader(source));
  return {
    owned: policy.forward.map(([, header]) => header),
    async ask(pass) {
      const token = readers.map(({ read }) => read(pass)).find((text) => text !== "");
      // Of the scheme, but none: it is not that nothing was brought.
      if (token === undefined) return isBearer(pass, policy) ? refused("malformed") : ABSENT;
      if (token.length > TOKEN_CHARS_MAX || !TOKEN.test(token)) return refused("malformed");
      try {
        const claims = await verify(token);
        if (isAmbiguous(token)) return refused("malformed");
        if (isRevoked(claims)) return refused("revoked");
        pass.claims = claims;
        pass.headers += forwarded(claims, policy.forward);
        return ACCEPTED;
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== "keys") return refused(reason);
        const code = "TOKEN_KEYS_UNAVAILABLE";
        return { kind: "refused", code, reason, challenge: "", logged: String(error) };
      }
    },
  };
}

function refused(reason: string): Refused {
  return { kind: "refused", code: "TOKEN_INVALID", reason, challenge: INVALID };
}

function isBearer({ exchange }: Pass, { from }: JwtPolicy): boolean {
  const reads = from.some(({ kind }) => kind === "bearer");
  return reads && /^Bearer(?: |$)/i.test(exchange.header("authorization") ?? "");
}

/** Of the token alone (jti), or of all whose subject is named. */
function createRevoked({ revoked }: JwtPolicy): (claims: JWTPayload) => boolean {
  if (revoked === null) return () => false;
  const ids = new Set(revoked.jti);
  const subjects = new Set(revoked.sub);
  return ({ jti, sub }) =>
    (jti !== undefined && ids.has(jti)) || (sub !== undefined && subjects.has(sub));
}

/** Header and claims of a token that has verified: what is read here is what others read. */
function isAmbiguous(token: string): boolean {
  const [header = "", claims = ""] = token.split(".");
  return [header, claims].some((part) => hasRepeatedKey(Buffer.from(part, "base64url").toString()));
}

function createVerify(policy: JwtPolicy, host: PolicyHost): Verify {
  const { source, algorithms, issuer, audience, skewMs, requiredClaims } = policy;
  const options = () => ({
    algorithms: [...algorithms],
    clockTolerance: skewMs / 1_000,
    currentDate: new Date(host.wallClock()),
    requiredClaims: [...requiredClaims],
    ...(issuer.length > 0 && { issuer: [...issuer] }),
    ...(audience.length > 0 && { audience: [...audience] }),
  });
  if (source.kind === "jwks") {
    const keys = keySet(source.url);
    return async (token) => (await jwtVerify(token, keys, options())).payload;
  }
  const key: KeyObject =
    source.kind === "secret"
      ? createSecretKey(Buffer.from(source.secret))
      : createPublicKey(source.pem);
  return async (token) => (await jwtVerify(token, key, options())).payload;
}

/** One per address in this process, so that routes and reloads share what was fetched. */
const keySets = new Map<string, JWTVerifyGetKey>();

function keySet(url: string): JWTVerifyGetKey {
  let found = keySets.get(url);
  if (found === undefined) {
    found = createRemoteJWKSet(new URL(url), {
      cooldownDuration: JWKS_FLOOR_MS,
      cacheMaxAge: JWKS_AGE_MS_MAX,
      timeoutDuration: JWKS_TIMEOUT_MS,
    });
    keySets.set(url, found);
  }
  return found;
}

/** As fields of a header list. */
function forwarded(claims: JWTPayload, pairs: JwtPolicy["forward"]): HeaderList {
  let headers = "";
  for (const [claim, header] of pairs) {
    const value: unknown = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
    if (value === undefined || value === null) continue;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    headers += `${header}\n${text.replaceAll(NOT_A_VALUE, "")}\n`;
  }
  return headers;
}

/** A closed set: it is a metric's label. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWTClaimValidationFailed) return "claim";
  if (error instanceof errors.JOSEAlgNotAllowed) return "algorithm";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "signature";
  if (error instanceof errors.JWKSNoMatchingKey) return "key";
  if (error instanceof errors.JWKSMultipleMatchingKeys) return "key";
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return "malformed";
  if (error instanceof errors.JOSENotSupported) return "algorithm";
  // Fetching them failed, or what came is no key set.
  return "keys";
}
