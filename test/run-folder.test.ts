// What the folder of a run does at its end, in a parent folder of this test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { setup } from "./run-folder.ts";
import { temporary, type Temporary } from "./temporary.ts";

/** More than any process can have. */
const NO_PID = 2 ** 22 + 1;

function elsewhere(): Temporary {
  const parent = temporary();
  vi.stubEnv("TMPDIR", parent.path);
  vi.stubEnv("ISLET_TEST_SHARED", "");
  vi.stubEnv("NODE_COMPILE_CACHE", "");
  return parent;
}

test("a run that leaves nothing but what tests share ends, and its folder is gone", async () => {
  using parent = elsewhere();
  const end = setup();
  expect(tmpdir()).not.toBe(parent.path);
  mkdirSync(process.env["ISLET_TEST_SHARED"] ?? "");
  await end();
  expect(readdirSync(parent.path)).toEqual([]);
});

test("a run fails that leaves a file, and the file is removed", async () => {
  using parent = elsewhere();
  const end = setup();
  writeFileSync(join(tmpdir(), "left"), "");
  await expect(end()).rejects.toThrow("left behind by tests:\nleft");
  expect(readdirSync(parent.path)).toEqual([]);
});

test("what a killed run has left is removed by the next one, processes first", async () => {
  using parent = elsewhere();
  const left = join(parent.path, `islet-tests-${NO_PID}`);
  mkdirSync(join(left, "data"), { recursive: true });
  const process = spawn("sleep", ["600"], { cwd: join(left, "data") });
  await once(process, "spawn");
  const ended = once(process, "exit");
  const end = setup();
  expect(await ended).toEqual([null, "SIGKILL"]);
  expect(existsSync(left)).toBe(false);
  await end();
});
