// A process of test/services/ratelimit.test.ts: asks as often as each message says, at the time that it says, and
// answers how often it got through.

import { openLmdbRates } from "../../services/ratelimit/lmdb.ts";

const [, , folder = "", rule = "{}"] = process.argv;
let time = 0;
const rates = await openLmdbRates({ places: { folder }, now: () => time });
const { limit = 0, periodMs = 0 } = JSON.parse(rule) as { limit?: number; periodMs?: number };
process.on("message", ({ atMs, calls }: { atMs: number; calls: number }) => {
  time = atMs;
  let passed = 0;
  for (let call = 0; call < calls; call++) {
    if (rates.count("shop/LOGINS", "key", { limit, periodMs }).success) passed++;
  }
  process.send?.(passed);
});
process.on("disconnect", () => void rates.close());
process.send?.("open");
