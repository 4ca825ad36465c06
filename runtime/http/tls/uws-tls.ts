// TLS on uWS. It reads certificates and keys from files alone, and asks for them while the app is made; so they are
// written where nobody else can read, in memory where the system has such a place, and are gone when this returns.
//
// Each name has a router of its own (an app's routes are those without a name that is known), and a name that was
// added is never taken away again: connections that came by it still use its router (uWS frees it, and they crash).
// So other certificates are another app.

import assert from "node:assert";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FrontCertificate, FrontTls } from "../../../sdk/gateway/config.ts";
import type { Uws, UwsApp, UwsTlsOptions } from "../uws.ts";
import { TLS12_CIPHERS } from "./server-names.ts";

const MEMORY = "/dev/shm";

/** `addRoutes` is called for each router. */
export function createSecureApp(uws: Uws, tls: FrontTls, addRoutes: (app: UwsApp) => void): UwsApp {
  const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "islet-tls-"));
  try {
    const all = tls.certificates.map((certificate, index) => ({
      hosts: certificate.hosts,
      options: writeFiles(join(folder, `${index}`), certificate),
    }));
    const [first] = all;
    assert(first !== undefined, "TLS has a certificate");
    const app = uws.SSLApp(first.options);
    addRoutes(app);
    const named = new Set<string>();
    for (const { hosts, options } of all) {
      for (const host of hosts) {
        if (named.has(host)) continue;
        named.add(host);
        app.addServerName(host, options);
        addRoutes(app.domain(host));
      }
    }
    return app;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeFiles(path: string, { cert, key }: FrontCertificate): UwsTlsOptions {
  const options = { cert_file_name: `${path}.crt`, key_file_name: `${path}.key` };
  writeFileSync(options.cert_file_name, cert, { mode: 0o600, flag: "wx" });
  writeFileSync(options.key_file_name, key, { mode: 0o600, flag: "wx" });
  return { ...options, ssl_ciphers: TLS12_CIPHERS };
}
