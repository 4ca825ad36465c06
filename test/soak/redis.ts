// The contract suites on Redis in groups (redis-groups.ts): starting those takes longer than a test run has.

import { join } from "node:path";
import { startVitest } from "vitest/node";

/** Throws when a test fails. */
export async function redisGroups(): Promise<void> {
  const file = join(import.meta.dirname, "redis-groups.ts");
  const vitest = await startVitest("test", [file], { watch: false, include: [file] });
  const failed = vitest.state.getCountOfFailedTests();
  await vitest.close();
  if (failed > 0 || process.exitCode !== undefined) throw new Error("Tests failed: see above.");
}
