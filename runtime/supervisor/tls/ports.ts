// On which ports a node takes connections: as given, or free ones, or those that workers of before still have.

import type { ServeOptions } from "../../../sdk/serve.ts";
import { probePort } from "../../http/port.ts";
import { isHeldBy, listeningPorts, type Orphan } from "../processes.ts";

export interface FrontPorts {
  readonly port: number;
  /** null: without TLS. */
  readonly tlsPort: number | null;
}

export const TLS_PORT_DEFAULT = 9_443;

/** Where both may be any, that of TLS is the higher one: so a supervisor knows them again in what workers hold. */
export async function findPorts(
  { host, port: wanted, tlsPort: wantedTls = TLS_PORT_DEFAULT }: ServeOptions,
  { orphans, hasTls }: { readonly orphans: readonly Orphan[]; readonly hasTls: boolean },
): Promise<FrontPorts> {
  const pids = orphans.map(({ pid }) => pid);
  const held = [...new Set(pids.flatMap(listeningPorts))]
    .filter((port) => port !== wanted && (!hasTls || port !== wantedTls))
    .toSorted((a, b) => a - b);
  const pick = async (port: number): Promise<number> => {
    const left = port === 0 ? held.shift() : undefined;
    if (left !== undefined) return left;
    try {
      return await probePort({ host, port });
    } catch (error) {
      // By its own workers of before: that is in use without being anybody else's.
      if (!isHeldBy(port, pids)) throw error;
      return port;
    }
  };
  const port = await pick(wanted);
  if (!hasTls) return { port, tlsPort: null };
  let tlsPort = await pick(wantedTls);
  while (tlsPort === port && wantedTls === 0) tlsPort = await pick(0);
  if (wanted !== 0 || wantedTls !== 0 || port < tlsPort) return { port, tlsPort };
  return { port: tlsPort, tlsPort: port };
}
