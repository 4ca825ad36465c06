// The commands of a fresh clone, each in a small clone of its own: real sh, real files, a stand-in for npm.

import { execFile, execFileSync, type ExecFileException } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const ROOT: string = join(import.meta.dirname, "..");
/** Prints what it was started with instead of being a command line. */
const ECHO = `process.stdout.write(JSON.stringify({ argv: process.argv.slice(2), execArgv: process.execArgv,
  version: process.version, cache: process.env.NODE_COMPILE_CACHE, cwd: process.cwd() }))`;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let base = "";
let clone = "";
let tools = "";

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "islet clone "));
  clone = join(base, "a clone");
  tools = join(base, "tools");
  for (const folder of [clone, tools, join(clone, "cli")]) mkdirSync(folder, { recursive: true });
  cpSync(join(ROOT, "bin"), join(clone, "bin"), { recursive: true });
  writeFileSync(join(clone, "package-lock.json"), "{}");
  writeFileSync(join(clone, "cli/edge.ts"), `const typed: number = 1; void typed; ${ECHO}`);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function tool(name: string, script: string): void {
  writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(tools, name), 0o755);
}

/** An npm that counts its runs, takes a moment, and installs nothing but this Node. */
function fakeNpm(): void {
  const node = `node_modules/node-linux-${process.arch}/bin`;
  tool(
    "npm",
    `echo run >>"${base}/npm-runs"; rm -rf node_modules; mkdir -p ${node}
    sleep 0.3; ln -s "${process.execPath}" ${node}/node`,
  );
}

function npmRuns(): number {
  const file = join(base, "npm-runs");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
}

function run(command: string, args: readonly string[] = [], cwd: string = base): Promise<Ran> {
  // Only these tools: no Node of the system, nor the one that runs the tests.
  for (const name of ["node", "nodejs"]) if (!existsSync(join(tools, name))) tool(name, "exit 1");
  const env = { PATH: `${tools}:/usr/bin:/bin`, HOME: join(base, "home") };
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string): void => {
      const code = typeof error?.code === "number" ? error.code : error === null ? 0 : -1;
      resolve({ code, stdout, stderr });
    };
    execFile(command, args, { env, cwd }, done);
  });
}

const edge = (...args: string[]): Promise<Ran> => run(join(clone, "bin/edge"), args);

describe("bin/edge in a clone", () => {
  test("installs once, then starts the sources on Node 24 with what it was given", async () => {
    fakeNpm();
    const first = await edge("show", "a b", "--x=*");
    expect(first.stderr).toMatch(/^edge: installing dependencies .*\n$/);
    expect(JSON.parse(first.stdout)).toMatchObject({
      argv: ["show", "a b", "--x=*"],
      execArgv: [],
      version: process.version,
      cache: join(base, "home/.cache/islet/compile-cache"),
      cwd: base,
    });
    const second = await edge();
    expect(second.stderr).toBe("");
    expect(npmRuns()).toBe(1);
  });

  test("keeps to itself what Node has a flag of the same name for", async () => {
    fakeNpm();
    const argv = ["publish", "--env-file", "nowhere.json", "--json"];
    const { code, stdout, stderr } = await edge(...argv);
    expect({ code, stderr: stderr.replace(/^edge: installing .*\n/, "") }).toEqual({
      code: 0,
      stderr: "",
    });
    expect(JSON.parse(stdout)).toMatchObject({ argv, execArgv: [] });
  });

  test("installs again when the lockfile changed", async () => {
    fakeNpm();
    await edge();
    writeFileSync(join(clone, "package-lock.json"), '{ "changed": true }');
    expect((await edge()).code).toBe(0);
    expect(npmRuns()).toBe(2);
  });

  test("started several times at once installs once, and all of them run", async () => {
    fakeNpm();
    const all = await Promise.all([edge("1"), edge("2"), edge("3"), edge("4")]);
    expect(all.map((one) => one.code)).toEqual([0, 0, 0, 0]);
    expect(npmRuns()).toBe(1);
    expect(existsSync(join(clone, ".setup-lock"))).toBe(false);
  });

  test("goes on when the lock that was in its way is gone by the time it looks", async () => {
    fakeNpm();
    const once = join(base, "refused");
    tool("ln", `[ -e "${once}" ] && exec /bin/ln "$@"\n: >"${once}"; exit 1`);
    expect((await edge()).code).toBe(0);
    expect(npmRuns()).toBe(1);
  });

  test("clears the lock of a setup that died", async () => {
    fakeNpm();
    const gone = execFileSync("/bin/sh", ["-c", "echo $$"], { encoding: "utf8" }).trim();
    symlinkSync(gone, join(clone, ".setup-lock"));
    expect((await edge()).code).toBe(0);
    expect(npmRuns()).toBe(1);
  });

  test("shows npm's output when the installation fails, and does not start: SETUP_FAILED", async () => {
    tool("npm", "echo the registry said no; exit 7");
    const { code, stdout, stderr } = await edge();
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("the registry said no");
    expect(stderr).toContain("SETUP_FAILED");
    expect(existsSync(join(clone, ".setup-lock"))).toBe(false);
  });
});

describe("bin/edge of an installed package", () => {
  beforeEach(() => {
    rmSync(join(clone, "package-lock.json"));
    rmSync(join(clone, "bin/setup"));
    mkdirSync(join(clone, "dist/cli"), { recursive: true });
    writeFileSync(join(clone, "dist/cli/edge.js"), ECHO);
  });

  test("finds a Node 24 that was hoisted above it, called through a chain of links", async () => {
    const folder = join(base, `node_modules/node-linux-${process.arch}/bin`);
    mkdirSync(folder, { recursive: true });
    symlinkSync(process.execPath, join(folder, "node"));
    mkdirSync(join(base, "node_modules/.bin"));
    symlinkSync("../../a clone/bin/edge", join(base, "node_modules/.bin/edge"));
    symlinkSync(join(base, "node_modules/.bin/edge"), join(tools, "edge"));
    const { code, stdout } = await run("edge", ["list"], "/");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ argv: ["list"], cwd: "/" });
  });

  test("takes the system's Node when it is 24", async () => {
    symlinkSync(process.execPath, join(tools, "node"));
    expect((await edge()).code).toBe(0);
  });

  test("refuses any other Node and says what to do: ENGINE_MISSING", async () => {
    tool("node", "echo v20.20.2");
    const { code, stderr } = await edge("list");
    expect(code).toBe(1);
    expect(stderr).toContain("ENGINE_MISSING");
    expect(stderr).toContain("install Node 24");
    const json = await edge("list", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, error: { code: "ENGINE_MISSING" } });
  });

  test("keeps compiled code in a temporary folder where the home cannot be written", async () => {
    symlinkSync(process.execPath, join(tools, "node"));
    writeFileSync(join(base, "home"), "not a folder");
    const { stdout } = await edge();
    expect(JSON.parse(stdout)).toMatchObject({
      cache: expect.stringMatching(/islet-compile-cache-\d+$/),
    });
  });
});

test("npm test ends with a line of counts even when nothing could be installed", async () => {
  mkdirSync(join(clone, "test"));
  cpSync(join(ROOT, "test/run"), join(clone, "test/run"));
  tool("npm", "exit 1");
  const { code, stdout } = await run(join(clone, "test/run"));
  expect(code).toBe(1);
  expect(stdout).toBe("0 passed, 1 failed, 0 skipped\n");
});
