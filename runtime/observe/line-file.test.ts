import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLineFile } from "./line-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lines-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a line file holds every line, in order, once it is closed", () => {
  const path = join(folder, "a.log");
  const file = openLineFile(path, "latin1");
  for (let i = 0; i < 100; i++) file.write(`${i}\n`);
  file.close();
  const lines = Array.from({ length: 100 }, (_, i) => `${i}\n`);
  expect(readFileSync(path, "utf8")).toBe(lines.join(""));
});

test("a line file appends to what is there", () => {
  const path = join(folder, "a.log");
  for (const text of ["one\n", "two\n"]) {
    const file = openLineFile(path, "latin1");
    file.write(text);
    file.close();
  }
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
});

test("a line file in UTF-8 keeps every character", () => {
  const path = join(folder, "a.log");
  const file = openLineFile(path, "utf8");
  file.write("grüße 日本 \u{1f600}\n");
  file.close();
  expect(readFileSync(path, "utf8")).toBe("grüße 日本 \u{1f600}\n");
});

test("a line file drops what its two blocks cannot hold instead of growing", () => {
  const path = join(folder, "a.log");
  const file = openLineFile(path, "latin1");
  const line = `${"x".repeat(1_023)}\n`;
  // In one turn of the event loop, so that no write can end: one block is under way, one is full.
  for (let i = 0; i < 1_000; i++) file.write(line);
  file.close();
  const kept = readFileSync(path, "latin1").length / line.length;
  expect(kept).toBeGreaterThanOrEqual(128);
  expect(kept).toBeLessThanOrEqual(256);
});

test("a line file that nobody can write to any more fails in silence", () => {
  const file = openLineFile(1_000_000, "latin1");
  file.write("lost\n");
  expect(() => file.close()).not.toThrow();
});
