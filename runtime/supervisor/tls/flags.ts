// TLS by flags of `edge serve` instead of the configuration file: one certificate, or one made here for development.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { readCertificate } from "../../../control/gateway/front-tls.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import type { FrontTls, GatewayConfig } from "../../../sdk/gateway/config.ts";
import type { ServeOptions } from "../../../sdk/serve.ts";
import { createSelfSigned } from "./self-signed.ts";

const FOLDER = "tls";
/** A browser's exception is for one certificate; a new one only when this one is about to end. */
const RENEW_BEFORE_MS = 30 * 86_400_000;

/** By flags, without its certificate. */
export const PLAIN_TLS: FrontTls = {
  certificates: [],
  minVersion: "TLSv1.2",
  clientAuth: "none",
  clientCa: "",
  clientCaFile: "",
  redirectPort: null,
  hsts: "",
};

/** null: TLS stands in the file, or nowhere. */
export type TlsFlags = () => FrontTls;

/** Throws USAGE. `data`: absolute. */
export function tlsFlags(options: ServeOptions, data: string): TlsFlags | null {
  const { tlsCert, tlsKey, tlsSelfSigned } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new EdgeError("USAGE", "--tls-cert and --tls-key go together");
  }
  if (tlsCert !== undefined && tlsKey !== undefined) {
    if (tlsSelfSigned) {
      throw new EdgeError("USAGE", "--tls-self-signed is for a node without --tls-cert");
    }
    return () => settings(tlsCert, tlsKey);
  }
  if (!tlsSelfSigned) return null;
  const folder = join(data, FOLDER);
  const [cert, key] = [join(folder, "self-signed.crt"), join(folder, "self-signed.key")];
  return () => {
    if (!isUsable(cert, key)) makeFiles(folder, { cert, key });
    return settings(cert, key);
  };
}

/** Throws GATEWAY_CONFIG_INVALID where both say something. */
export function withFlags(config: GatewayConfig, flags: TlsFlags | null): GatewayConfig {
  if (flags === null) return config;
  if (config.tls === null) return { ...config, tls: flags() };
  const message = "TLS stands in the configuration file and in flags of edge serve: choose one";
  throw new EdgeError("GATEWAY_CONFIG_INVALID", message);
}

function settings(certFile: string, keyFile: string): FrontTls {
  const certificate = readCertificate(certFile, keyFile);
  if (typeof certificate === "string") throw new EdgeError("GATEWAY_CONFIG_INVALID", certificate);
  return { ...PLAIN_TLS, certificates: [certificate] };
}

function isUsable(cert: string, key: string): boolean {
  if (!existsSync(cert) || !existsSync(key)) return false;
  const { validTo } = new X509Certificate(readFileSync(cert));
  return Date.parse(validTo) - Date.now() > RENEW_BEFORE_MS;
}

function makeFiles(folder: string, files: { readonly cert: string; readonly key: string }): void {
  const names = [...new Set(["localhost", hostname().toLowerCase()])];
  const made = createSelfSigned([...names, "*.localhost", "127.0.0.1", "::1"], Date.now());
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The key last: with the certificate alone, both are made again.
  for (const [path, text] of [
    [files.cert, made.cert],
    [files.key, made.key],
  ] as const) {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
