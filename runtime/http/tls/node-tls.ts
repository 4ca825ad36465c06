// TLS on the node listener: contexts made of a configuration, and exchanged as a whole when it changes.

import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { ServerOptions } from "node:https";
import type { FrontTls } from "../../../sdk/gateway/config.ts";
import { ServerNames, TLS12_CIPHERS, TLS13_CIPHERS, TLS_VERSION_MAX } from "./server-names.ts";

/** A client that connects and does not shake hands holds a socket for this long. */
const HANDSHAKE_MS_MAX = 10_000;

export class NodeTls {
  #names: ServerNames<SecureContext>;
  #fallback: SecureContextOptions;
  readonly #clientAuth: FrontTls["clientAuth"];

  constructor(tls: FrontTls) {
    this.#names = namesOf(tls);
    this.#fallback = fallbackOf(tls);
    this.#clientAuth = tls.clientAuth;
  }

  /** Throws what the library has against them, and then those before stay. Returns the context without a name. */
  renew(tls: FrontTls): SecureContextOptions {
    this.#names = namesOf(tls);
    this.#fallback = fallbackOf(tls);
    return this.#fallback;
  }

  /** Of the server; certificates are chosen with each handshake. */
  options(): ServerOptions {
    return {
      ...this.#fallback,
      requestCert: this.#clientAuth !== "none",
      rejectUnauthorized: this.#clientAuth === "require",
      handshakeTimeout: HANDSHAKE_MS_MAX,
      ALPNProtocols: ["h2", "http/1.1"],
      SNICallback: (name, done) => done(null, this.#names.find(name)),
    };
  }
}

function namesOf(tls: FrontTls): ServerNames<SecureContext> {
  return new ServerNames(tls, ({ cert, key }) =>
    createSecureContext({ cert, key, ...commonOf(tls) }),
  );
}

function fallbackOf(tls: FrontTls): SecureContextOptions {
  const [first] = tls.certificates;
  return { cert: first?.cert, key: first?.key, ...commonOf(tls) };
}

function commonOf({ minVersion, clientAuth, clientCa }: FrontTls): SecureContextOptions {
  const ca = clientAuth === "none" ? {} : { ca: clientCa };
  const ciphers = `${TLS13_CIPHERS}:${TLS12_CIPHERS}`;
  return { ciphers, minVersion, maxVersion: TLS_VERSION_MAX, honorCipherOrder: true, ...ca };
}
