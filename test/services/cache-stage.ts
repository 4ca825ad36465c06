// The embedded cache as several workers of one node have it, on a clock that the test sets.

import { expect } from "vitest";
import { CACHE_BODY_BYTES_MAX, type CacheBackend } from "../../sdk/services/cache.ts";
import type { Value } from "../../sdk/services/values.ts";
import type { ServiceClient } from "../../runtime/guest/services/client.ts";
import { ServiceActor } from "../../services/actor.ts";
import { openLmdbCache } from "../../services/cache/lmdb.ts";
import { createCachePort } from "../../services/cache/port.ts";
import { temporary } from "../temporary.ts";
import { createLocalClient } from "./local-client.ts";

export type Headers = Readonly<Record<string, string>>;

export interface CacheStage extends AsyncDisposable {
  readonly clock: { ms: number };
  readonly folder: string;
  readonly actors: readonly ServiceActor<CacheBackend>[];
  /** Of one isolate. */
  client(worker: number, endpoint?: string, bodyBytesMax?: number): ServiceClient;
}

export function createCacheStage(workers: number): CacheStage {
  const folder = temporary();
  const clock = { ms: Date.parse("2026-01-01T00:00:00Z") };
  const now = (): number => clock.ms;
  const actors = Array.from({ length: workers }, () => {
    const actor = new ServiceActor<CacheBackend>("embedded", {
      now: () => performance.now(),
      onHealth: () => undefined,
      onPanic: (error) => expect.fail(String(error)),
    });
    actor.start({
      limits: { concurrency: 2, queue: 1_000, timeoutMs: 30_000 },
      open: () =>
        openLmdbCache(
          { default_ttl_secs: 60, max_entries: 10_000 },
          { places: { folder: folder.path }, now },
        ),
    });
    return actor;
  });
  return {
    clock,
    folder: folder.path,
    actors,
    client(worker, endpoint = "shop", bodyBytesMax = CACHE_BODY_BYTES_MAX) {
      const actor = actors[worker];
      if (actor === undefined) throw new Error("no such worker");
      return createLocalClient(
        createCachePort({ actor, scope: endpoint, caller: endpoint, now, bodyBytesMax }),
      );
    },
    async [Symbol.asyncDispose]() {
      for (const actor of actors) await actor.stop();
      folder[Symbol.dispose]();
    },
  };
}

export function packed(headers: Headers): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}\n${value}\n`)
    .join("");
}

export interface Found {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface Asked {
  readonly url: string;
  readonly headers?: Headers;
}

export async function match(
  client: ServiceClient,
  { url, headers = {} }: Asked,
  cache = "default",
): Promise<Found | null> {
  const open = await client.open("match", [cache, [url, packed(headers)]]);
  if (open.head === null) return null;
  const [status, , list, whole] = open.head as readonly Value[];
  const pieces: Uint8Array[] = whole === null ? [] : [whole as Uint8Array];
  for (let piece = await open.pull(); piece !== undefined; piece = await open.pull()) {
    pieces.push(piece as Uint8Array);
  }
  const lines = (list as string).split("\n");
  const map = new Map<string, string>();
  for (let at = 0; at + 1 < lines.length; at += 2) map.set(lines[at] ?? "", lines[at + 1] ?? "");
  return { status: Number(status), headers: map, body: Buffer.concat(pieces).toString() };
}

export interface Response {
  readonly status?: number;
  readonly headers?: Headers;
  readonly body?: string | Uint8Array;
}

export async function store(
  client: ServiceClient,
  { url, headers = {} }: Asked,
  response: Response,
  cache = "default",
): Promise<boolean> {
  const { status = 200, headers: given = {}, body = "" } = response;
  const request = [url, packed(headers)];
  return (await client.call("store", [
    cache,
    request,
    [status, "", packed(given)],
    Buffer.from(body),
  ])) as boolean;
}

export function forget(client: ServiceClient, url: string, cache = "default"): Promise<Value> {
  return client.call("forget", [cache, [url, ""]]);
}
