// What every backend of storage does, one suite for all of them. Each case works in a scope of its own.

import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {
  StorageBackend,
  StorageConditions,
  StorageFound,
  StorageHttp,
  StorageListing,
  StoragePut,
  StorageQuery,
} from "../../sdk/services/storage.ts";

export interface OpenedStorage extends AsyncDisposable {
  readonly backend: StorageBackend;
  /** What addresses belong to that name no host. */
  readonly origin: string;
}

const MIB = 1_024 ** 2;
const NEVER: AbortSignal = new AbortController().signal;
const NO_HTTP: StorageHttp = {
  contentType: null,
  contentLanguage: null,
  contentDisposition: null,
  contentEncoding: null,
  cacheControl: null,
  cacheExpiryMs: null,
};
const ANY: StorageConditions = {
  etagMatches: null,
  etagDoesNotMatch: null,
  uploadedBeforeMs: null,
  uploadedAfterMs: null,
  secondsGranularity: false,
};

export function putOf(key: string, body: StoragePut["body"] | string): StoragePut {
  return {
    key,
    body: typeof body === "string" ? Buffer.from(body) : body,
    http: NO_HTTP,
    custom: {},
    checksums: {},
    conditions: null,
  };
}

/** Bytes that are nowhere alike, in pieces of an odd size. */
export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 65_537) yield bytes.subarray(at, at + 65_537);
}

export function noise(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed;
  for (let at = 0; at + 4 <= size; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

export async function readAll(found: StorageFound | null): Promise<Buffer> {
  if (found === null || found.content === null) throw new Error("there is no content");
  const pieces: Uint8Array[] = [];
  for await (const piece of found.content.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

const hash = (name: string, bytes: Uint8Array): Buffer => createHash(name).update(bytes).digest();
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

export function describeStorageContract(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`storage on ${name}`, () => {
    let opened: OpenedStorage;
    let backend: StorageBackend;
    beforeAll(async () => {
      opened = await open();
      backend = opened.backend;
    });
    afterAll(() => opened[Symbol.asyncDispose]());

    const scopeOf = (): string => `app/${randomUUID()}`;
    const get = (scope: string, key: string): Promise<StorageFound | null> =>
      backend.get(scope, { key, range: null, conditions: null }, NEVER);
    const textOf = async (scope: string, key: string): Promise<string> =>
      String(await readAll(await get(scope, key)));
    const put = (scope: string, key: string, body: StoragePut["body"] | string): Promise<unknown> =>
      backend.put(scope, putOf(key, body), NEVER);
    const list = (scope: string, query: Partial<StorageQuery> = {}): Promise<StorageListing> =>
      backend.list(
        scope,
        {
          prefix: "",
          delimiter: null,
          cursor: null,
          startAfter: null,
          limit: 1_000,
          withMetadata: false,
          ...query,
        },
        NEVER,
      );
    const keysOf = ({ objects }: StorageListing): string[] => objects.map(({ key }) => key);

    it("answers a probe with its version", async () => {
      expect((await backend.probe(NEVER)).version).not.toBe("");
    });

    it("has nothing under a key that was never put, and deletes it without complaint", async () => {
      const scope = scopeOf();
      expect(await backend.head(scope, "a", NEVER)).toBeNull();
      expect(await get(scope, "a")).toBeNull();
      await backend.delete(scope, ["a", "b"], NEVER);
    });

    it("gives back what was put, with everything that was said of it", async () => {
      const scope = scopeOf();
      const body = noise(1_000);
      const http: StorageHttp = {
        contentType: "text/html; charset=utf-8",
        contentLanguage: "de",
        contentDisposition: 'attachment; filename="a.html"',
        contentEncoding: "identity",
        cacheControl: "max-age=60",
        cacheExpiryMs: 1_900_000_000_000,
      };
      const custom = { plain: "value", Capital: "Ä 漢字", empty: "", __proto: "x", spaced: " a " };
      const checksums = { sha256: hash("sha256", body), md5: hash("md5", body) };
      const before = Date.now();
      const made = await backend.put(
        scope,
        { ...putOf("a", body), http, custom, checksums },
        NEVER,
      );
      const md5 = hash("md5", body);
      const expected = { key: "a", size: 1_000, etag: md5.toString("hex"), http, custom };
      expect(made).toMatchObject(expected);
      const head = await backend.head(scope, "a", NEVER);
      expect(head).toMatchObject(expected);
      expect(head?.version).toBe(made?.version);
      expect(Math.abs((head?.uploadedMs ?? 0) - before)).toBeLessThan(60_000);
      expect(Buffer.from(head?.checksums.md5 ?? []).equals(md5)).toBe(true);
      expect(Buffer.from(head?.checksums.sha256 ?? []).equals(checksums.sha256)).toBe(true);
      const found = await get(scope, "a");
      expect(found?.object).toMatchObject(expected);
      expect(found?.content?.span).toEqual({ offset: 0, length: 1_000 });
      expect((await readAll(found)).equals(body)).toBe(true);
    });

    it("says nothing of an object of which nothing was said", async () => {
      const scope = scopeOf();
      await put(scope, "a", "x");
      const head = await backend.head(scope, "a", NEVER);
      expect(head).toMatchObject({ http: NO_HTTP, custom: {} });
    });

    it("keeps an empty object, and replaces it by the next put", async () => {
      const scope = scopeOf();
      await put(scope, "a", "");
      expect(await backend.head(scope, "a", NEVER)).toMatchObject({ size: 0 });
      expect(await textOf(scope, "a")).toBe("");
      await put(scope, "a", streamOf(Buffer.from("new")));
      expect(await textOf(scope, "a")).toBe("new");
      await backend.delete(scope, ["a"], NEVER);
      expect(await get(scope, "a")).toBeNull();
    });

    it("stores a stream that is longer than any part, and streams it back", async () => {
      const scope = scopeOf();
      const body = noise(17 * MIB + 3);
      const checksums = { sha1: hash("sha1", body) };
      const long = { ...putOf("a", streamOf(body)), checksums, custom: { a: "b" } };
      expect(await backend.put(scope, long, NEVER)).toMatchObject({ size: body.byteLength });
      const found = await get(scope, "a");
      expect(found?.object).toMatchObject({ size: body.byteLength, custom: { a: "b" } });
      expect(Buffer.from(found?.object.checksums.sha1 ?? []).equals(checksums.sha1)).toBe(true);
      expect(hash("md5", await readAll(found)).equals(hash("md5", body))).toBe(true);
      const range = { offset: 8 * MIB - 2, length: 5 };
      const part = await backend.get(scope, { key: "a", range, conditions: null }, NEVER);
      expect((await readAll(part)).equals(body.subarray(8 * MIB - 2, 8 * MIB + 3))).toBe(true);
    });

    it.each([
      ["from its beginning", { offset: 0, length: 3 }, { offset: 0, length: 3 }],
      ["from its middle to its end", { offset: 4, length: null }, { offset: 4, length: 6 }],
      ["beyond its end", { offset: 8, length: 100 }, { offset: 8, length: 2 }],
      ["its last byte", { offset: 9, length: 1 }, { offset: 9, length: 1 }],
      ["its end", { suffix: 3 }, { offset: 7, length: 3 }],
      ["more than all of it", { suffix: 30 }, { offset: 0, length: 10 }],
    ])("reads a range of an object: %s", async (_case, range, span) => {
      const scope = scopeOf();
      await put(scope, "a", "0123456789");
      const found = await backend.get(scope, { key: "a", range, conditions: null }, NEVER);
      expect(found?.object.size).toBe(10);
      expect(found?.content?.span).toEqual(span);
      const text = "0123456789".slice(span.offset, span.offset + span.length);
      expect(String(await readAll(found))).toBe(text);
    });

    it("refuses a range outside of the object", async () => {
      const scope = scopeOf();
      await put(scope, "a", "0123456789");
      const outside = { key: "a", range: { offset: 10, length: 1 }, conditions: null };
      await expect(backend.get(scope, outside, NEVER)).rejects.toEqual(code("SERVICE_INPUT"));
    });

    it("ends a body that nobody reads, or reads no further", async () => {
      const scope = scopeOf();
      await put(scope, "a", noise(2 * MIB));
      const unread = await get(scope, "a");
      await unread?.content?.body[Symbol.asyncIterator]().return?.();
      const found = await get(scope, "a");
      for await (const piece of found?.content?.body ?? []) {
        expect(piece.byteLength).toBeGreaterThan(0);
        break;
      }
      expect(await backend.head(scope, "a", NEVER)).toMatchObject({ size: 2 * MIB });
    });

    it("gives the body only when the conditions hold, and the head in any case", async () => {
      const scope = scopeOf();
      await put(scope, "a", "text");
      const { etag = "", uploadedMs = 0 } = (await backend.head(scope, "a", NEVER)) ?? {};
      const minute = 60_000;
      const cases: readonly (readonly [Partial<StorageConditions>, boolean])[] = [
        [{ etagMatches: [etag] }, true],
        [{ etagMatches: ["other", etag] }, true],
        [{ etagMatches: ["*"] }, true],
        [{ etagMatches: ["other"] }, false],
        [{ etagDoesNotMatch: [etag] }, false],
        [{ etagDoesNotMatch: ["*"] }, false],
        [{ etagDoesNotMatch: ["other"] }, true],
        [{ uploadedBeforeMs: uploadedMs + minute }, true],
        [{ uploadedBeforeMs: uploadedMs - minute }, false],
        [{ uploadedAfterMs: uploadedMs - minute }, true],
        [{ uploadedAfterMs: uploadedMs + minute }, false],
        [{ etagMatches: [etag], uploadedBeforeMs: uploadedMs - minute }, true],
        [{ uploadedAfterMs: uploadedMs, secondsGranularity: true }, false],
      ];
      for (const [some, isGiven] of cases) {
        const conditions = { ...ANY, ...some };
        const found = await backend.get(scope, { key: "a", range: null, conditions }, NEVER);
        expect(found?.object, JSON.stringify(some)).toMatchObject({ key: "a", size: 4, etag });
        expect(found?.content === null, JSON.stringify(some)).toBe(!isGiven);
        await found?.content?.body[Symbol.asyncIterator]().return?.();
      }
      const conditions = { ...ANY, etagMatches: [etag] };
      expect(await backend.get(scope, { key: "b", range: null, conditions }, NEVER)).toBeNull();
    });

    it("puts only when the conditions hold", async () => {
      const scope = scopeOf();
      const attempt = (body: StoragePut["body"] | string, some: Partial<StorageConditions>) =>
        backend.put(scope, { ...putOf("a", body), conditions: { ...ANY, ...some } }, NEVER);
      expect(await attempt("x", { etagMatches: ["*"] })).toBeNull();
      expect(await backend.head(scope, "a", NEVER)).toBeNull();
      const first = await attempt("first", { etagDoesNotMatch: ["*"] });
      expect(first).toMatchObject({ size: 5 });
      expect(await attempt("second", { etagDoesNotMatch: ["*"] })).toBeNull();
      expect(await attempt(streamOf(noise(9 * MIB)), { etagMatches: ["other"] })).toBeNull();
      expect(await textOf(scope, "a")).toBe("first");
      expect(await attempt("third", { etagMatches: [first?.etag ?? ""] })).toMatchObject({
        size: 5,
      });
      const long = noise(9 * MIB);
      const after = { uploadedAfterMs: Date.now() - 60_000 };
      expect(await attempt(streamOf(long), after)).toMatchObject({ size: 9 * MIB });
      expect((await readAll(await get(scope, "a"))).equals(long)).toBe(true);
    });

    it.each([
      ["bytes", Buffer.from("the body")],
      ["a short stream", streamOf(Buffer.from("the body"))],
      ["a long stream", streamOf(noise(9 * MIB))],
    ])("stores nothing of %s that do not have the checksum given", async (_case, body) => {
      const scope = scopeOf();
      await put(scope, "a", "old");
      const checksums = { sha256: hash("sha256", Buffer.from("another body")) };
      const wrong = { ...putOf("a", body), checksums };
      await expect(backend.put(scope, wrong, NEVER)).rejects.toEqual(code("SERVICE_INPUT"));
      expect(await textOf(scope, "a")).toBe("old");
      expect(keysOf(await list(scope))).toEqual(["a"]);
    });

    it.each([
      ["short", 100],
      ["long", 9 * MIB],
    ])("stores nothing of a %s stream that fails or is aborted", async (_case, size) => {
      const scope = scopeOf();
      const failing = async function* (): AsyncGenerator<Uint8Array> {
        yield* streamOf(noise(size));
        throw new Error("the source failed");
      };
      await expect(put(scope, "a", failing())).rejects.toThrow("the source failed");
      const controller = new AbortController();
      const aborting = async function* (): AsyncGenerator<Uint8Array> {
        yield* streamOf(noise(size));
        controller.abort(new Error("no more"));
        yield Buffer.from("more");
      };
      const cut = backend.put(scope, putOf("a", aborting()), controller.signal);
      await expect(cut).rejects.toThrow();
      expect(await list(scope)).toMatchObject({ objects: [] });
    });

    it("keeps keys apart, whatever they look like", async () => {
      const scope = scopeOf();
      const keys = [
        "../../etc/passwd",
        "..",
        ".",
        "/lead",
        "a",
        "a/",
        "a//b",
        "a/b",
        "a b+c%20d&e?f#g=h;i",
        "\\x\\..\\y",
        "Zoë/漢字/🙂",
        "<&\"'>",
        "k".repeat(900),
      ];
      for (const key of keys) await put(scope, key, `of ${key}`);
      for (const key of keys) expect(await textOf(scope, key)).toBe(`of ${key}`);
      const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(keysOf(await list(scope))).toEqual(sorted);
      await backend.delete(scope, keys, NEVER);
      expect(keysOf(await list(scope))).toEqual([]);
    });

    it("keeps scopes apart", async () => {
      const [one, other] = [scopeOf(), scopeOf()];
      await put(one, "a", "one");
      await put(other, "a", "other");
      await backend.delete(other, ["a"], NEVER);
      expect(await textOf(one, "a")).toBe("one");
      expect(keysOf(await list(other))).toEqual([]);
    });

    it("lists by pages, in order, by prefix and from behind a key", async () => {
      const scope = scopeOf();
      const names = ["a", "b/1", "b/2", "b/3", "c", "é"];
      for (const name of names) await put(scope, name, "x");
      let cursor: string | null = null;
      const pages: string[][] = [];
      do {
        const page: StorageListing = await list(scope, { limit: 4, cursor });
        pages.push(keysOf(page));
        cursor = page.cursor;
      } while (cursor !== null);
      expect(pages).toEqual([names.slice(0, 4), names.slice(4)]);
      expect(keysOf(await list(scope, { prefix: "b/" }))).toEqual(["b/1", "b/2", "b/3"]);
      expect(keysOf(await list(scope, { startAfter: "b/2" }))).toEqual(["b/3", "c", "é"]);
      expect((await list(scope, { prefix: "b/", limit: 3 })).cursor).toBeNull();
      expect(await list(scope, { prefix: "nothing" })).toEqual({
        objects: [],
        prefixes: [],
        cursor: null,
      });
      const [object] = (await list(scope, { limit: 1 })).objects;
      expect(object).toMatchObject({
        key: "a",
        size: 1,
        etag: hash("md5", Buffer.from("x")).toString("hex"),
      });
    });

    it("tells keys with a delimiter together, also over pages", async () => {
      const scope = scopeOf();
      for (const name of ["a", "b/1", "b/2", "b/c/3", "d/1", "e"]) await put(scope, name, "x");
      const top = await list(scope, { delimiter: "/" });
      expect(keysOf(top)).toEqual(["a", "e"]);
      expect(top.prefixes).toEqual(["b/", "d/"]);
      const below = await list(scope, { delimiter: "/", prefix: "b/" });
      expect(keysOf(below)).toEqual(["b/1", "b/2"]);
      expect(below.prefixes).toEqual(["b/c/"]);
      const all: string[] = [];
      let cursor: string | null = null;
      do {
        const page: StorageListing = await list(scope, { delimiter: "/", limit: 1, cursor });
        expect(page.objects.length + page.prefixes.length).toBe(1);
        all.push(...keysOf(page), ...page.prefixes);
        cursor = page.cursor;
      } while (cursor !== null);
      expect(all).toEqual(["a", "b/", "d/", "e"]);
    });

    it("lists with metadata where that is asked for", async () => {
      const scope = scopeOf();
      const http = { ...NO_HTTP, contentType: "text/css" };
      await backend.put(scope, { ...putOf("a", "x"), http, custom: { n: "1" } }, NEVER);
      await put(scope, "b", "x");
      const { objects } = await list(scope, { withMetadata: true });
      expect(objects).toMatchObject([{ key: "a", http, custom: { n: "1" } }, { key: "b" }]);
      expect((await list(scope)).objects).toMatchObject([{ http: NO_HTTP, custom: {} }, {}]);
    });

    it("makes one object of parts, whatever their order and number of attempts", async () => {
      const scope = scopeOf();
      const http = { ...NO_HTTP, contentType: "video/mp4" };
      const head = { key: "film", http, custom: { a: "b" } };
      const id = await backend.createUpload(scope, head, NEVER);
      const upload = { key: "film", id };
      const body = noise(5 * MIB + 100);
      const send = (number: number, part: StoragePut["body"]): Promise<string> =>
        backend.uploadPart(scope, upload, { number, body: part }, NEVER);
      const last = await send(7, streamOf(body.subarray(5 * MIB)));
      await send(2, noise(10));
      const first = await send(2, body.subarray(0, 5 * MIB));
      expect(await backend.head(scope, "film", NEVER)).toBeNull();
      const parts = [
        { number: 2, etag: first },
        { number: 7, etag: last },
      ];
      const made = await backend.completeUpload(scope, upload, parts, NEVER);
      const expected = { key: "film", size: body.byteLength, http, custom: { a: "b" } };
      expect(made).toMatchObject(expected);
      const found = await get(scope, "film");
      expect(found?.object).toMatchObject({ ...expected, etag: made.etag });
      expect((await readAll(found)).equals(body)).toBe(true);
      const range = { offset: 5 * MIB - 3, length: 6 };
      const middle = await backend.get(scope, { key: "film", range, conditions: null }, NEVER);
      expect((await readAll(middle)).equals(body.subarray(5 * MIB - 3, 5 * MIB + 3))).toBe(true);
    });

    it("refuses to complete what was not uploaded so", async () => {
      const scope = scopeOf();
      const head = { key: "a", http: NO_HTTP, custom: {} };
      const upload = { key: "a", id: await backend.createUpload(scope, head, NEVER) };
      const etags = [
        await backend.uploadPart(scope, upload, { number: 1, body: noise(10) }, NEVER),
        await backend.uploadPart(scope, upload, { number: 2, body: noise(10) }, NEVER),
      ];
      const complete = (...parts: readonly (readonly [number, string | undefined])[]) =>
        backend.completeUpload(
          scope,
          upload,
          parts.map(([number, etag = ""]) => ({ number, etag })),
          NEVER,
        );
      const refused = code("SERVICE_INPUT");
      await expect(complete([1, etags[0]], [2, etags[1]]), "too small").rejects.toEqual(refused);
      await expect(complete([1, "0".repeat(32)]), "wrong etag").rejects.toEqual(refused);
      await expect(complete([3, etags[0]]), "no such part").rejects.toEqual(refused);
      expect(await backend.head(scope, "a", NEVER)).toBeNull();
      await backend.abortUpload(scope, upload, NEVER);
      await backend.abortUpload(scope, upload, NEVER);
      await expect(complete([1, etags[0]]), "aborted").rejects.toEqual(refused);
      const late = backend.uploadPart(scope, upload, { number: 3, body: noise(10) }, NEVER);
      await expect(late).rejects.toEqual(refused);
    });

    it("keeps one of several puts at once, whole", async () => {
      const scope = scopeOf();
      const bodies = [1, 2, 3, 4].map((seed) => noise(100_000, seed));
      await Promise.all(bodies.map((body) => put(scope, "a", streamOf(body))));
      const kept = await readAll(await get(scope, "a"));
      expect(bodies.some((body) => body.equals(kept))).toBe(true);
    });

    it("gives addresses that work for anybody, for what they name alone", async () => {
      const scope = scopeOf();
      await put(scope, "a ü", "text");
      const presign = (key: string, method: "GET" | "PUT", contentType: string | null = null) =>
        backend
          .presign(scope, { key, method, seconds: 60, contentType }, NEVER)
          .then((address) => new URL(address, opened.origin));
      const read = await presign("a ü", "GET");
      expect(await (await fetch(read)).text()).toBe("text");
      const part = await fetch(read, { headers: { range: "bytes=1-2" } });
      expect([part.status, await part.text()]).toEqual([206, "ex"]);
      const etag = part.headers.get("etag") ?? "";
      expect((await fetch(read, { headers: { "if-none-match": etag } })).status).toBe(304);
      expect((await fetch(await presign("nothing", "GET"))).status).toBe(404);
      const headers = { "content-type": "text/csv" };
      const address = await presign("b", "PUT", "text/csv");
      expect((await fetch(address, { method: "PUT", body: "1,2", headers })).ok).toBe(true);
      expect(await textOf(scope, "b")).toBe("1,2");
      const other = { method: "PUT", body: "x" };
      expect((await fetch(read, other)).status, "an address to read").toBe(403);
      expect((await fetch(address, other)).status, "another content type").toBe(403);
      expect((await fetch(address)).status, "an address to write").toBe(403);
      expect(await textOf(scope, "b")).toBe("1,2");
    });
  });
}
