import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BLOB_GRACE_MS, hashOf, openBlobReader, openBlobs } from "../../control/blobs.ts";
import { testClock } from "./samples.ts";
import { temporary } from "../temporary.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const fileOf = (dir: string, hash: string): string => join(dir, hash.slice(0, 2), hash);

test("blob is read back under the hash of its content", async () => {
  using folder = temporary();
  const blobs = openBlobs(folder.path);
  const hash = await blobs.put(bytes("hello"));
  expect(hash).toBe(hashOf(bytes("hello")));
  expect(blobs.read(hash)).toEqual(Buffer.from("hello"));
  expect(openBlobs(folder.path).read(hash)).toEqual(Buffer.from("hello"));
});

test("blob stored twice is one file, and nothing is left half written", async () => {
  using folder = temporary();
  const blobs = openBlobs(folder.path);
  const hash = await blobs.put(bytes("hello"));
  expect(await blobs.put(bytes("hello"))).toBe(hash);
  expect(readdirSync(join(folder.path, hash.slice(0, 2)))).toEqual([hash]);
  expect(readdirSync(join(folder.path, "incoming"))).toEqual([]);
});

test("blob that is missing, changed or cut is refused with BLOB_CORRUPT", async () => {
  using folder = temporary();
  const blobs = openBlobs(folder.path);
  const corrupt: unknown = expect.objectContaining({ code: "BLOB_CORRUPT" });
  const hash = await blobs.put(bytes("hello"));
  const file = fileOf(folder.path, hash);
  writeFileSync(file, "hellp");
  expect(() => blobs.read(hash)).toThrow(corrupt);
  writeFileSync(file, "");
  expect(() => blobs.read(hash)).toThrow(corrupt);
  rmSync(file);
  expect(() => blobs.read(hash)).toThrow(corrupt);
  expect(() => blobs.read("../../etc/passwd")).toThrow(corrupt);
});

test("blob that was damaged is whole again after it was put again", async () => {
  using folder = temporary();
  const blobs = openBlobs(folder.path);
  const hash = await blobs.put(bytes("hello"));
  writeFileSync(fileOf(folder.path, hash), "damaged");
  await blobs.put(bytes("hello"));
  expect(readFileSync(fileOf(folder.path, hash), "utf8")).toBe("hello");
});

test("collecting removes blobs that nothing names, after the grace time only", async () => {
  using folder = temporary();
  const clock = testClock();
  const blobs = openBlobs(folder.path, clock);
  const live = await blobs.put(bytes("live"));
  const dead = await blobs.put(bytes("dead"));
  const named = new Set([live]);
  clock.advance(BLOB_GRACE_MS);
  expect(blobs.collect(named)).toBe(0);
  const again = await blobs.put(bytes("asked for again"));
  clock.advance(1);
  expect(blobs.collect(named)).toBe(1);
  expect(blobs.read(live)).toEqual(Buffer.from("live"));
  expect(blobs.read(again)).toEqual(Buffer.from("asked for again"));
  expect(() => blobs.read(dead)).toThrow(expect.objectContaining({ code: "BLOB_CORRUPT" }));
});

test("a reader leaves alone what is being stored", async () => {
  using folder = temporary();
  const incoming = join(folder.path, "incoming", "half");
  const blobs = openBlobs(folder.path);
  writeFileSync(incoming, "half");
  const hash = await blobs.put(Buffer.from("hello"));
  expect(openBlobReader(folder.path).read(hash)).toEqual(Buffer.from("hello"));
  expect(existsSync(incoming)).toBe(true);
});
