// Whether a port can be had, asked before workers share it.
//
// Workers listen with SO_REUSEPORT, so a second node on the same port would not fail but quietly take half of
// the connections. A listen without that option fails as long as any socket listens there, whatever its own
// options are.

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { listenFault } from "../../sdk/serve.ts";

export interface PortProbe {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
}

/**
 * Resolves to the port, a concrete one where 0 was asked for; rejects with PORT_IN_USE when something listens
 * there, and with what else `listenFault` knows. The port is free again when this resolves, so be quick.
 */
export function probePort(probe: PortProbe): Promise<number> {
  const { host, port } = probe;
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (cause) => reject(listenFault(cause, probe)));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address() as AddressInfo;
      server.close(() => resolve(address.port));
    });
  });
}
