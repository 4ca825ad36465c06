import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../../test/temporary.ts";
import { tryReadyFile, writeReadyFile } from "./ready-file.ts";

test("a ready file's folder is made, and the file only once the node answers", () => {
  using folder = temporary();
  const path = join(folder.path, "deep", "ready.json");
  tryReadyFile(path);
  expect(readdirSync(join(folder.path, "deep"))).toEqual([]);
  writeReadyFile(path, { port: 1 });
  expect(readFileSync(path, "utf8")).toBe('{"port":1}');
  expect(statSync(path).mode & 0o777).toBe(0o644);
  expect(readdirSync(join(folder.path, "deep"))).toEqual(["ready.json"]);
});

test("a ready file of before stays until the node answers", () => {
  using folder = temporary();
  const path = join(folder.path, "ready.json");
  writeFileSync(path, "of before");
  tryReadyFile(path);
  expect(readFileSync(path, "utf8")).toBe("of before");
});

test.each([
  ["below a file", (at: string) => join(at, "file", "ready.json")],
  ["where a folder is", (at: string) => join(at, "folder")],
  ["a device, which it would replace", () => "/dev/null"],
  ["below /proc", () => "/proc/islet/ready.json"],
])("a ready file %s is FILE_UNWRITABLE, and nothing is left of it", (_what, pathIn) => {
  using folder = temporary();
  writeFileSync(join(folder.path, "file"), "");
  mkdirSync(join(folder.path, "folder"));
  expect(() => tryReadyFile(pathIn(folder.path))).toThrow(
    expect.objectContaining({ code: "FILE_UNWRITABLE" }),
  );
  expect(readdirSync(folder.path).toSorted()).toEqual(["file", "folder"]);
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
});
