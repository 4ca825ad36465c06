// TLS in front: from the file's fields to certificates that are read, and known to work with their keys. A certificate
// that cannot be used is found here, before any worker is told.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { domainToASCII } from "node:url";
import { z } from "zod";
import {
  CLIENT_AUTHS,
  type ClientAuth,
  type FrontCertificate,
  type FrontTls,
} from "../../sdk/gateway/config.ts";
import type { Finding } from "./faults.ts";
import { count, flag, list, oneOf, text } from "./fields.ts";
import type { Path } from "./yaml.ts";

/** Each costs some tens of kilobytes in each worker. */
const CERTIFICATES_MAX = 1_000;
/** A chain has a few kilobytes. */
const PEM_BYTES_MAX: number = 256 * 1024;
/** What browsers ask for before they take a host to their lists. */
const HSTS_SECONDS_DEFAULT = 31_536_000;
const HSTS_SECONDS_MAX = 315_360_000;
const PORT_MAX = 65_535;
const HOST = /^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/;

const hostField = text("a host such as api.example.com or *.example.com").transform(
  (value, context) => {
    const isWildcard = value.startsWith("*.");
    const name = domainToASCII(isWildcard ? value.slice(2) : value);
    if (HOST.test(name)) return isWildcard ? `*.${name}` : name;
    context.addIssue({ code: "custom", message: "a host such as api.example.com" });
    return z.NEVER;
  },
);

const certificate = z.strictObject({
  cert: text("a file with a certificate, and those it rests on, in PEM"),
  key: text("a file with a key in PEM"),
  hosts: list(hostField, "hosts").optional(),
});

const hsts = z.strictObject({
  maxAge: count(0, HSTS_SECONDS_MAX).default(HSTS_SECONDS_DEFAULT),
  includeSubDomains: flag().default(false),
  preload: flag().default(false),
});

export const frontTlsSchema: z.ZodType<FrontTlsFields, unknown> = z.strictObject({
  certificates: list(certificate, "certificates", CERTIFICATES_MAX).refine(
    (all) => all.length > 0,
    { error: "at least one certificate" },
  ),
  /** YAML reads 1.2 as a number. */
  minVersion: z.literal(["1.2", "1.3", 1.2, 1.3], { error: "1.2 or 1.3" }).default("1.2"),
  clientAuth: oneOf(CLIENT_AUTHS).default("none"),
  clientCa: text("a file with certificates in PEM").optional(),
  redirect: z
    .union([z.boolean(), count(1, PORT_MAX)], { error: "true, false or the port to send to" })
    .default(false),
  hsts: z.union([z.boolean(), hsts], { error: "true, false or its settings" }).default(false),
});

export interface FrontTlsFields {
  readonly certificates: readonly {
    readonly cert: string;
    readonly key: string;
    readonly hosts?: readonly string[] | undefined;
  }[];
  readonly minVersion: "1.2" | "1.3" | 1.2 | 1.3;
  readonly clientAuth: ClientAuth;
  readonly clientCa?: string | undefined;
  readonly redirect: boolean | number;
  readonly hsts: boolean | HstsFields;
}

interface HstsFields {
  readonly maxAge: number;
  readonly includeSubDomains: boolean;
  readonly preload: boolean;
}

/** `folder`: what names of files are relative to. */
export function frontTlsOf(
  fields: FrontTlsFields,
  { folder, path }: { readonly folder: string; readonly path: Path },
  found: Finding[],
): FrontTls {
  const certificates = fields.certificates.map((one, index): FrontCertificate => {
    const at: Path = [...path, "certificates", index];
    const read = readCertificate(resolve(folder, one.cert), resolve(folder, one.key));
    if (typeof read !== "string") return { ...read, hosts: one.hosts ?? read.hosts };
    found.push({ path: at, expected: "a certificate and its key, in PEM", problem: read });
    return { hosts: [], cert: "", key: "", certFile: "", keyFile: "" };
  });
  return {
    certificates,
    ...clientsOf(fields, { folder, path }, found),
    minVersion: String(fields.minVersion) === "1.3" ? "TLSv1.3" : "TLSv1.2",
    redirectPort: redirectPort(fields.redirect),
    hsts: hstsValue(fields.hsts),
  };
}

/** Without authorities of its own a node would believe everybody who has a certificate of the system's. */
function clientsOf(
  { clientAuth, clientCa }: FrontTlsFields,
  { folder, path }: { readonly folder: string; readonly path: Path },
  found: Finding[],
): Pick<FrontTls, "clientAuth" | "clientCa" | "clientCaFile"> {
  const none = { clientAuth, clientCa: "", clientCaFile: "" };
  if (clientAuth === "none" && clientCa === undefined) return none;
  const at: Path = [...path, "clientCa"];
  if (clientAuth === "none" || clientCa === undefined) {
    const problem = `${clientCa === undefined ? "clientAuth" : "clientCa"} without the other`;
    found.push({ path: at, expected: "clientAuth and clientCa together", problem });
    return none;
  }
  const clientCaFile = resolve(folder, clientCa);
  const pem = readPem(clientCaFile);
  try {
    if (pem !== null && new X509Certificate(pem).subject !== undefined) {
      return { clientAuth, clientCa: pem, clientCaFile };
    }
  } catch {
    // Told below.
  }
  found.push({ path: at, expected: "a file in PEM", problem: `${clientCaFile} cannot be used` });
  return none;
}

/** A text: what is wrong with them. */
export function readCertificate(certFile: string, keyFile: string): FrontCertificate | string {
  const cert = readPem(certFile);
  const key = readPem(keyFile);
  if (cert === null || key === null) {
    return `${cert === null ? certFile : keyFile} cannot be read`;
  }
  try {
    // What the listeners will do with them; it also finds a key that is another certificate's.
    createSecureContext({ cert, key });
    return { hosts: hostsOf(new X509Certificate(cert)), cert, key, certFile, keyFile };
  } catch (error) {
    // The library's own words name no part of a key.
    const why = error instanceof Error ? error.message : String(error);
    return `${certFile} and ${keyFile} cannot be used: ${why}`;
  }
}

function readPem(path: string): string | null {
  try {
    const pem = readFileSync(path, "utf8");
    return Buffer.byteLength(pem) <= PEM_BYTES_MAX ? pem : null;
  } catch {
    return null;
  }
}

function hostsOf({ subjectAltName = "", subject }: X509Certificate): string[] {
  const names = [...subjectAltName.matchAll(/(?:^|, )DNS:([^,\s"]+)/g)].map(([, name]) => name);
  const common = /^CN=(.+)$/m.exec(subject)?.[1];
  return (names.length > 0 ? names : [common])
    .map((name) => (name ?? "").toLowerCase())
    .filter((name) => HOST.test(name));
}

function redirectPort(redirect: boolean | number): number | null {
  if (typeof redirect === "number") return redirect;
  return redirect ? 0 : null;
}

function hstsValue(fields: FrontTlsFields["hsts"]): string {
  if (fields === false) return "";
  const given = fields === true ? hsts.parse({}) : fields;
  const { maxAge, includeSubDomains, preload } = given;
  return (
    `max-age=${maxAge}` +
    `${includeSubDomains ? "; includeSubDomains" : ""}${preload ? "; preload" : ""}`
  );
}
