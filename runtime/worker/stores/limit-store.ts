// The gateway's stores of shared counts, in Redis. Its client is loaded by the first decision: most nodes have none.

import type { StoreConfig } from "../../../sdk/gateway/config.ts";
import type { SharedLimits } from "../../../sdk/gateway/limits.ts";

export function openLimitStore({ redis, timeoutMs }: StoreConfig): SharedLimits {
  const opening = import("../../../services/ratelimit/redis.ts").then(({ openRedisLimits }) =>
    openRedisLimits(redis, timeoutMs),
  );
  return {
    take: async (key, options) => (await opening).take(key, options),
    hold: async (key, max) => (await opening).hold(key, max),
    close: async () => (await opening).close(),
  };
}
