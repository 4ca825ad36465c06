import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { INLINE_BYTES_MAX, openLmdbKv } from "../../services/kv/lmdb.ts";
import { describeKvContract, kvPut } from "../contracts/kv.ts";
import { temporary } from "../temporary.ts";

const FOREVER = new AbortController().signal;

describeKvContract("KV in LMDB", async () => {
  const folder = temporary();
  const backend = await openLmdbKv({ places: { folder: folder.path } });
  return {
    backend,
    async close() {
      await backend.close();
      folder[Symbol.dispose]();
    },
  };
});

describe("KV in LMDB", () => {
  test("values just below, at and above the limit of the store are read, files only for the last", async () => {
    using folder = temporary();
    const kv = await openLmdbKv({ places: { folder: folder.path } });
    const sizes = [INLINE_BYTES_MAX - 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1];
    for (const size of sizes) await kv.put("n", kvPut(`${size}`, Buffer.alloc(size, 1)), FOREVER);
    const found = await kv.get("n", sizes.map(String), FOREVER);
    expect(found.map((entry) => entry?.value.byteLength)).toEqual(sizes);
    expect(sizes.map((size) => kv.getNow?.("n", [`${size}`])?.length ?? null)).toEqual([
      1,
      1,
      null,
    ]);
    expect(readdirSync(join(folder.path, "kv/values"))).toHaveLength(1);
    await kv.put("n", kvPut(`${INLINE_BYTES_MAX + 1}`, "small"), FOREVER);
    expect(readdirSync(join(folder.path, "kv/values"))).toHaveLength(0);
    await kv.close();
  });

  test("what has expired is removed by later puts, with its files", async () => {
    using folder = temporary();
    let time = 1_000_000;
    const kv = await openLmdbKv({ places: { folder: folder.path }, now: () => time });
    for (let at = 0; at < 4; at++) {
      const value = Buffer.alloc(INLINE_BYTES_MAX + 1);
      await kv.put("n", kvPut(`k${at}`, value, { expiresAtMs: time + 10 }), FOREVER);
    }
    time += 10;
    expect(await kv.get("n", ["k0"], FOREVER)).toEqual([null]);
    await kv.put("n", kvPut("x", ""), FOREVER);
    await kv.put("n", kvPut("y", ""), FOREVER);
    expect(readdirSync(join(folder.path, "kv/values"))).toHaveLength(0);
    await kv.close();
  });

  test("a file that nothing refers to is removed at the next opening, unless it is young", async () => {
    using folder = temporary();
    const places = { folder: folder.path };
    const values = join(folder.path, "kv/values");
    const first = await openLmdbKv({ places });
    await first.put("n", kvPut("kept", Buffer.alloc(INLINE_BYTES_MAX + 1, 7)), FOREVER);
    await first.close();
    const { BlobFolder } = await import("../../services/blob-folder.ts");
    const old = await new BlobFolder(values).write(Buffer.from("old"));
    const young = await new BlobFolder(values).write(Buffer.from("young"));
    for (const name of readdirSync(values))
      if (name !== young) utimesSync(join(values, name), 1, 1);
    const second = await openLmdbKv({ places });
    expect((await second.get("n", ["kept"], FOREVER))[0]?.value.byteLength).toBe(
      INLINE_BYTES_MAX + 1,
    );
    await second.close();
    expect(readdirSync(values)).toHaveLength(2);
    expect(readdirSync(values)).not.toContain(old);
  });
});
