// The node's own addresses of stored objects behind a real listener, without the rest of a worker.

import { listenNode } from "../../runtime/http/node-listener.ts";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import { RequestMetrics } from "../../runtime/observe/metrics.ts";
import { RecentRequests } from "../../runtime/worker/recent-requests.ts";
import { RequestTicket, type Observers } from "../../runtime/worker/request-ticket.ts";
import { SignedObjects } from "../../runtime/worker/services/signed-objects.ts";
import { HEADER_BYTES_MAX, LIMITS, resolveLimits } from "../../sdk/limits.ts";
import type { ListenerKind } from "../../sdk/serve.ts";
import type { StorageBackend } from "../../sdk/services/storage.ts";
import type { ServiceActor } from "../../services/actor.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

export const ADDRESS_KEY: Uint8Array = new Uint8Array(32).fill(7);
/** The id of the service that the stages have. */
export const ADDRESSED = "files";

const OBSERVERS: Observers = {
  access: null,
  metrics: new RequestMetrics(),
  recent: new RecentRequests(),
  limits: () => resolveLimits({}),
  handlers: { write: () => undefined, flush: () => undefined },
  mapStack: (_version, text) => text,
  outcomeHeader: false,
  dev: false,
};

export interface AddressStage extends AsyncDisposable {
  readonly origin: string;
}

export async function serveAddresses(
  actor: ServiceActor<StorageBackend>,
  options: {
    readonly kind?: ListenerKind;
    readonly now?: () => number;
    readonly stallMs?: number;
  } = {},
): Promise<AddressStage> {
  const { kind = "uws", now = Date.now, stallMs = 30_000 } = options;
  const actorOf = (id: string): ServiceActor<StorageBackend> | null =>
    id === ADDRESSED ? actor : null;
  const objects = new SignedObjects({ key: ADDRESS_KEY, actorOf, now, stallMs });
  const listener = await (kind === "node" ? listenNode : listenUws)({
    host: "127.0.0.1",
    port: 0,
    bodyBytesMax: LIMITS.bodyBytes.default,
    headerBytesMax: HEADER_BYTES_MAX,
    socketBytesMax: LIMITS.socketBytes.default,
    handler: (exchange) => objects.serve(new RequestTicket(exchange, OBSERVERS)),
  });
  return {
    origin: `http://127.0.0.1:${listener.port}`,
    [Symbol.asyncDispose]: () => listener.drain(0),
  };
}
