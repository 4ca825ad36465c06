// Which certificate a client gets for the name it asks for (RFC 6066 section 3, RFC 6125 section 6.4.3): that name
// itself before a wildcard, which stands for one label; else the first of all.

import assert from "node:assert";
import type { FrontTls, TlsVersion } from "../../../sdk/gateway/config.ts";

/**
 * Forward secrecy and AEAD throughout (RFC 9325), which every client of the last ten years has. OpenSSL's names; those
 * of TLS 1.3 stand apart, since uWS's library has them always and Node's only when they are named.
 */
export const TLS12_CIPHERS: string = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

export const TLS13_CIPHERS: string =
  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

export const TLS_VERSION_MAX: TlsVersion = "TLSv1.3";

/** Of each name the first certificate that is for it; `make` runs once for each certificate. */
export class ServerNames<T> {
  readonly #exact = new Map<string, T>();
  readonly #wildcards = new Map<string, T>();
  readonly fallback: T;

  constructor(tls: FrontTls, make: (certificate: FrontTls["certificates"][number]) => T) {
    const made = tls.certificates.map((certificate) => ({ certificate, value: make(certificate) }));
    const [first] = made;
    assert(first !== undefined, "TLS has a certificate");
    this.fallback = first.value;
    for (const { certificate, value } of made) {
      for (const host of certificate.hosts) {
        const isWildcard = host.startsWith("*.");
        const names = isWildcard ? this.#wildcards : this.#exact;
        const name = isWildcard ? host.slice(2) : host;
        if (!names.has(name)) names.set(name, value);
      }
    }
  }

  find(serverName: string): T {
    const name = serverName.toLowerCase().replace(/\.$/, "");
    const parent = name.slice(name.indexOf(".") + 1);
    return this.#exact.get(name) ?? this.#wildcards.get(parent) ?? this.fallback;
  }
}
