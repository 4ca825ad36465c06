// Lets through who brings a token that verifies: JSON Web Tokens in `Authorization: Bearer`. The door to jose.
//
// Which algorithms are taken is configured and fits the key's type (control/gateway/policies/keys.ts), whatever the
// token's header says: so neither "none" nor a public key used as a secret verifies. Keys come from the configuration
// alone; `jku`, `jwk` and `x5u` of a token are not looked at, `kid` only selects among the configured key set. `crit`
// of anything unknown is refused. The client is not told why: that is for the log and the metric.

import { createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose";
import type { JwtPolicy } from "../../../../sdk/gateway/policies.ts";
import { withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";

/** Parsing costs by length; no token of use is longer. */
export const TOKEN_CHARS_MAX: number = 8 * 1024;
/** A key set is fetched again for an unknown `kid`, but no more often: tokens of attackers have unknown ones. */
export const JWKS_FLOOR_MS = 30_000;
const JWKS_AGE_MS_MAX = 600_000;
const JWKS_TIMEOUT_MS = 5_000;

const CHALLENGE = "www-authenticate\nBearer\n";
const INVALID = 'www-authenticate\nBearer error="invalid_token"\n';
const BEARER = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*)$/i;
const NOT_A_VALUE = /[^\t -~]/g;

type Verify = (token: string) => Promise<JWTPayload>;

export function createJwt(policy: JwtPolicy, host: PolicyHost): Policy {
  const verify = createVerify(policy, host);
  // A client's own headers of these names would pass for claims.
  const names = new Set(policy.forward.map(([, header]) => header));
  const refuse = (pass: Pass, reason: string, challenge: string): false => {
    host.counted("edge_auth_failures_total", reason);
    pass.ticket.fail("TOKEN_INVALID", undefined, challenge);
    return false;
  };
  return {
    onRequest: async (pass) => {
      const header = pass.exchange.header("authorization");
      if (header === undefined) return refuse(pass, "missing", CHALLENGE);
      const token = header.length <= TOKEN_CHARS_MAX ? BEARER.exec(header)?.[1] : undefined;
      if (token === undefined) return refuse(pass, "malformed", INVALID);
      try {
        pass.claims = await verify(token);
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== "keys") return refuse(pass, reason, INVALID);
        host.counted("edge_auth_failures_total", reason);
        pass.ticket.fail("TOKEN_KEYS_UNAVAILABLE", String(error));
        return false;
      }
      pass.headers = forwarded(pass, names, policy.forward);
      return true;
    },
  };
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

function forwarded(pass: Pass, names: ReadonlySet<string>, pairs: JwtPolicy["forward"]): string {
  if (names.size === 0) return pass.headers;
  let headers = withoutHeaders(pass.headers, names);
  for (const [claim, header] of pairs) {
    const claims = pass.claims ?? {};
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
