import {
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { codeCacheKey, openSnapshotStore, snapshotKey, writeChecked } from "./snapshot-store.ts";
import type { SnapshotStore } from "./snapshot-store.ts";

const BASIS = { engine: "1.0.0", v8Flags: [], guestHash: "g" } as const;
const KEY: string = snapshotKey(BASIS, "b");
let dir: string;
let store: SnapshotStore;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "islet-snapshots-"));
  store = openSnapshotStore(dir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function put(key: string, text = "payload"): void {
  const candidate = store.candidatePath();
  writeChecked(candidate, new TextEncoder().encode(text).buffer);
  store.promote(candidate, key);
}

function read(key: string): string | null {
  const payload = store.read(key);
  return payload === null ? null : new TextDecoder().decode(payload);
}

describe("snapshot store", () => {
  test("reads back what was promoted, and replaces it", () => {
    expect(read(KEY)).toBeNull();
    put(KEY, "one");
    expect(read(KEY)).toBe("one");
    put(KEY, "two");
    expect(read(KEY)).toBe("two");
  });

  test.each([
    ["truncated", (path: string) => truncateSync(path, 35)],
    ["cut inside its hash", (path: string) => truncateSync(path, 10)],
    ["empty", (path: string) => truncateSync(path, 0)],
    ["zeroed", (path: string) => writeFileSync(path, Buffer.alloc(readFileSync(path).length))],
    [
      "flipped in one bit",
      (path: string) => {
        const bytes = readFileSync(path);
        bytes.writeUInt8(bytes.readUInt8(36) ^ 1, 36);
        writeFileSync(path, bytes);
      },
    ],
  ])("does not hand out a file that was %s, and removes it", (_how, damage) => {
    put(KEY);
    damage(store.path(KEY));
    expect(read(KEY)).toBeNull();
    expect(() => readFileSync(store.path(KEY))).toThrow("ENOENT");
  });

  test("prunes the oldest beyond the count and the too old, but none in use", () => {
    const keys = ["a", "b", "c", "d"].map((hash) => snapshotKey(BASIS, hash));
    keys.forEach((key, index) => {
      put(key);
      utimesSync(store.path(key), 1_000 + index, 1_000 + index);
    });
    const [oldest = "", second = "", third = "", youngest = ""] = keys;
    const keep = new Set([oldest]);
    const options = { keep, nowMs: 1_003_000, ageMsMax: 1_000 };
    expect(store.prune({ ...options, countMax: 10 })).toBe(1);
    expect(keys.map((key) => read(key) !== null)).toEqual([true, false, true, true]);
    expect(store.prune({ ...options, countMax: 1 })).toBe(1);
    expect([read(second), read(third), read(youngest)]).toEqual([null, null, "payload"]);
    expect(read(oldest)).toBe("payload");
  });

  test("forgets candidates of children that are long gone", () => {
    const [young, old] = [store.candidatePath(), store.candidatePath()];
    for (const path of [young, old]) writeFileSync(path, "half");
    utimesSync(old, 1_000, 1_000);
    utimesSync(young, 1_600, 1_600);
    const options = { keep: new Set<string>(), countMax: 10, ageMsMax: 1, nowMs: 1_600_001 };
    expect(store.prune(options)).toBe(1);
    expect([existsSync(young), existsSync(old)]).toEqual([true, false]);
  });

  const asRoot = test.skipIf(process.getuid?.() !== 0);
  const SOMEBODY = 65_534;

  asRoot("writes anew what a child of another user made", () => {
    const candidate = store.candidatePath();
    writeChecked(candidate, new TextEncoder().encode("payload").buffer);
    chownSync(candidate, SOMEBODY, SOMEBODY);
    store.promote(candidate, KEY);
    expect(read(KEY)).toBe("payload");
    expect(statSync(store.path(KEY))).toMatchObject({ uid: 0, nlink: 1 });
    expect(existsSync(candidate)).toBe(false);
  });

  asRoot.each([
    ["a link to another file", (path: string, secret: string) => symlinkSync(secret, path)],
    ["another name of a file", (path: string, secret: string) => linkSync(secret, path)],
    ["damaged", (path: string) => writeFileSync(path, "garbage of more than thirty-two bytes")],
    ["a folder", (path: string) => mkdirSync(path)],
  ])("takes no candidate of another user that is %s", (_what, make) => {
    const secret = join(dir, "secret");
    writeChecked(secret, new TextEncoder().encode("secret").buffer);
    const candidate = store.candidatePath();
    make(candidate, secret);
    lchownSync(candidate, SOMEBODY, SOMEBODY);
    expect(() => store.promote(candidate, KEY)).toThrow();
    expect(read(KEY)).toBeNull();
    store.discard(candidate);
  });

  test("key changes with everything that a snapshot depends on", () => {
    const keys = [
      KEY,
      snapshotKey(BASIS, "other"),
      snapshotKey(BASIS, null),
      snapshotKey({ ...BASIS, engine: "1.0.1" }, "b"),
      snapshotKey({ ...BASIS, guestHash: "h" }, "b"),
      snapshotKey({ ...BASIS, v8Flags: ["--jitless"] }, "b"),
      codeCacheKey(BASIS, "b"),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});
