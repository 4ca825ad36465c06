// The repository checks itself: the rules stand in tidy/rules.ts, each is one function in tidy/checks.ts, and each
// is shown here to fail on a sample, since a gate that cannot fail is worse than none.

import { globSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CODES } from "../sdk/errors.ts";
import {
  banFaults,
  budgetFaults,
  codeFaults,
  cycleFaults,
  doorFaults,
  layerFaults,
  lockfileFaults,
  nameFaults,
  pathFaults,
  unparsable,
} from "./tidy/checks.ts";
import {
  FILES_PER_FOLDER_MAX,
  LINES_PER_FILE_MAX,
  LINES_PER_TEST_MAX,
  UNTESTED_CODES,
} from "./tidy/rules.ts";
import { treeOf } from "./tidy/tree.ts";

const ROOT: string = join(import.meta.dirname, "..");
/** Far fewer than there are; none of them seen means the gate is blind. */
const FILES_MIN = 100;
/** May only fall. */
const UNTESTED_CODES_MAX = 3;

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const skip = /^(?:node_modules|dist|bench\/peers|\.edge|\.git)(?:\/|$)/;
const everything = globSync("**/*", { cwd: ROOT, exclude: (path) => skip.test(path) });
const paths = everything.filter((path) => path.endsWith(".ts"));
const tree = treeOf(Object.fromEntries(paths.map((path) => [path, read(path)])));

describe("this repository", () => {
  test(`was looked at: more than ${FILES_MIN} files`, () => {
    expect(tree.size).toBeGreaterThan(FILES_MIN);
    const imports = [...tree.values()].reduce((sum, file) => sum + file.imports.length, 0);
    expect(imports).toBeGreaterThan(FILES_MIN);
  });
  test("parses", () => expect(unparsable(tree)).toEqual([]));
  test("keeps its layers", () => expect(layerFaults(tree)).toEqual([]));
  test("has one door per dependency", () => expect(doorFaults(tree)).toEqual([]));
  test("has no cycle of value imports", () => expect(cycleFaults(tree)).toEqual([]));
  test("contains no banned text", () => expect(banFaults(tree)).toEqual([]));
  test("keeps its budgets", () => expect(budgetFaults(tree)).toEqual([]));
  test("names its files in kebab-case", () => expect(nameFaults(tree)).toEqual([]));
  test("refers to every error code in a test", () => {
    expect(codeFaults(Object.keys(CODES), tree, UNTESTED_CODES)).toEqual([]);
    expect(Object.keys(UNTESTED_CODES).length).toBeLessThanOrEqual(UNTESTED_CODES_MAX);
  });
  test("locks versions, not addresses", () => {
    expect(lockfileFaults(read("package-lock.json"))).toEqual([]);
  });
  test.runIf(existsSync(join(ROOT, "ARCHITECTURE.md")))("has what its map names", () => {
    expect(pathFaults(read("ARCHITECTURE.md"), everything)).toEqual([]);
  });
});

describe("the gate", () => {
  test("finds a file that does not parse", () => {
    expect(unparsable(treeOf({ "sdk/a.ts": "export const = 1;" }))).toHaveLength(1);
  });

  test("finds an import across layers, also of types, by re-export and by import()", () => {
    const faults = layerFaults(
      treeOf({
        "sdk/a.ts": 'import { b } from "../control/b.ts";',
        "control/b.ts": 'import type { C } from "../compiler/c.ts";',
        "runtime/http/c.ts": 'export { d } from "../gateway/d.ts";',
        "runtime/guest/d.ts": 'await import("../http/c.ts");',
        "compiler/e.ts": 'import { w } from "../runtime/worker/state.ts";',
        "cli/f.ts": 'import { s } from "../runtime/supervisor.ts";',
        "loose/g.ts": "",
      }),
    );
    expect(faults).toHaveLength(7);
  });

  test("lets composition roots, tests and the command line's import() through", () => {
    const faults = layerFaults(
      treeOf({
        "runtime/worker.ts": 'import { a } from "./http/a.ts"; import { b } from "./worker/b.ts";',
        "runtime/worker/b.ts": 'import { c } from "../../control/c.ts";',
        "cli/f.ts": 'await import("../runtime/supervisor.ts"); import { x } from "../sdk/x.ts";',
        "sdk/a.test.ts": 'import { b } from "../control/b.ts";',
      }),
    );
    expect(faults).toEqual([]);
  });

  test("finds a dependency used past its door, also by require and deep import", () => {
    const faults = doorFaults(
      treeOf({
        "runtime/isolate/engine.ts": 'import ivm from "isolated-vm";',
        "runtime/isolate/a.ts": 'import type ivm from "isolated-vm";',
        "runtime/worker.ts": 'const uws = require("uWebSockets.js");',
        "control/b.ts": 'import { open } from "lmdb/index.js";',
        "cli/c.ts": 'await import("esbuild");',
      }),
    );
    expect(faults).toHaveLength(4);
  });

  test("finds a cycle of value imports and lets one of types pass", () => {
    const cycle = {
      "sdk/a.ts": 'import { b } from "./b.ts";',
      "sdk/b.ts": 'export * from "./c.ts";',
      "sdk/c.ts": 'import { a } from "./a.ts";',
    };
    expect(cycleFaults(treeOf(cycle))).toEqual([
      "cycle: sdk/a.ts -> sdk/b.ts -> sdk/c.ts -> sdk/a.ts",
    ]);
    const typed = { ...cycle, "sdk/c.ts": 'import type { a } from "./a.ts";' };
    expect(cycleFaults(treeOf(typed))).toEqual([]);
  });

  test.each([
    ["console", "console.log(1);"],
    ["environment", "const port = process.env.PORT;"],
    ["plain error", 'throw new Error("no");'],
    ["unfinished work", `// ${"TO"}DO: later`],
    ["any", `const a = b as ${"any"};`],
    ["compiler silenced", `// @ts-${"ignore"}`],
  ])("finds banned text: %s", (name, text) => {
    expect(banFaults(treeOf({ "control/a.ts": text }))).toEqual([
      expect.stringContaining(`control/a.ts:1: ${name};`),
    ]);
  });

  test("lets banned text pass where it may stand, and in comments", () => {
    const faults = banFaults(
      treeOf({
        "cli/a.ts": "console.log(process.env.HOME);",
        "runtime/guest/b.ts": 'throw new Error("no");',
        "control/c.ts": "// Never console.log here.",
        "control/d.test.ts": 'throw new Error("no");',
      }),
    );
    expect(faults).toEqual([]);
  });

  test("finds a file, a line and a folder over budget, and lets them be full", () => {
    const full = Object.fromEntries(
      Array.from({ length: FILES_PER_FOLDER_MAX }, (_, at) => [`sdk/f${at}.ts`, ""]),
    );
    const long = "\n".repeat(LINES_PER_FILE_MAX);
    expect(budgetFaults(treeOf({ ...full, "control/a.ts": long }))).toEqual([]);
    expect(budgetFaults(treeOf({ "control/a.ts": `${long}\n` }))).toHaveLength(1);
    expect(budgetFaults(treeOf({ "test/a.ts": "\n".repeat(LINES_PER_TEST_MAX) }))).toEqual([]);
    expect(budgetFaults(treeOf({ "test/a.ts": "\n".repeat(LINES_PER_TEST_MAX + 1) }))).toHaveLength(
      1,
    );
    expect(budgetFaults(treeOf({ "control/a.ts": `// ${"x".repeat(120)}` }))).toHaveLength(1);
    expect(budgetFaults(treeOf({ ...full, "sdk/one-more.ts": "" }))).toHaveLength(1);
  });

  test("finds bad file names", () => {
    expect(nameFaults(treeOf({ "sdk/camelCase.ts": "", "sdk/utils.ts": "" }))).toHaveLength(2);
    expect(nameFaults(treeOf({ "sdk/a-b.test.ts": "", "vitest.config.ts": "" }))).toEqual([]);
  });

  test("finds a path in a document that does not exist", () => {
    const text = "See `sdk/gone.ts`, `sdk/`, `sdk/a.ts`, `a/b` and `npm test`.";
    expect(pathFaults(text, ["sdk/a.ts"])).toEqual(["sdk/gone.ts does not exist"]);
  });

  test("finds an untested code, a needless exception and one for nothing", () => {
    const sample = treeOf({ "sdk/a.test.ts": 'expect(code).toBe("SEEN"); // UNSEEN' });
    const exceptions = { SEEN: "why", GONE: "why" };
    expect(codeFaults(["SEEN", "UNSEEN"], sample, {})).toHaveLength(1);
    expect(codeFaults(["SEEN", "UNSEEN"], sample, exceptions)).toHaveLength(3);
    expect(codeFaults(["UNSEEN"], sample, { UNSEEN: "why" })).toEqual([]);
  });

  test("finds a registry's address in the lockfile", () => {
    expect(lockfileFaults('{ "resolved": "https://registry/x.tgz" }')).toHaveLength(1);
  });
});
