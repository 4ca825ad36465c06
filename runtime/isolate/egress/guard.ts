// The guard that no socket to the outside passes by, whoever opens it.
//
// It looks at the address that is about to be connected to: a literal as the URL parser normalised it (it knows all
// notations), a name after its lookup. What was looked at is what is connected to, so a name that changes its answer
// (DNS rebinding) gains nothing, and neither does a redirect.

import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { EdgeError, infoOf } from "../../../sdk/errors.ts";
import { namesHost } from "../../../sdk/egress.ts";
import { isPrivateAddress } from "./addresses.ts";

export interface Reach {
  /** Addresses that may not be connected to. */
  readonly denied: (address: string) => boolean;
  /** Hosts (as in URLs) and ports where nothing is denied. */
  readonly opened?: (host: string, port: number) => boolean;
  /** Replaces the system's resolver. */
  readonly lookup?: Lookup;
}

export type Lookup = (
  host: string,
  done: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

/** Of an isolate: everything, or what is public, and private hosts by name beside it. */
export function reachOf(allowPrivate: boolean, privateHosts: readonly string[]): Reach {
  if (allowPrivate) return { denied: () => false };
  if (privateHosts.length === 0) return { denied: isPrivateAddress };
  const hosts = new Set(privateHosts);
  return { denied: isPrivateAddress, opened: (host, port) => namesHost(hosts, host, port) };
}

/** Whether everything may be reached under this name and port. `hostname` is without brackets. */
export function isOpened(reach: Reach, hostname: string, port: number): boolean {
  const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
  return reach.opened?.(host, port) === true;
}

/** Why a literal address is refused; null for names, which the lookup judges. */
export function literalDenial(reach: Reach, hostname: string): EdgeError | null {
  return isIP(hostname) !== 0 && reach.denied(hostname) ? denial(hostname, hostname) : null;
}

const resolveBySystem: Lookup = (host, done) => {
  // The system's resolver honours /etc/hosts and works in libuv's thread pool.
  systemLookup(host, { all: true }, (error, addresses) => done(error, error ? [] : addresses));
};

/** For net.connect, whose `lookup` it is. */
export function guardedLookup({ denied, lookup = resolveBySystem }: Reach): LookupFunction {
  return (host, options, callback) => {
    lookup(host, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const family = Number(options.family ?? 0);
      const usable = addresses.filter((entry) => family === 0 || entry.family === family);
      const allowed = usable.filter((entry) => !denied(entry.address));
      const [first] = allowed;
      if (first !== undefined) {
        return options.all === true
          ? callback(null, allowed)
          : callback(null, first.address, first.family);
      }
      const [refused] = usable;
      callback(refused === undefined ? notFound(host) : denial(host, refused.address), []);
    });
  };
}

function notFound(host: string): EdgeError {
  return new EdgeError("FETCH_FAILED", `The subrequest to ${host} failed: the host was not found.`);
}

function denial(host: string, address: string): EdgeError {
  const what = host === address ? address : `${host} (${address})`;
  const { fix } = infoOf("EGRESS_DENIED");
  return new EdgeError("EGRESS_DENIED", `${what} is not a public address. ${fix ?? ""}`.trimEnd(), {
    detail: { host, address },
  });
}
