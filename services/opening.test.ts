import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Opening } from "./opening.ts";

/** Somebody else who is alive. */
const OTHER = process.ppid;

let folder = "";
let opening: Opening;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "islet-opening-"));
  opening = new Opening(folder);
});
afterEach(() => {
  opening.close();
  rmSync(folder, { recursive: true, force: true });
});

function deadPid(): number {
  return spawnSync("true").pid;
}

test("an opening waits until other processes do not write", async () => {
  const writer = join(folder, `writer.${OTHER}.0`);
  writeFileSync(writer, "");
  let isOpen = false;
  const opened = opening.open(() => {
    isOpen = true;
    // Whoever begins to write now sees it.
    return existsSync(join(folder, "opening"));
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOpen).toBe(false);
  rmSync(writer);
  expect(await opened).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
});

test("a write waits until nobody opens, and a commit has its sign until it is done", async () => {
  const other = join(folder, "opening");
  writeFileSync(other, String(OTHER));
  const started = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  let begun = false;
  const commit = opening.commit(() => {
    begun = true;
    started.resolve();
    return done.promise;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(begun).toBe(false);
  expect(readdirSync(folder)).toEqual(["opening"]);
  rmSync(other);
  await started.promise;
  expect(readdirSync(folder)).toEqual([expect.stringMatching(`^writer.${process.pid}.`)]);
  done.resolve();
  await commit;
});

test("what killed processes leave holds up nobody", async () => {
  const dead = deadPid();
  writeFileSync(join(folder, "opening"), String(dead));
  writeFileSync(join(folder, `writer.${dead}.0`), "");
  expect(opening.update(() => 1)).toBe(1);
  writeFileSync(join(folder, "opening"), String(dead));
  expect(await opening.open(() => 2)).toBe(2);
  opening.close();
  expect(readdirSync(folder)).toEqual([]);
});
