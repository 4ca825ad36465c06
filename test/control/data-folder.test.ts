import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  statSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DATA_FOLDERS, openDataFolder } from "../../control/data-folder.ts";
import { temporary } from "../temporary.ts";

const MODULE = new URL("../../control/data-folder.ts", import.meta.url).href;

test("data folder is made with its parts, for its owner only", async () => {
  using parent = temporary();
  const folder = await openDataFolder(join(parent.path, "deep", "data"));
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
  for (const name of DATA_FOLDERS) {
    expect(statSync(join(folder.path, name)).mode & 0o777).toBe(0o700);
  }
  await folder.close();
});

test("data folder that was open to others is closed to them", async () => {
  using parent = temporary();
  const path = join(parent.path, "data");
  mkdirSync(path, { mode: 0o755 });
  await (await openDataFolder(path)).close();
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test("data folder in use by this process is refused with DATA_IN_USE until closed", async () => {
  using parent = temporary();
  const folder = await openDataFolder(parent.path);
  await expect(openDataFolder(parent.path)).rejects.toMatchObject({ code: "DATA_IN_USE" });
  await folder.close();
  await (await openDataFolder(parent.path)).close();
});

test("data folder in use by another process is refused, and free once that was killed", async () => {
  using parent = temporary();
  const script = `const { openDataFolder } = await import(${JSON.stringify(MODULE)});
    globalThis.held = await openDataFolder(${JSON.stringify(parent.path)});
    process.stdout.write("held");
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await expect(openDataFolder(parent.path)).rejects.toMatchObject({ code: "DATA_IN_USE" });
  child.kill("SIGKILL");
  await once(child, "close");
  await (await openDataFolder(parent.path)).close();
});

test("data folder that cannot be made is refused with DATA_UNWRITABLE", async () => {
  using parent = temporary();
  const file = join(parent.path, "file");
  writeFileSync(file, "");
  const opening = openDataFolder(join(file, "data"));
  await expect(opening).rejects.toMatchObject({ code: "DATA_UNWRITABLE" });
});

describe("a data folder that cannot be made", () => {
  /** Where the kernel refuses new folders as if their parent were missing. */
  test("is refused below /proc, with the reason", async () => {
    await expect(openDataFolder("/proc/islet/data")).rejects.toMatchObject({
      code: "DATA_UNWRITABLE",
      message: expect.stringMatching(/^\/proc\/islet\/data cannot be used: ENOENT/),
    });
  });

  test.each<[string, (parent: string) => string]>([
    ["is a file", (parent) => fileIn(parent)],
    ["lies below a file", (parent) => join(fileIn(parent), "deep", "data")],
    ["is a link to nowhere", (parent) => danglingIn(parent)],
    ["lies below a link to nowhere", (parent) => join(danglingIn(parent), "data")],
    ["has a name that is too long", (parent) => join(parent, "made", "x".repeat(256))],
    ["has a part that is a file", (parent) => partIn(parent)],
  ])("is refused when it %s, and nothing is left of it", async (_what, make) => {
    using parent = temporary();
    const path = make(parent.path);
    const before = treeOf(parent.path);
    await expect(openDataFolder(path)).rejects.toMatchObject({
      code: "DATA_UNWRITABLE",
      message: expect.stringContaining(`${path} cannot be used: E`),
    });
    expect(treeOf(parent.path)).toEqual(before);
  });

  test("is refused on a disk that is full, and nothing is left of it", async () => {
    using parent = temporary();
    const { bavail, bsize } = statfsSync(parent.path);
    const path = join(parent.path, "deep", "data");
    await expect(openDataFolder(path, bavail * bsize * 2)).rejects.toMatchObject({
      code: "DATA_UNWRITABLE",
      message: expect.stringContaining("bytes free"),
    });
    expect(treeOf(parent.path)).toEqual([]);
    // What is there already has to be served all the same.
    await (await openDataFolder(path)).close();
    await (await openDataFolder(path, bavail * bsize * 2)).close();
  });

  test.each(["two words", "two\nlines", "ünïcödé 目录", "x".repeat(255)])(
    "is none with the name %j",
    async (name) => {
      using parent = temporary();
      const folder = await openDataFolder(join(parent.path, name));
      expect(readdirSync(parent.path)).toEqual([name]);
      await folder.close();
    },
  );
});

describe("a folder that holds other things", () => {
  test("keeps its mode where only its owner writes", async () => {
    using parent = temporary();
    const path = projectIn(parent.path, 0o755);
    await (await openDataFolder(path)).close();
    expect(modeOf(path)).toBe(0o755);
    expect(modeOf(join(path, "registry"))).toBe(0o700);
    // Also from now on, when it holds the node's things too.
    await (await openDataFolder(path)).close();
    expect(modeOf(path)).toBe(0o755);
  });

  test.each([0o775, 0o1777, 0o757])("is refused where others may write: %o", async (mode) => {
    using parent = temporary();
    const path = projectIn(parent.path, mode);
    await expect(openDataFolder(path)).rejects.toMatchObject({ code: "USAGE" });
    expect([modeOf(path), readdirSync(path)]).toEqual([mode, ["src"]]);
  });

  test("is closed to others when these are files of its owner: what an operator has laid ready", async () => {
    using parent = temporary();
    chmodSync(parent.path, 0o775);
    writeFileSync(join(parent.path, "secret-key"), "");
    mkdirSync(join(parent.path, "lost+found"));
    mkdirSync(join(parent.path, "services"));
    await (await openDataFolder(parent.path)).close();
    expect(modeOf(parent.path)).toBe(0o700);
  });
});

function fileIn(parent: string): string {
  const path = join(parent, "file");
  writeFileSync(path, "");
  return path;
}

function danglingIn(parent: string): string {
  const path = join(parent, "link");
  symlinkSync(join(parent, "nowhere"), path);
  return path;
}

/** The last one to be made. */
function partIn(parent: string): string {
  writeFileSync(join(parent, "run"), "");
  return parent;
}

function projectIn(parent: string, mode: number): string {
  const path = join(parent, "project");
  mkdirSync(join(path, "src"), { recursive: true });
  chmodSync(path, mode);
  return path;
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o7777;
}

function treeOf(path: string): string[] {
  return readdirSync(path, { recursive: true }).map(String).toSorted();
}
