// What every backend of KV namespaces does: the cases run on each.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { KV_VALUE_BYTES_MAX, type KvBackend, type KvPut } from "../../sdk/services/kv.ts";
import { waitFor } from "../servers/process.ts";

const FOREVER = new AbortController().signal;

export interface KvHarness {
  readonly backend: KvBackend;
  close(): Promise<void>;
}

export function kvPut(key: string, value: string | Uint8Array, more: Partial<KvPut> = {}): KvPut {
  return { key, value: Buffer.from(value), metadata: null, expiresAtMs: null, ...more };
}

export function describeKvContract(name: string, open: () => Promise<KvHarness>): void {
  describe(name, () => {
    let harness: KvHarness;
    let kv: KvBackend;
    let space = "";
    beforeAll(async () => {
      harness = await open();
      kv = harness.backend;
    });
    beforeEach(() => {
      space = randomUUID();
    });
    afterAll(() => harness.close());

    const put = (key: string, value: string | Uint8Array, more: Partial<KvPut> = {}) =>
      kv.put(space, kvPut(key, value, more), FOREVER);
    /** By both ways: what is answered at once is what is answered later. */
    const get = async (key: string) => {
      const found = await kv.get(space, [key], FOREVER);
      const atOnce = kv.getNow?.(space, [key]) ?? null;
      // A key may end between the two.
      if (atOnce !== null)
        expect([found, await kv.get(space, [key], FOREVER)]).toContainEqual(atOnce);
      return found[0] ?? null;
    };
    const text = async (key: string) => (await get(key))?.value.toString() ?? null;
    const names = async (
      options: { prefix?: string; limit?: number; cursor?: string | null } = {},
    ) => {
      const listing = await kv.list(
        space,
        { prefix: "", limit: 1_000, cursor: null, ...options },
        FOREVER,
      );
      return { ...listing, names: listing.keys.map((key) => key.name) };
    };

    test("a value is read as it was put, with its metadata", async () => {
      await put("a", Buffer.from([0, 255, 13, 10]), { metadata: '{"n":1}' });
      expect(await get("a")).toEqual({ value: Buffer.from([0, 255, 13, 10]), metadata: '{"n":1}' });
      await put("a", "");
      expect(await get("a")).toEqual({ value: Buffer.alloc(0), metadata: null });
    });

    test("several keys are read in their order, null for those that are not there", async () => {
      await Promise.all([put("a", "1"), put("b", "2")]);
      const found = await kv.get(space, ["b", "x", "a", "b"], FOREVER);
      expect(found.map((entry) => entry && String(entry.value))).toEqual(["2", null, "1", "2"]);
    });

    test("a deleted key is not there, and deleting it again is no error", async () => {
      await put("a", "1");
      await put("big", Buffer.alloc(100_000));
      await kv.delete(space, ["a", "big", "never"], FOREVER);
      await kv.delete(space, ["a"], FOREVER);
      expect(await kv.get(space, ["a", "big"], FOREVER)).toEqual([null, null]);
      expect((await names()).names).toEqual([]);
    });

    test("namespaces do not see each other, whatever their names and keys look like", async () => {
      const other = `${space}:a`;
      await put("a:b", "mine");
      await kv.put(other, kvPut("b", "other"), FOREVER);
      await kv.put(`${space}}`, kvPut("a:b", "brace"), FOREVER);
      expect(await text("a:b")).toBe("mine");
      expect((await names()).names).toEqual(["a:b"]);
      await kv.delete(other, ["b"], FOREVER);
      await kv.delete(`${space}}`, ["a:b"], FOREVER);
      expect(await text("a:b")).toBe("mine");
    });

    test("the largest value comes back whole, and gives way to a small one", async () => {
      const large = Buffer.alloc(KV_VALUE_BYTES_MAX, "abcdefg");
      await put("large", large);
      const found = await get("large");
      expect(found !== null && large.equals(found.value)).toBe(true);
      await put("large", "small");
      expect(await text("large")).toBe("small");
    });

    test("a list is in the order of UTF-8 bytes, under its prefix", async () => {
      const all = ["b", "a", "é", "a/1", "A", "\u{1f600}", "\uffff", "a0", "aé"];
      await Promise.all(all.map((key) => put(key, key)));
      const sorted = all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect((await names()).names).toEqual(sorted);
      expect((await names({ prefix: "a" })).names).toEqual(["a", "a/1", "a0", "aé"]);
      expect((await names({ prefix: "zz" })).names).toEqual([]);
    });

    test("a cursor goes on where the listing ended, while keys come and go", async () => {
      for (const key of ["p1", "p3", "p5", "p7", "q"]) await put(key, "");
      const first = await names({ prefix: "p", limit: 2 });
      expect(first.names).toEqual(["p1", "p3"]);
      await put("p4", "");
      await put("p2", "");
      await kv.delete(space, ["p3"], FOREVER);
      const second = await names({ prefix: "p", limit: 2, cursor: first.cursor });
      expect(second.names).toEqual(["p4", "p5"]);
      const third = await names({ prefix: "p", limit: 2, cursor: second.cursor });
      expect(third).toMatchObject({ names: ["p7"], cursor: null });
    });

    test("a listing of exactly the limit ends without a cursor, below and above it", async () => {
      await Promise.all(["a", "b", "c"].map((key) => put(key, "")));
      expect(await names({ limit: 4 })).toMatchObject({ names: ["a", "b", "c"], cursor: null });
      expect(await names({ limit: 3 })).toMatchObject({ names: ["a", "b", "c"], cursor: null });
      const part = await names({ limit: 2 });
      expect(part.names).toEqual(["a", "b"]);
      expect(part.cursor).not.toBe(null);
    });

    test("a cursor that no listing gave is refused", async () => {
      await expect(names({ cursor: "not a cursor!" })).rejects.toMatchObject({
        code: "SERVICE_INPUT",
      });
    });

    test("a key with metadata and expiration is listed with both", async () => {
      const expiresAtMs = 1_000 * Math.ceil(Date.now() / 1_000 + 3_600);
      await put("a", "1", { metadata: '"m"', expiresAtMs });
      await put("b", "2");
      expect((await names()).keys).toEqual([
        { name: "a", expiresAtMs, metadata: '"m"' },
        { name: "b", expiresAtMs: null, metadata: null },
      ]);
    });

    test("a key that has expired is not there, until it is put again without an end", async () => {
      await put("a", "1", { expiresAtMs: Date.now() + 60 });
      await put("b", Buffer.alloc(100_000), { expiresAtMs: Date.now() + 60 });
      await waitFor(async () => (await get("a")) === null && (await get("b")) === null);
      expect((await names()).names).toEqual([]);
      await put("a", "2");
      await put("c", "3");
      await put("d", "4");
      expect(await text("a")).toBe("2");
      expect((await names()).names).toEqual(["a", "c", "d"]);
    });

    test("of puts at once to one key one stays, whole", async () => {
      const values = Array.from({ length: 20 }, (_, at) => String.fromCharCode(65 + at));
      await Promise.all(values.map((value) => put("k", value.repeat(value > "K" ? 70_000 : 10))));
      const found = (await text("k")) ?? "";
      const [letter = ""] = found;
      expect(found).toBe(letter.repeat(letter > "K" ? 70_000 : 10));
    });

    test("the probe says what answers", async () => {
      expect((await kv.probe(FOREVER)).version).not.toBe("");
    });
  });
}
