// What people get from the registry: packed, installed into an empty folder with the system's own Node, and used
// through the command that npm links. Slow (an installation), so everything is asked of one installation.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const ROOT: string = join(import.meta.dirname, "../..");
/** Packing compiles everything; installing fetches 40 packages when npm has none of them yet. */
const INSTALL_MS_MAX = 240_000;
const NODE_MS_MAX = 30_000;

const HANDLER = `import { defineHandler } from "islet/sdk";
const greeting: string = "hello from the package";
export default defineHandler(() => new Response(greeting));
`;

let base = "";
let edge = "";

function environment(extra: Record<string, string> = {}): Record<string, string | undefined> {
  // As outside of any npm script: no .bin folders, so the Node found is the system's.
  const path = (process.env["PATH"] ?? "")
    .split(":")
    .filter((part) => !part.includes("node_modules"));
  const clean = Object.entries(process.env).filter(([name]) => !/^npm_|^EDGE_|^NODE_/i.test(name));
  return { ...Object.fromEntries(clean), PATH: path.join(":"), HOME: join(base, "home"), ...extra };
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "islet-package-"));
  const project = join(base, "project");
  for (const folder of [project, join(base, "home")]) mkdirSync(folder);
  await run("npm", ["pack", "--pack-destination", base], { cwd: ROOT });
  const version = manifestVersion();
  const tarball = join(base, `islet-${version}.tgz`);
  // npm's own cache, wherever it is, not one in the empty home.
  const { stdout: cache } = await run("npm", ["config", "get", "cache"], { cwd: ROOT });
  writeFileSync(join(project, "package.json"), "{}");
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", tarball], {
    cwd: project,
    env: environment({ npm_config_cache: cache.trim() }),
  });
  edge = join(project, "node_modules/.bin/edge");
}, INSTALL_MS_MAX);

afterAll(() => rmSync(base, { recursive: true, force: true }));

function manifestVersion(): string {
  const text = readFileSync(join(ROOT, "package.json"), "utf8");
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? "";
}

function command(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(edge, args, { cwd: join(base, "project"), env: environment() });
}

interface Ready {
  readonly port: number;
  readonly adminPort: number;
}

async function ready(file: string, node: ChildProcess): Promise<Ready> {
  const written = new Promise<void>((resolve, reject) => {
    const watcher = watch(join(base, "project"), () => {
      if (!existsSync(file)) return;
      watcher.close();
      resolve();
    });
    node.once("exit", (code) => {
      watcher.close();
      reject(new Error(`edge serve ended with ${code} before it was ready`));
    });
  });
  await written;
  return JSON.parse(readFileSync(file, "utf8")) as Ready;
}

test("the installed edge prints its version and its help", async () => {
  expect((await command("--version")).stdout.trim()).toBe(manifestVersion());
  expect((await command("--help")).stdout).toMatch(/\bpublish\b/);
});

test("the installed edge finds everything that a node needs", async () => {
  const { stdout } = await command("doctor", "--json", "--port", "0", "--admin-port", "0");
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, data: { ok: true } });
});

test(
  "an installed node serves what is published to it, and ends with 0",
  async () => {
    const project = join(base, "project");
    const file = join(project, "ready.json");
    const ports = ["--port", "0", "--admin-port", "0", "--host", "127.0.0.1", "--workers", "1"];
    const node = spawn(edge, ["serve", ...ports, "--ready-file", file], {
      cwd: project,
      env: environment(),
      stdio: ["ignore", "inherit", "inherit"],
    });
    const exited = once(node, "exit");
    try {
      const { port, adminPort } = await ready(file, node);
      writeFileSync(join(project, "greet.ts"), HANDLER);
      await command("publish", "greet.ts", "--admin", `http://127.0.0.1:${adminPort}`);
      const answer = await fetch(`http://127.0.0.1:${port}/greet`);
      expect(await answer.text()).toBe("hello from the package");
    } finally {
      node.kill("SIGTERM");
    }
    expect(await exited).toEqual([0, null]);
  },
  NODE_MS_MAX,
);

// Last: it takes the installation apart.
test("doctor names what an installation lacks: INSTALL_BROKEN, ADDON_UNLOADABLE", async () => {
  const doctor = ["doctor", "--json", "--port", "0", "--admin-port", "0"];
  const modules = join(base, "project/node_modules");
  rmSync(join(modules, "uWebSockets.js"), { recursive: true });
  const { stdout } = await command(...doctor);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: true,
    data: {
      checks: expect.arrayContaining([expect.objectContaining({ code: "ADDON_UNLOADABLE" })]),
    },
  });
  rmSync(join(modules, "lmdb"), { recursive: true });
  const failed = await command(...doctor).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('"INSTALL_BROKEN"') });
});
