// Whether the key of a jwt policy can verify what it is to verify. A key of one type never verifies a signature of
// another: that is how a public key is made to pass for a secret.

import { createPublicKey, type KeyObject } from "node:crypto";
import type { JwtPolicy, Signature } from "../../../sdk/gateway/policies.ts";

/** RFC 7518, section 3.2: as long as the hash. */
const SECRET_BYTES_MIN: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };
/** RFC 7518, section 3.3. */
const RSA_BITS_MIN = 2_048;

const CURVES: Readonly<Record<string, string>> = {
  ES256: "prime256v1",
  ES384: "secp384r1",
  ES512: "secp521r1",
};

export interface KeyFields {
  readonly secret?: string | undefined;
  readonly publicKey?: string | undefined;
  readonly jwks?: string | undefined;
}

interface KeyIssue {
  readonly path: string[];
  /** What is expected. */
  readonly message: string;
}

/** null: none, or more than one. */
export function keySource({ secret, publicKey, jwks }: KeyFields): JwtPolicy["source"] | null {
  const all: JwtPolicy["source"][] = [];
  if (secret !== undefined) all.push({ kind: "secret", secret });
  if (publicKey !== undefined) all.push({ kind: "publicKey", pem: publicKey });
  if (jwks !== undefined) all.push({ kind: "jwks", url: jwks });
  const [source] = all;
  return all.length === 1 && source !== undefined ? source : null;
}

export function checkKey(
  source: JwtPolicy["source"] | null,
  algorithms: readonly Signature[],
): KeyIssue[] {
  if (source === null) {
    return [{ path: [], message: "one key: secret, publicKey or jwks" }];
  }
  if (algorithms.length === 0) {
    const message = "algorithms, by name: a list such as [RS256]";
    return [{ path: ["algorithms"], message }];
  }
  const isShared = source.kind === "secret";
  const odd = algorithms.find((algorithm) => algorithm.startsWith("HS") !== isShared);
  if (odd !== undefined) {
    const kind = isShared ? "HS256, HS384 and HS512" : "RS, PS, ES and EdDSA";
    return [
      { path: ["algorithms"], message: `only ${kind} beside ${source.kind}: ${odd} is not theirs` },
    ];
  }
  if (source.kind === "secret") return checkSecret(source.secret, algorithms);
  return source.kind === "publicKey" ? checkPem(source.pem, algorithms) : [];
}

function checkSecret(secret: string, algorithms: readonly Signature[]): KeyIssue[] {
  const bytesMin = Math.max(...algorithms.map((algorithm) => SECRET_BYTES_MIN[algorithm] ?? 0));
  if (Buffer.byteLength(secret) >= bytesMin) return [];
  const message = `a secret of ${bytesMin} bytes or more for ${algorithms.join(", ")}`;
  return [{ path: ["secret"], message }];
}

function checkPem(pem: string, algorithms: readonly Signature[]): KeyIssue[] {
  const key = parsePem(pem);
  const path = ["publicKey"];
  if (key === null || pem.includes("PRIVATE KEY")) {
    return [{ path, message: "a public key in PEM (-----BEGIN PUBLIC KEY-----)" }];
  }
  return algorithms.flatMap((algorithm) => {
    const message = expectedKey(key, algorithm);
    return message === null ? [] : [{ path, message: `${message} for ${algorithm}` }];
  });
}

function parsePem(pem: string): KeyObject | null {
  try {
    return createPublicKey(pem);
  } catch {
    // Whatever is wrong with it, it is none.
    return null;
  }
}

/** null: the key is right. */
function expectedKey(key: KeyObject, algorithm: Signature): string | null {
  const type = key.asymmetricKeyType ?? "";
  const details = key.asymmetricKeyDetails;
  if (algorithm === "EdDSA") return type === "ed25519" ? null : "an Ed25519 key";
  const curve = CURVES[algorithm];
  if (curve !== undefined) {
    return type === "ec" && details?.namedCurve === curve ? null : `a key on the curve ${curve}`;
  }
  const isLong = (details?.modulusLength ?? 0) >= RSA_BITS_MIN;
  return type === "rsa" && isLong ? null : `an RSA key of ${RSA_BITS_MIN} bits or more`;
}
