// What the admin API does to servers of upstreams while the node runs (control/gateway/servers.ts).

import type { ServerConfig } from "./config.ts";

export interface ServerView extends ServerConfig {
  /** What stands in the file can only be changed there. */
  readonly origin: "file" | "api";
  /** null: it stays until it is removed. */
  readonly ttlSec: number | null;
  readonly endsInSec: number | null;
}

export interface ServerChange {
  readonly url: string;
  readonly weight?: number;
  readonly ttlSec?: number | null;
}

/** Each throws UPSTREAM_NOT_FOUND; what changes something throws SERVER_OF_FILE and INPUT_INVALID too. */
export interface UpstreamServers {
  list(upstream: string): readonly ServerView[];
  /** Adds it, or renews it; a field that is not given stays as it is. `input`: a ServerChange. */
  put(upstream: string, input: unknown): Promise<ServerView>;
  /** Throws SERVER_NOT_FOUND. */
  change(upstream: string, input: unknown): Promise<ServerView>;
  /** Requests that are open there finish. Throws SERVER_NOT_FOUND. `url`: as it was added. */
  remove(upstream: string, url: unknown): Promise<void>;
}
