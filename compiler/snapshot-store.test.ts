import {
  mkdtempSync,
  readFileSync,
  rmSync,
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
