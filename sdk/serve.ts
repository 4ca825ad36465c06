// What `edge serve` is told: flags and environment, parsed and checked by the CLI, given to the supervisor.

import { type Code, EdgeError } from "./errors.ts";
import type { LimitOverrides } from "./limits.ts";
import type { Trust } from "./records.ts";

export type ListenerKind = "uws" | "node";

export interface ServeOptions {
  /** 0 takes a free port; so does adminPort. */
  readonly port: number;
  readonly host: string;
  /** undefined: 9443, where there is TLS. */
  readonly tlsPort?: number;
  /** Absolute paths, of PEM files: instead of `tls` in the gateway's file. */
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** With a certificate that the node makes for itself, for development. */
  readonly tlsSelfSigned: boolean;
  readonly adminPort: number;
  readonly adminHost: string;
  /** Absolute path of the data folder. */
  readonly data: string;
  readonly workers: number;
  readonly listener: ListenerKind;
  /** Absolute path of the gateway's YAML file. */
  readonly config?: string;
  readonly drainTimeoutMs: number;
  readonly defaultTrust: Trust;
  /** The operator's ceilings, below those of LIMITS. */
  readonly limitMax: LimitOverrides;
  /** Memory at which a worker is replaced; undefined for an equal part of what there is. */
  readonly workerMemoryBytes?: number;
  /** Memory of a worker's isolates beyond which those that rest are evicted; undefined for half of that. */
  readonly isolateMemoryBytes?: number;
  readonly allowPrivateEgress: boolean;
  readonly egressMayBePrivate: boolean;
  /** Name of the system user to become once the ports are open. */
  readonly user?: string;
  /** Whether a demo endpoint answers /hello on a node that has no endpoints. */
  readonly demo: boolean;
  /** Whether processes wait, already started, for a worker's end and for the next publish. */
  readonly standby: boolean;
  /** Replies that the node gives in a handler's place say why in x-edge-outcome. */
  readonly outcomeHeader: boolean;
  /** Failing handlers show their errors to browsers: for `edge dev`. */
  readonly dev: boolean;
  /** Absolute path; written once when the node answers. */
  readonly readyFile?: string;
  /** Fixed by the operator; otherwise kept in the data folder. */
  readonly adminToken?: string;
  /** What secrets are sealed with: the key itself, or an absolute path; otherwise kept in the data folder. */
  readonly secretKey?: string;
  readonly secretKeyFile?: string;
}

/** What the system has against a listener there: PORT_IN_USE, PORT_PRIVILEGED or HOST_UNUSABLE. */
export function listenFault(
  cause: Error,
  { host, port }: { readonly host: string; readonly port: number },
): EdgeError {
  const errno: unknown = "code" in cause ? cause.code : "";
  const faults: Readonly<Record<string, readonly [Code, string]>> = {
    EADDRINUSE: ["PORT_IN_USE", `Port ${port} of ${host} is in use`],
    EACCES: ["PORT_PRIVILEGED", `Port ${port} of ${host} is for root`],
    ENOTFOUND: ["HOST_UNUSABLE", `${host} is no address, and no name that has one`],
    EAI_AGAIN: ["HOST_UNUSABLE", `The name servers do not say what address ${host} has`],
    EADDRNOTAVAIL: ["HOST_UNUSABLE", `${host} is not an address of this machine`],
  };
  const [code, message] = faults[String(errno)] ?? ["HOST_UNUSABLE", `${host}: ${cause.message}`];
  return new EdgeError(code, message, { detail: { host, port }, cause });
}
