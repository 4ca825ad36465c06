// What a decision of the gateway's limits costs on the store that all workers of a node write: the transaction, and the
// hash of the key. The floor is that hash.

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSharedClock } from "../../runtime/gateway/clock.ts";
import { createLimiter } from "../../runtime/gateway/policies/limits/limiters.ts";
import { LimitCells } from "../../runtime/gateway/shared/limit-cells.ts";
import { OpenCounts } from "../../runtime/gateway/shared/open-counts.ts";
import { openNodeStore } from "../../runtime/gateway/shared/store.ts";
import { ALGORITHMS } from "../../sdk/gateway/policies.ts";
import { runTasks, type Task } from "./harness.ts";

const KEYS = 500;
const keys = Array.from(
  { length: KEYS },
  (_, index) => `route#0\nip 10.0.${index >> 8}.${index & 255}`,
);

const folder = mkdtempSync(join(tmpdir(), "islet-bench-"));
const store = openNodeStore(folder);
const clock = createSharedClock();
const cells = new LimitCells(store, clock);
const counts = new OpenCounts(store, clock);
let turn = 0;
const nextKey = (): string => keys[turn++ % KEYS] ?? "";

const limiters = ALGORITHMS.map((algorithm): Task => {
  const decide = createLimiter({ algorithm, capacity: 1e9, refillPerSec: 1e9, windowMs: 60_000 });
  return {
    name: `${algorithm}, passes`,
    run: () => cells.take(`${algorithm}${nextKey()}`, decide),
  };
});
const closed = createLimiter({ algorithm: "gcra", capacity: 0, refillPerSec: 1, windowMs: 0 });
try {
  await runTasks("Rate limit, one decision", [
    {
      name: "floor: SHA-256 of the key",
      run: () => createHash("sha256").update(nextKey()).digest(),
    },
    ...limiters,
    { name: "refused", run: () => cells.take(`closed${nextKey()}`, closed) },
    {
      name: "concurrency: in and out",
      run: () => {
        const key = nextKey();
        if (counts.take(key, 100)) counts.give(key);
      },
    },
  ]);
} finally {
  await store.close();
  rmSync(folder, { recursive: true });
}
