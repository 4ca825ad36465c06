// The checker over real children: what starts from a full snapshot, what must not, and what is refused with
// which place. Hostile modules have a file of their own.

import { readFileSync, readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashBundle, stopEsbuild } from "../../compiler/bundle.ts";
import { codeCacheKey, snapshotKey } from "../../compiler/snapshot-store.ts";
import type { PublishStage } from "../../sdk/publish.ts";
import { openChecking, SLOW } from "./checking.ts";
import type { Checking } from "./checking.ts";

const REAL_GUEST: string = fileURLToPath(new URL("../../runtime/guest/boot.ts", import.meta.url));

let checking: Checking;
beforeAll(async () => {
  checking = await openChecking();
});
afterAll(async () => {
  checking.close();
  await stopEsbuild();
});

const HANDLER = "export default { fetch() { return 1 } };";

test("the real guest checks, snapshots and refuses like the stand-in", async () => {
  const real = await openChecking(REAL_GUEST);
  try {
    const hi = 'export default { fetch() { return new Response("hi") } };';
    expect((await real.check(hi)).start).toEqual({ kind: "quick" });
    expect((await real.check(SLOW + hi)).start).toEqual({ kind: "full" });
    const reads = await real.check(`globalThis.at = Date.now() + Math.random();${hi}`);
    const reason = "The module reads the time and random values at top level.";
    expect(reads.start).toEqual({ kind: "platform", reason });
    for (const call of ['fetch("http://a").catch(() => {});', 'await fetch("http://a");']) {
      await expect(real.check(call + hi)).rejects.toMatchObject({ code: "TOP_LEVEL_IO" });
    }
    for (const needs of [["scheduled"], ["queue"]] as const) {
      const [method] = needs;
      const code = `export default { fetch() {}, ${method}() {} };`;
      await expect(real.check(code, needs)).resolves.toHaveProperty("start");
      await expect(real.check(hi, needs)).rejects.toMatchObject({
        code: "HANDLER_MISSING",
        detail: { method },
      });
    }
    const digest = 'await crypto.subtle.digest("SHA-256", new Uint8Array(1));';
    await expect(real.check(digest + hi)).rejects.toMatchObject({
      code: "TOP_LEVEL_IO",
      message: expect.stringContaining("crypto.subtle"),
    });
    const match = 'caches.default.match("http://a/").catch(() => {});';
    await expect(real.check(match + hi)).rejects.toMatchObject({
      code: "TOP_LEVEL_IO",
      message: expect.stringContaining("caches"),
    });
  } finally {
    real.close();
  }
});

describe("check", () => {
  describe.each([
    ["a slow top level", SLOW, "full", snapshotKey, codeCacheKey, ["check", "snapshot"]],
    ["a quick top level", "", "quick", codeCacheKey, snapshotKey, ["check"]],
  ] as const)("of a module with %s", (_what, top, kind, keyOf, otherKeyOf, told) => {
    const code = `${top} var __exports = (() => ({ default: { fetch() { return 2; } } }))();`;
    const bundleHash = hashBundle(code);
    const stages: PublishStage[] = [];
    const onStage = (stage: PublishStage): void => void stages.push(stage);
    const input = { format: "script", code, bundleHash, onStage } as const;

    test("leaves what it starts from quickest, nothing else, and tells its stages", async () => {
      stages.length = 0;
      expect((await checking.checker.check(input)).start).toEqual({ kind });
      expect(stages).toEqual(told);
      const { store, storeDir, basis } = checking;
      expect(store.read(keyOf(basis, bundleHash))).not.toBeNull();
      expect(store.read(otherKeyOf(basis, bundleHash))).toBeNull();
      expect(readdirSync(storeDir).filter((name) => name.endsWith(".candidate"))).toEqual([]);
    });

    test("happens only once, as long as what it left is whole", async () => {
      await checking.checker.check(input);
      stages.length = 0;
      expect((await checking.checker.check(input)).start).toEqual({ kind });
      expect(stages).toEqual([]);
      truncateSync(checking.store.path(keyOf(checking.basis, bundleHash)), 100);
      expect((await checking.checker.check(input)).start).toEqual({ kind });
      expect(stages).toEqual(told);
    });
  });

  test.each([
    ["reads the time", "globalThis.at = Date.now();", "reads the time"],
    ["reads random values", "globalThis.r = Math.random();", "reads random values"],
    ["awaits at top level", "await 1;", "top-level await"],
    ["sets Error.stackTraceLimit", "Error.stackTraceLimit = 50;", "does not load"],
    ["freezes Promise", "Object.freeze(Promise);", "does not load"],
    [
      "polyfills Promise.try",
      "Object.defineProperty(Promise, 'try', { value() {}, writable: true, configurable: true });",
      "does not load",
    ],
    [
      "makes an Intl.DateTimeFormat",
      "globalThis.f = new Intl.DateTimeFormat('en');",
      "snapshotted",
    ],
    [
      "compiles WebAssembly",
      "globalThis.m = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));",
      "WebAssembly is not defined",
    ],
  ])("starts a module that %s from the platform", async (_what, top, reason) => {
    const { start } = await checking.check(`${SLOW}${top}\n${HANDLER}`);
    expect(start).toEqual({ kind: "platform", reason: expect.stringContaining(reason) });
  });

  test.each([
    ["using", "{ using x = { [Symbol.dispose]() {} }; }"],
    ["a FinalizationRegistry", "globalThis.r = new FinalizationRegistry(() => {});"],
  ])("accepts a module with %s at top level", async (_what, top) => {
    const { start } = await checking.check(`${SLOW}${top}\n${HANDLER}`);
    expect(["full", "platform"]).toContain(start.kind);
  });

  test("stores a code cache of all functions for what starts from the platform", async () => {
    const uncalled = Array.from({ length: 500 }, (_, i) => `globalThis.a${i} = { b: ${i} };`);
    const code = `Math.random(); var __exports = { default: { fetch() { ${uncalled.join("")} } } };`;
    const bundleHash = hashBundle(code);
    await checking.checker.check({ format: "script", code, bundleHash });
    const cache = checking.store.read(codeCacheKey(checking.basis, bundleHash));
    // Fifteen bytes and more for each of them; a kilobyte is all that the rest takes.
    expect(cache?.byteLength).toBeGreaterThan(10_000);
    expect(checking.store.read(snapshotKey(checking.basis, bundleHash))).toBeNull();
  });

  test("refuses I/O at top level, naming the call, though its failure is caught", async () => {
    await expect(
      checking.check(`fetch("http://a").catch(() => {});${HANDLER}`),
    ).rejects.toMatchObject({ code: "TOP_LEVEL_IO", message: expect.stringContaining("fetch()") });
  });

  test("refuses I/O that a top-level await waits for", async () => {
    await expect(checking.check(`await fetch("http://a");${HANDLER}`)).rejects.toMatchObject({
      code: "TOP_LEVEL_IO",
      message: expect.stringContaining("fetch()"),
    });
  });

  test.each(["export const a = 1;", "export default 1;", "export default { handle() {} };"])(
    "refuses a module without a usable default export: %s",
    async (code) => {
      await expect(checking.check(code)).rejects.toMatchObject({ code: "NO_DEFAULT_EXPORT" });
    },
  );

  test.each(["", "await 1;"])("names the author's line of what throws (%s)", async (top) => {
    const code = `${top}\nfunction boom() {\n  throw new RangeError("no");\n}\nboom();\n${HANDLER}`;
    await expect(checking.check(code)).rejects.toMatchObject({
      code: "TOP_LEVEL_THROW",
      detail: { diagnostics: [{ file: "index.ts", line: 3, column: 9, text: "RangeError: no" }] },
    });
  });

  test("refuses code that is no JavaScript as a source error", async () => {
    const code = "var __exports = (() => {;";
    const input = { format: "script", code, bundleHash: hashBundle(code) } as const;
    await expect(checking.checker.check(input)).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });

  test("runs without the platform snapshot when its file is damaged", async () => {
    const key = snapshotKey(checking.basis, null);
    truncateSync(checking.store.path(key), readFileSync(checking.store.path(key)).length - 1);
    await expect(checking.check(`//\n${HANDLER}`)).resolves.toMatchObject({
      start: { kind: "quick" },
    });
  });

  test("blames nobody when the machine has no time for it", async () => {
    const hurried = await openChecking(undefined, { wallMs: 1 });
    try {
      await expect(hurried.check(HANDLER)).rejects.toMatchObject({ code: "OVERLOADED" });
    } finally {
      hurried.close();
    }
  });

  test("leaves no candidate behind", () => {
    const names = readdirSync(join(checking.storeDir));
    expect(names.filter((name) => name.endsWith(".candidate"))).toEqual([]);
  });
});
