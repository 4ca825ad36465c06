// The configuration of Redis as control would complete it.

import type { RedisConfig } from "../../sdk/services/config.ts";

export function redisConfig(more: Partial<RedisConfig>): RedisConfig {
  return {
    host: "127.0.0.1",
    port: 6379,
    database: 0,
    use_tls: false,
    pool_size: 4,
    default_ttl_secs: 3_600,
    ...more,
  };
}
