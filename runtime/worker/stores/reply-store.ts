// Where the gateway's workers keep replies: a cache of its own beside those of services, in the same kind of store.

import type { CacheBackend } from "../../../sdk/services/cache.ts";
import { openLmdbCache } from "../../../services/cache/lmdb.ts";
import type { ReplyStore } from "../../gateway/shared/reply-store.ts";

/** Of each scope; with bodies of 10 KB about as many as it has bytes for. */
const ENTRIES_MAX = 50_000;
/** Of entries that name none, which there are not. */
const TTL_SECONDS = 60;

const { signal } = new AbortController();

export async function openReplyStore(folder: string): Promise<ReplyStore> {
  const config = { default_ttl_secs: TTL_SECONDS, max_entries: ENTRIES_MAX };
  const cache: CacheBackend = await openLmdbCache(config, { places: { folder } });
  return {
    get: async (scope, key) => (await cache.get(scope, [key], signal))[0] ?? null,
    async set(scope, key, entry) {
      await cache.set(scope, { key, ...entry, onlyIfAbsent: false }, signal);
    },
    claim: (scope, key, entry) => cache.set(scope, { key, ...entry, onlyIfAbsent: true }, signal),
    async release(scope, key, value) {
      await cache.deleteIf(scope, { key, value }, signal);
    },
    async delete(scope, key) {
      await cache.delete(scope, [key], signal);
    },
    close: () => cache.close(),
  };
}
