// The embedded storage when its processes are killed, and when its disk does what it should not.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDisk } from "../../services/storage/disk.ts";
import { noise, putOf, readAll } from "../contracts/storage.ts";
import { temporary } from "../temporary.ts";

const NEVER: AbortSignal = new AbortController().signal;
const ROUNDS = 4;
const LINES_PER_ROUND = 25;

/** Every name below the folder that is no folder. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

interface Writer {
  readonly child: ChildProcess;
  readonly lines: string[];
}

async function startWriter(folder: string, name: string): Promise<Writer> {
  const script = join(import.meta.dirname, "storage-writer.ts");
  const child = spawn("setpriv", ["--pdeathsig", "KILL", process.execPath, script, folder, name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  });
  await once(child.stdout, "data");
  return { child, lines };
}

async function killAfter({ child, lines }: Writer, count: number): Promise<void> {
  while (lines.length < count && child.stdout !== null) await once(child.stdout, "data");
  const gone = once(child, "close");
  child.kill("SIGKILL");
  await gone;
}

/** What has to be there after all those lines: sizes by key; null where either is right. */
function expected(lines: readonly string[], before: Map<string, number | null>): void {
  for (const line of lines) {
    const [verb = "", key = "", size] = line.split(" ");
    if (verb === "put") before.set(key, Number(size));
    else if (verb === "deleting") before.set(key, null);
    else if (verb === "deleted") before.delete(key);
  }
}

test("killed writers lose nothing that was acknowledged, and leave nothing half or forgotten", async () => {
  using folder = temporary();
  const there = new Map<string, number | null>();
  for (let round = 0; round < ROUNDS; round++) {
    const writers = await Promise.all(["a", "b"].map((name) => startWriter(folder.path, name)));
    const [first, second] = writers as [Writer, Writer];
    await Promise.all([killAfter(first, LINES_PER_ROUND), killAfter(second, LINES_PER_ROUND + 3)]);
    const storage = await openDisk({ folder: folder.path, presign: () => "/" });
    for (const { lines } of writers) expected(lines, there);
    const listing = await storage.list(
      "kept",
      {
        prefix: "",
        delimiter: null,
        cursor: null,
        startAfter: null,
        limit: 1_000,
        withMetadata: false,
      },
      NEVER,
    );
    const found = new Map(listing.objects.map(({ key, size }) => [key, size]));
    for (const [key, size] of there) {
      // A put that was under way may have come to its end before the kill, unacknowledged.
      if (size !== null) expect(found.has(key), `${key} is lost`).toBe(true);
    }
    for (const { key, size } of listing.objects) {
      const content = await storage.get("kept", { key, range: null, conditions: null }, NEVER);
      expect((await readAll(content)).equals(noise(size)), `${key} is not whole`).toBe(true);
    }
    expect(readdirSync(join(folder.path, "incoming"))).toEqual([]);
    const kept = new Set(listing.objects.map(({ size }) => size));
    expect(filesIn(join(folder.path, "blobs"))).toHaveLength(kept.size);
    there.clear();
    for (const { key, size } of listing.objects) there.set(key, size);
    await storage.close();
  }
});

test("uploads that nobody completes are forgotten, with their parts", async () => {
  using folder = temporary();
  let nowMs = 1_000;
  const day = 24 * 3_600_000;
  const storage = await openDisk({ folder: folder.path, presign: () => "/", now: () => nowMs });
  const head = { ...putOf("a", ""), body: undefined };
  const start = async (): Promise<void> => {
    const id = await storage.createUpload("files", head, NEVER);
    const body = noise(100, nowMs);
    await storage.uploadPart("files", { key: "a", id }, { number: 1, body }, NEVER);
  };
  await start();
  nowMs += 6 * day;
  await start();
  expect(filesIn(join(folder.path, "blobs"))).toHaveLength(2);
  nowMs += 2 * day;
  // Noticed by whoever next begins one.
  await start();
  await storage.delete("files", ["nothing"], NEVER);
  expect(filesIn(join(folder.path, "blobs"))).toHaveLength(2);
  await storage.close();
});

test("content that is gone or cut short is a failure, and no other object's", async () => {
  using folder = temporary();
  const storage = await openDisk({ folder: folder.path, presign: () => "/" });
  await storage.put("files", putOf("a", noise(1_000, 1)), NEVER);
  const [lost = ""] = filesIn(join(folder.path, "blobs"));
  await storage.put("files", putOf("b", noise(1_000, 2)), NEVER);
  rmSync(join(folder.path, "blobs", lost.slice(0, 2), lost));
  const get = (key: string) => storage.get("files", { key, range: null, conditions: null }, NEVER);
  await expect(get("a")).rejects.toMatchObject({ code: "SERVICE_CONFLICT" });
  expect((await readAll(await get("b"))).equals(noise(1_000, 2))).toBe(true);
  await storage.put("files", putOf("a", noise(1_000, 1)), NEVER);
  expect((await readAll(await get("a"))).equals(noise(1_000, 1))).toBe(true);
  await storage.close();
});
