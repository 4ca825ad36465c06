// What of connections a running node can take: ports are opened at its start, and not every listener can do everything.

import { EdgeError } from "../../../sdk/errors.ts";
import type { ClientAuth, FrontTls } from "../../../sdk/gateway/config.ts";
import type { ListenerKind, ServeOptions } from "../../../sdk/serve.ts";

export interface FrontPlace {
  readonly listener: ListenerKind;
  /** null: the node was started without TLS. */
  readonly tlsPort: number | null;
  /** As at its start. */
  readonly clientAuth: ClientAuth;
}

/** Throws USAGE. */
export function assertHasTls({ tlsPort }: ServeOptions, tls: FrontTls | null): void {
  if (tlsPort === undefined || tls !== null) return;
  const needed = "tls in --config, --tls-cert or --tls-self-signed";
  throw new EdgeError("USAGE", `--tls-port needs a certificate: ${needed}`);
}

/** Throws GATEWAY_CONFIG_INVALID. */
export function checkFront(
  tls: FrontTls | null,
  { listener, tlsPort, clientAuth }: FrontPlace,
): void {
  if ((tls === null) !== (tlsPort === null)) {
    const what = tls === null ? "cannot be taken away from" : "cannot be added to";
    throw invalid(`tls: ${what} a running node, whose ports are opened at its start; restart it`);
  }
  if (tls !== null && tls.clientAuth !== clientAuth) {
    throw invalid("tls.clientAuth: it cannot change while the node runs; restart it");
  }
  if (tls !== null && tls.clientAuth !== "none" && listener === "uws") {
    throw invalid(
      "tls.clientAuth: the uws listener cannot tell who a client is; use --listener node",
    );
  }
  if (tls?.minVersion === "TLSv1.3" && listener === "uws") {
    throw invalid(
      "tls.minVersion: the uws listener cannot refuse TLS 1.2; leave it at 1.2, or use --listener node",
    );
  }
}

/** Throws GATEWAY_CONFIG_INVALID. */
export function checkProxies(from: readonly string[], listener: ListenerKind): void {
  if (from.length === 0 || listener === "node") return;
  throw invalid(
    "proxyProtocol: the uws listener cannot tell a trusted proxy's PROXY header from anybody's; use --listener node",
  );
}

function invalid(message: string): EdgeError {
  return new EdgeError("GATEWAY_CONFIG_INVALID", message);
}
