// Tests that take longer than a test run has: files named *.long.ts, beside the quick ones of their kind, and the
// contract suites on Redis in groups.

import { startVitest } from "vitest/node";
import { EACH } from "../../vitest.config.ts";

/** Runs the files whose path contains `only`; throws when a test fails. */
export async function longTests(only: string): Promise<void> {
  const vitest = await startVitest("test", [only], {
    ...EACH,
    config: false,
    watch: false,
    globalSetup: "test/run-folder.ts",
    // Nothing runs beside a test that may measure.
    maxWorkers: 1,
    include: ["test/**/*.long.ts"],
  });
  const failed = vitest.state.getCountOfFailedTests();
  await vitest.close();
  if (failed > 0 || process.exitCode !== undefined) throw new Error("Tests failed: see above.");
}
