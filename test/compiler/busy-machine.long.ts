// The checker on a machine that gives its children a tenth of a processor: each is stopped for nine tenths of the time.

import { spawn } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stopEsbuild } from "../../compiler/bundle.ts";
import type { SpawnJail } from "../../compiler/jails.ts";
import { openChecking } from "./checking.ts";
import type { Checking } from "./checking.ts";

const PERIOD_MS = 100;
const RUNS_MS = 10;

const spawnStarved: SpawnJail = (file, args, { stdio, ...rest }) => {
  const child = spawn(file, args, { ...rest, stdio: [...stdio] });
  const periods = setInterval(() => {
    child.kill("SIGSTOP");
    setTimeout(() => child.kill("SIGCONT"), PERIOD_MS - RUNS_MS);
  }, PERIOD_MS).unref();
  child.once("close", () => clearInterval(periods));
  return child;
};

let checking: Checking;
beforeAll(async () => {
  checking = await openChecking(undefined, { spawn: spawnStarved });
});
afterAll(async () => {
  checking.close();
  await stopEsbuild();
});

const HANDLER = "export default { fetch() { return 1 } };";

test("ends as on any other", async () => {
  expect((await checking.check(HANDLER)).start).toEqual({ kind: "quick" });
  // A quarter of what a top level may have, in builtins: a snapshot is made without V8's compilers.
  const burning = "for (let i = 0; i < 300; i++) new Array(1e5).fill(i);";
  expect((await checking.check(`${burning}\n${HANDLER}`)).start).toEqual({ kind: "full" });
});

test("cuts off what never ends", async () => {
  await expect(checking.check(`for (;;);\n${HANDLER}`)).rejects.toMatchObject({
    code: "STARTUP_CPU",
  });
});
