// The gateway's configuration and the flags of TLS, as they are checked before a first start.

import { readConfigFile } from "../../../control/gateway/config.ts";
import type { Variables } from "../../../control/gateway/yaml.ts";
import { EMPTY_GATEWAY } from "../../../sdk/gateway/config.ts";
import type { ServeOptions } from "../../../sdk/serve.ts";
import { fileRoutes } from "../../gateway/route/file-routes.ts";
import { compileRoutes } from "../../gateway/route/table.ts";
import { assertHasTls, checkFront, checkProxies } from "../tls/check.ts";
import { PLAIN_TLS, tlsFlags, withFlags } from "../tls/flags.ts";
import { TLS_PORT_DEFAULT } from "../tls/ports.ts";

/** Gives the port for TLS; null: without. Throws USAGE, GATEWAY_CONFIG_INVALID or ROUTE_CONFLICT. */
export function checkConfiguration(options: ServeOptions, variables: Variables): number | null {
  const { config: path, data, listener, tlsSelfSigned } = options;
  const file = path === undefined ? EMPTY_GATEWAY : readConfigFile(path, variables).gateway;
  const flags = tlsFlags(options, data);
  // What the node makes for itself needs its folder.
  const { tls } = withFlags(file, tlsSelfSigned ? () => PLAIN_TLS : flags);
  assertHasTls(options, tls);
  const tlsPort = tls === null ? null : (options.tlsPort ?? TLS_PORT_DEFAULT);
  checkFront(tls, { listener, tlsPort, clientAuth: tls?.clientAuth ?? "none" });
  checkProxies(file.proxyProtocol, listener);
  compileRoutes(fileRoutes(file));
  return tlsPort;
}
