import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStore, type Store } from "../../services/lmdb.ts";
import { temporary } from "../temporary.ts";

const WRITER = join(import.meta.dirname, "store-writer.ts");
const b = (text: string): Buffer => Buffer.from(text);

let folder: ReturnType<typeof temporary>;
const open: Store[] = [];
beforeEach(() => {
  folder = temporary();
});
afterEach(async () => {
  for (const env of open.splice(0)) await env.close();
  folder[Symbol.dispose]();
});

async function environment(survives: "power" | "kills"): Promise<Store> {
  const env = await openStore({ folder: folder.path, survives });
  open.push(env);
  return env;
}

function writer(count = Infinity): ChildProcess {
  return spawn(process.execPath, [WRITER, folder.path, String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

describe("an embedded store", () => {
  it("adds up what several processes count, and reads the newest after refresh", async () => {
    const env = await environment("kills");
    const table = env.table("counters");
    const ended = [1, 2, 3].map(async () => once(writer(500), "exit"));
    await Promise.all(ended);
    env.refresh();
    expect(String(table.get(b("n")))).toBe("1500");
  });

  it("goes on when a process that writes is killed", async () => {
    const env = await environment("kills");
    const table = env.table("counters");
    for (let kill = 0; kill < 3; kill++) {
      const child = writer();
      if (child.stdout !== null) await once(child.stdout, "data");
      child.kill("SIGKILL");
      await once(child, "exit");
      const before = Number(table.get(b("n")));
      env.update(() => table.put(b("n"), b(String(before + 1))));
      expect(Number(table.get(b("n")))).toBe(before + 1);
    }
  });

  it("that survives kills only begins empty with the next boot", async () => {
    mkdirSync(join(folder.path, "an-earlier-boot"));
    await environment("kills");
    expect(existsSync(join(folder.path, "an-earlier-boot"))).toBe(false);
  });

  it("writes nothing of an update that throws, and passes on what was thrown", async () => {
    const env = await environment("power");
    const table = env.table("t");
    const work = (): void => {
      table.put(b("a"), b("1"));
      throw new RangeError("changed my mind");
    };
    expect(() => env.update(work)).toThrow(RangeError);
    expect(table.get(b("a"))).toBe(null);
  });

  it("commits writes to several tables as one, and refuses writes outside", async () => {
    const env = await environment("power");
    const [one, two] = [env.table("one"), env.table("two")];
    await env.commit(() => {
      one.put(b("a"), b("1"));
      two.put(b("b"), b("2"));
    });
    expect(String(one.get(b("a"))) + String(two.get(b("b")))).toBe("12");
    expect(one.count).toBe(1);
    expect(() => one.put(b("c"), b("3"))).toThrow("outside");
  });

  it("commits only if the version is the one that was read", async () => {
    const env = await environment("power");
    const table = env.table("v", { versions: true });
    const set = (version: number | null, to: number): Promise<boolean> =>
      env.commitIf(table, { key: b("a"), version }, () => table.put(b("a"), b("x"), to));
    expect(await set(null, 1)).toBe(true);
    expect(await set(null, 2)).toBe(false);
    expect(await Promise.all([set(1, 2), set(1, 3)])).toEqual([true, false]);
    expect(table.version(b("a"))).toBe(2);
  });

  it("lists in the order of bytes", async () => {
    const env = await environment("power");
    const table = env.table("t");
    await env.commit(() => {
      for (const key of ["b", "é", "a", "ab", "B"]) table.put(b(key), b("1"));
    });
    const keys = Array.from(table.range({ start: b("a") }), ({ key }) => String(key));
    expect(keys).toEqual(["a", "ab", "b", "é"]);
    expect(Array.from(table.range({ end: b("ab"), limit: 9 }), ({ key }) => String(key))).toEqual([
      "B",
      "a",
    ]);
  });

  it("refuses everything once it is closed", async () => {
    const env = await openStore({ folder: folder.path, survives: "power" });
    await Promise.all([env.close(), env.close()]);
    expect(() => env.refresh()).toThrow("closed");
    await expect(env.commit(() => undefined)).rejects.toMatchObject({ code: "SERVICE_STOPPED" });
  });
});
