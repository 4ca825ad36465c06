// The second half of `npm test`, on Node 24: the servers that tests need, then vitest, and beside it `npm run check`,
// whose output follows at the end if it has failed. The counts come from vitest's own report. A check that fails, a
// test file that does not load and a run that dies without a report each count as one failure, so that the last line
// never says less than the exit code.

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildForTests } from "../bin/build.ts";
import { PACKAGE_VARIABLE } from "./platform.ts";
import { installMissing } from "./servers/install.ts";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Resolves to the exit code; a child that a signal ended counts as failed. What it prints goes to `print`, if given. */
function run(
  command: string,
  args: readonly string[],
  print?: (text: string) => void,
): Promise<number> {
  return new Promise((resolve) => {
    const output = print === undefined ? "inherit" : "pipe";
    const child = spawn(command, args, { stdio: ["inherit", output, output] });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => print?.(text));
    }
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
    child.on("close", (code) => done(code ?? 1));
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

async function runVitest(args: readonly string[], folder: string): Promise<Counts> {
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
  }
}

interface Check {
  readonly failed: boolean;
  readonly output: string;
}

async function check(): Promise<Check> {
  let output = "";
  const code = await run("npm", ["run", "--silent", "check"], (text) => (output += text));
  return { failed: code !== 0, output };
}

/** The whole of it starts nodes from one bundle: a hundred starts from sources take minutes. */
async function runAll(folder: string): Promise<Counts> {
  const checked = check();
  const counts = await runBuilt(join(folder, "package"), folder);
  const { failed, output } = await checked;
  if (!failed) return counts;
  process.stdout.write(`${output}\nnpm run check failed: see above.\n\n`);
  return { ...counts, failed: counts.failed + 1 };
}

async function runBuilt(built: string, folder: string): Promise<Counts> {
  try {
    await buildForTests(built);
  } catch (error) {
    process.stdout.write(`The bundle could not be made: ${String(error)}\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  process.env[PACKAGE_VARIABLE] = built;
  return runVitest([], folder);
}

const args = process.argv.slice(2);
installMissing((line) => process.stdout.write(`${line}\n`));
const folder = mkdtempSync(join(tmpdir(), "islet-test-"));
// Users that tests run nodes as pass through it.
chmodSync(folder, 0o711);
try {
  const { passed, failed, skipped } = await (args.length === 0
    ? runAll(folder)
    : runVitest(args, folder));
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
