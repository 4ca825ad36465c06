// Fetches of addresses that this node answers itself: they do not leave it, and need no name that resolves. What the
// standard asks of redirects is done here for replies of the node's own; a redirect of somebody else's that leads back
// here comes in by the network, like any client's.

import { EdgeError } from "../../../sdk/errors.ts";
import type { Fetched } from "./response-head.ts";
import type { Send } from "./subrequest.ts";
import type { Outgoing } from "./undici.ts";

/** How to reach the endpoint of this node that answers an address; null when none does. */
export type OwnHosts = (method: string, url: URL) => Send | null;

/** The standard's. */
const REDIRECTS_MAX = 20;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const BODY_HEADERS = ["content-encoding", "content-language", "content-location", "content-type"];
/** Of one origin, and nobody else's business. */
const ORIGIN_HEADERS = ["authorization", "cookie", "proxy-authorization"];

export function withOwnHosts(sendOut: Send, ownHosts: OwnHosts): Send {
  return async (outgoing, how) => {
    let next = outgoing;
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      const own = ownHosts(next.method, new URL(next.url));
      const reply = await (own ?? sendOut)(next, how);
      const target = own === null ? null : redirectOf(next, reply);
      if (target === null) return redirects === 0 ? reply : asRedirected(reply);
      await reply.body?.cancel();
      next = redirected(next, reply.status, target);
    }
    throw failure(`it was redirected more than ${REDIRECTS_MAX} times`);
  };
}

/** Where it leads; null when the reply is the answer. */
function redirectOf({ url, redirect }: Outgoing, { status, headers }: Fetched): URL | null {
  const location = headers.get("location");
  if (redirect === "manual" || location === null || !REDIRECTS.has(status)) return null;
  if (redirect === "error") throw failure("it was redirected");
  const target = URL.parse(location, url);
  if (target === null || !/^https?:$/.test(target.protocol)) {
    throw failure("it was redirected to what is no address");
  }
  return target;
}

function redirected(from: Outgoing, status: number, target: URL): Outgoing {
  const { method, headers } = from;
  if (new URL(from.url).origin !== target.origin) {
    for (const name of ORIGIN_HEADERS) headers.delete(name);
  }
  const asGet =
    status === 303 ? method !== "GET" && method !== "HEAD" : status < 303 && method === "POST";
  if (asGet) {
    for (const name of BODY_HEADERS) headers.delete(name);
    return { ...from, method: "GET", url: target.href, body: null };
  }
  if (from.body instanceof ReadableStream) throw failure("a streamed body cannot be sent again");
  return { ...from, url: target.href };
}

function asRedirected({ status, statusText, url, headers, body, raw = false }: Fetched): Fetched {
  return { status, statusText, url, redirected: true, headers, body, raw };
}

function failure(reason: string): EdgeError {
  return new EdgeError("FETCH_FAILED", `The subrequest failed: ${reason}.`);
}
