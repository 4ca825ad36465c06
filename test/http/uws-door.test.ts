// The addon's door: each case loads it in a fresh process, as the first load decides for all later ones.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { KNOWN_ADDONS, redirectImports } from "../../runtime/http/uws-glibc.ts";
import type { UwsDescription } from "../../runtime/http/uws.ts";

const run = promisify(execFile);
const packageDir = dirname(createRequire(import.meta.url).resolve("uWebSockets.js"));
const door = new URL("../../runtime/http/uws.ts", import.meta.url).href;

let cacheDir: string;
beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), "islet-door-"));
});
afterEach(() => rmSync(cacheDir, { recursive: true, force: true }));

async function describeIn(dir: string): Promise<UwsDescription> {
  const code = `const { describeUws } = await import(${JSON.stringify(door)});
    process.stdout.write(JSON.stringify(describeUws({ cacheDir: ${JSON.stringify(dir)} })));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", code]);
  return JSON.parse(stdout) as UwsDescription;
}

test.each(Object.entries(KNOWN_ADDONS))("%s comes out redirected as recorded", (name, known) => {
  const file = readFileSync(join(packageDir, name));
  const hash = (): string => createHash("sha256").update(file).digest("hex");
  expect(hash()).toBe(known.original);
  redirectImports(file, known.baseVersion);
  expect(hash()).toBe(known.redirected);
});

test("the addon loads, twice at once from an empty cache", async () => {
  const [one, two] = await Promise.all([describeIn(cacheDir), describeIn(cacheDir)]);
  expect(["plain", "redirected"]).toContain(one.how);
  expect(two).toEqual(one);
  expect(readdirSync(cacheDir)).toHaveLength(one.how === "plain" ? 0 : 1);
});

test("a damaged copy in the cache is not loaded but written anew", async () => {
  const first = await describeIn(cacheDir);
  const [copy] = readdirSync(cacheDir);
  // Nothing is cached where the plain load succeeds.
  if (copy === undefined) return expect(first.how).toBe("plain");
  const path = join(cacheDir, copy);
  const good = readFileSync(path);
  rmSync(path);
  writeFileSync(path, good.subarray(0, 1000));
  expect((await describeIn(cacheDir)).how).toBe("redirected");
  expect(readFileSync(path).equals(good)).toBe(true);
});

test("a cache folder that cannot be made does not stop the addon from loading", async () => {
  const file = join(cacheDir, "file");
  writeFileSync(file, "");
  expect(["plain", "redirected"]).toContain((await describeIn(join(file, "below"))).how);
});
