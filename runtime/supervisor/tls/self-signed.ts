// A certificate that vouches for itself, for development. Node makes keys and signatures but no certificates, and an
// openssl on every machine is not to be counted on; what is needed of X.509 (RFC 5280) in DER is little.

import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { isIP, isIPv6 } from "node:net";

/** Browsers take certificates of up to 398 days. */
const DAYS = 397;
const DAY_MS = 86_400_000;
/** Clocks of clients differ. */
const BEFORE_MS = 3_600_000;
const SERIAL_BYTES = 16;

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  bytes: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const OID = {
  commonName: "550403",
  ecdsaWithSha256: "2a8648ce3d040302",
  subjectKeyId: "551d0e",
  keyUsage: "551d0f",
  altName: "551d11",
  basicConstraints: "551d13",
  extendedKeyUsage: "551d25",
  serverAuth: "2b06010505070301",
  clientAuth: "2b06010505070302",
} as const;

export interface SelfSigned {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** `hosts`: names and addresses; the first is the subject's. */
export function createSelfSigned(hosts: readonly string[], nowMs: number): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const name = sequence(
    der(TAG.set, sequence(oid(OID.commonName), der(TAG.utf8, Buffer.from(hosts[0] ?? "")))),
  );
  const body = sequence(
    der(0xa0, der(TAG.integer, Buffer.of(2))),
    der(TAG.integer, serial()),
    algorithm,
    name,
    sequence(time(nowMs - BEFORE_MS), time(nowMs + DAYS * DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions(hosts, publicKey))),
  );
  const signature = sign("sha256", body, privateKey);
  const cert = sequence(body, algorithm, der(TAG.bits, Buffer.of(0), signature));
  const lines = cert.toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function extensions(hosts: readonly string[], publicKey: KeyObject): Buffer[] {
  const keyId = createHash("sha1")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest();
  const extension = (id: string, isCritical: boolean, value: Buffer): Buffer =>
    sequence(
      oid(id),
      ...(isCritical ? [der(TAG.boolean, Buffer.of(0xff))] : []),
      der(TAG.bytes, value),
    );
  return [
    extension(OID.basicConstraints, true, sequence()),
    // digitalSignature
    extension(OID.keyUsage, true, der(TAG.bits, Buffer.of(7, 0x80))),
    extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
    extension(OID.altName, false, sequence(...hosts.map(altName))),
    extension(OID.subjectKeyId, false, der(TAG.bytes, keyId)),
  ];
}

function altName(host: string): Buffer {
  return isIP(host) === 0 ? der(0x82, Buffer.from(host)) : der(0x87, addressBytes(host));
}

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const parts = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const missing = tail === undefined ? 0 : 8 - parts(head).length - parts(tail).length;
  const all = [...parts(head), ...Array.from({ length: missing }, () => "0"), ...parts(tail ?? "")];
  return Buffer.from(all.map((part) => part.padStart(4, "0")).join(""), "hex");
}

/** Positive, and of one length. */
function serial(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  // Until 2049 a certificate has to have years of two digits.
  const year = new Date(ms).getUTCFullYear();
  return year < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(TAG.time, Buffer.from(text));
}

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, "hex"));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(TAG.sequence, ...parts);
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...bytes), value]);
}
