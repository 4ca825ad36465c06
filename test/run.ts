// The second half of `npm test`, on Node 24: `npm run check`, the servers that tests need, then vitest. All of it
// writes straight to the terminal; the counts come from vitest's own report. A check that fails, a test file that does not load and a run that
// dies without a report each count as one failure, so that the last line never says less than the exit code.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installMissing } from "./servers/install.ts";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Resolves to the exit code; a child that a signal ended counts as failed. */
function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "inherit" });
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    // The terminal sends SIGINT to the child as well; here it only must not end this process first.
    const wait = (): void => {};
    process.on("SIGTERM", forward);
    process.on("SIGINT", wait);
    const done = (code: number): void => {
      process.off("SIGTERM", forward);
      process.off("SIGINT", wait);
      resolve(code);
    };
    child.on("error", () => done(1));
    child.on("exit", (code) => done(code ?? 1));
  });
}

function countsIn(report: string): Counts {
  const value: unknown = JSON.parse(readFileSync(report, "utf8"));
  const of = (name: string): number => {
    const count: unknown = typeof value === "object" && value !== null && Reflect.get(value, name);
    return typeof count === "number" ? count : 0;
  };
  return {
    passed: of("numPassedTests"),
    failed: of("numFailedTests"),
    skipped: of("numPendingTests") + of("numTodoTests"),
  };
}

async function runVitest(args: readonly string[]): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), "islet-test-"));
  const report = join(folder, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const code = await run(process.execPath, [
      "node_modules/vitest/vitest.mjs",
      "run",
      ...reporters,
      ...args,
    ]);
    const counts = countsIn(report);
    return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } catch {
    // No report: vitest died before it could write one.
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const args = process.argv.slice(2);
const checkFailed = args.length === 0 && (await run("npm", ["run", "--silent", "check"])) !== 0;
if (checkFailed) process.stdout.write("\nnpm run check failed: see above.\n\n");
installMissing((line) => process.stdout.write(`${line}\n`));
const counts = await runVitest(args);
const failed = counts.failed + (checkFailed ? 1 : 0);
process.stdout.write(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
