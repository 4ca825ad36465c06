import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
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
