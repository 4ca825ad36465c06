// R2Bucket as a handler sees it, over the real port on the embedded storage.

import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Blob } from "../../runtime/guest/blob.ts";
import { Headers } from "../../runtime/guest/headers.ts";
import { Response } from "../../runtime/guest/response.ts";
import { ReadableStream } from "../../runtime/guest/streams.ts";
import { createStorage } from "../../runtime/guest/services/storage.ts";
import { noise } from "../contracts/storage.ts";
import { createLocalClient } from "./local-client.ts";
import { createStorageStage, type StorageStage } from "./storage-stage.ts";

/** Workers' types, as far as the tests use them. */
interface R2Object {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  readonly httpEtag: string;
  readonly uploaded: Date;
  readonly httpMetadata: { readonly contentType?: string; readonly cacheExpiry?: Date };
  readonly customMetadata: Record<string, string>;
  readonly range?: { readonly offset: number; readonly length: number };
  readonly checksums: { readonly md5?: ArrayBuffer; readonly sha256?: ArrayBuffer };
  writeHttpMetadata(headers: Headers): void;
}
interface R2ObjectBody extends R2Object {
  readonly body: ReadableStream<unknown>;
  readonly bodyUsed: boolean;
  text(): Promise<string>;
  json(): Promise<unknown>;
  bytes(): Promise<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
}
interface Listing {
  readonly objects: readonly R2Object[];
  readonly truncated: boolean;
  readonly cursor?: string;
  readonly delimitedPrefixes: readonly string[];
}
interface Upload {
  readonly key: string;
  readonly uploadId: string;
  uploadPart(number: number, value: unknown): Promise<{ partNumber: number; etag: string }>;
  complete(parts: readonly unknown[]): Promise<R2Object>;
  abort(): Promise<void>;
}
interface Bucket {
  head(key: string): Promise<R2Object | null>;
  get(key: string, options?: unknown): Promise<R2ObjectBody | null>;
  put(key: string, value: unknown, options?: unknown): Promise<R2Object | null>;
  delete(keys: string | readonly string[]): Promise<void>;
  list(options?: unknown): Promise<Listing>;
  list(prefix: string): Promise<unknown[]>;
  createMultipartUpload(key: string, options?: unknown): Promise<Upload>;
  resumeMultipartUpload(key: string, id: string): Upload;
  exists(key: string): Promise<boolean>;
  presign(key: string, seconds: number): Promise<string>;
  health(): Promise<unknown>;
  listObjects(bucket?: string | null, prefix?: string): Promise<unknown[]>;
  getObject(bucket: string | null, key: string): Promise<Uint8Array | null>;
  putObject(bucket: string | null, key: string, value: unknown, type?: string): Promise<void>;
  deleteObject(bucket: string | null, key: string): Promise<void>;
}

const MIB = 1_024 ** 2;

function streamOf(...pieces: readonly (Uint8Array | Error)[]): ReadableStream<unknown> {
  const left = [...pieces];
  return new ReadableStream<unknown>({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else if (piece instanceof Error) controller.error(piece);
      else controller.enqueue(piece);
    },
  });
}

describe("an R2 bucket", () => {
  let stage: StorageStage;
  let bucket: Bucket;
  beforeAll(() => {
    stage = createStorageStage();
    bucket = createStorage(createLocalClient(stage.port)) as Bucket;
  });
  afterAll(() => stage[Symbol.asyncDispose]());
  beforeEach(async () => {
    const { objects } = await bucket.list();
    if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
  });

  it("shows an object as Workers does, and as JSON", async () => {
    const sha256 = createHash("sha256").update("{}").digest("hex");
    const expiry = new Date(1_900_000_000_000);
    const made = await bucket.put("a", "{}", {
      httpMetadata: { contentType: "application/json", cacheExpiry: expiry },
      customMetadata: { Kind: "x" },
      sha256,
    });
    const head = await bucket.head("a");
    for (const object of [made, head]) {
      expect(object).toMatchObject({ key: "a", size: 2, customMetadata: { Kind: "x" } });
      expect(object?.httpMetadata).toEqual({
        contentType: "application/json",
        cacheExpiry: expiry,
      });
      expect(object?.httpEtag).toBe(`"${object?.etag}"`);
      expect(object?.uploaded).toBeInstanceOf(Date);
      expect(Buffer.from(object?.checksums.sha256 ?? new ArrayBuffer(0)).toString("hex")).toBe(
        sha256,
      );
      const json = JSON.parse(JSON.stringify(object)) as { checksums: { sha256: string } };
      expect(json).toMatchObject({ key: "a", checksums: { sha256 } });
      expect(Object.prototype.toString.call(object)).toBe("[object R2Object]");
    }
    const headers = new Headers();
    head?.writeHttpMetadata(headers);
    expect([...headers]).toEqual([
      ["content-type", "application/json"],
      ["expires", expiry.toUTCString()],
    ]);
    expect(await bucket.get("b")).toBeNull();
  });

  it.each([
    ["text", "Zoë"],
    ["bytes", new TextEncoder().encode("Zoë")],
    ["a view", new DataView(new TextEncoder().encode("xZoëx").buffer, 1, 4)],
    ["a buffer", new TextEncoder().encode("Zoë").buffer],
    ["a blob", new Blob(["Zoë"])],
    ["a stream", streamOf(new TextEncoder().encode("Z"), new TextEncoder().encode("oë"))],
    ["a reply's body", new Response("Zoë").body],
  ])("takes %s and gives it back in every form", async (_case, value) => {
    await bucket.put("a", value);
    expect(await (await bucket.get("a"))?.text()).toBe("Zoë");
    expect(String(Buffer.from((await (await bucket.get("a"))?.bytes()) ?? []))).toBe("Zoë");
    const buffer = await (await bucket.get("a"))?.arrayBuffer();
    expect(String(Buffer.from(buffer ?? new ArrayBuffer(0)))).toBe("Zoë");
    const blob = await (await bucket.get("a"))?.blob();
    expect(await blob?.text()).toBe("Zoë");
    const found = await bucket.get("a");
    expect(found?.bodyUsed).toBe(false);
    expect(await new Response(found?.body).text()).toBe("Zoë");
    expect(found?.bodyUsed).toBe(true);
    await expect(found?.text()).rejects.toThrow(TypeError);
  });

  it("streams what is large, in both directions", async () => {
    const body = noise(3 * MIB);
    await bucket.put("a", streamOf(body.subarray(0, MIB), body.subarray(MIB)));
    const found = await bucket.get("a");
    expect(found).toMatchObject({ size: 3 * MIB, range: { offset: 0, length: 3 * MIB } });
    expect(Buffer.from((await found?.bytes()) ?? []).equals(body)).toBe(true);
    const text = await (await bucket.get("a"))?.text();
    expect(text).toBe(body.toString());
    const unread = await bucket.get("a");
    await unread?.body.cancel();
    await expect.poll(() => stage.actor.stats().running).toBe(0);
  });

  it("rejects with the error of the stream that was put, and stores nothing", async () => {
    const failing = streamOf(new Uint8Array(10), new RangeError("mine"));
    await expect(bucket.put("a", failing)).rejects.toThrow(new RangeError("mine"));
    expect(await bucket.exists("a")).toBe(false);
  });

  it("reads ranges, from options or from a request's headers", async () => {
    await bucket.put("a", "0123456789");
    const cases: readonly (readonly [unknown, string])[] = [
      [{ offset: 2, length: 3 }, "234"],
      [{ offset: 7 }, "789"],
      [{ length: 2 }, "01"],
      [{ suffix: 2 }, "89"],
      [new Headers({ range: "bytes=1-2" }), "12"],
      [new Headers({ range: "bytes=8-" }), "89"],
      [new Headers({ range: "bytes=-1" }), "9"],
      [new Headers({ range: "lines=1-2" }), "0123456789"],
      [new Headers({ range: "bytes=5-2" }), "0123456789"],
      [undefined, "0123456789"],
    ];
    for (const [range, text] of cases) {
      expect(await (await bucket.get("a", { range }))?.text()).toBe(text);
    }
    await expect(bucket.get("a", { range: { offset: 99 } })).rejects.toThrow("outside");
  });

  it("holds conditions, from options or from a request's headers", async () => {
    const made = await bucket.put("a", "text");
    const etag = made?.etag ?? "";
    const later = new Date(Date.now() + 3_600_000);
    const cases: readonly (readonly [unknown, boolean])[] = [
      [{ etagMatches: etag }, true],
      [{ etagMatches: "x" }, false],
      [{ etagDoesNotMatch: [etag] }, false],
      [{ uploadedBefore: later }, true],
      [{ uploadedAfter: later }, false],
      [new Headers({ "if-none-match": `"x", W/"${etag}"` }), false],
      [new Headers({ "if-match": `"${etag}"` }), true],
      [new Headers({ "if-modified-since": later.toUTCString() }), false],
      [new Headers({ "if-unmodified-since": "nonsense" }), true],
    ];
    for (const [onlyIf, isGiven] of cases) {
      const found = await bucket.get("a", { onlyIf });
      expect(found).toMatchObject({ key: "a" });
      expect("body" in (found ?? {})).toBe(isGiven);
    }
    expect(await bucket.put("a", "new", { onlyIf: { etagDoesNotMatch: "*" } })).toBeNull();
    expect(await bucket.put("a", "new", { onlyIf: { etagMatches: etag } })).toMatchObject({
      size: 3,
    });
  });

  it("takes metadata from headers", async () => {
    const httpMetadata = new Headers({
      "content-type": "text/css",
      "cache-control": "no-store",
      expires: "Wed, 01 Jan 2031 00:00:00 GMT",
    });
    await bucket.put("a", "x", { httpMetadata });
    expect((await bucket.head("a"))?.httpMetadata).toEqual({
      contentType: "text/css",
      cacheControl: "no-store",
      cacheExpiry: new Date("2031-01-01"),
    });
  });

  it("lists by pages and folders", async () => {
    for (const key of ["a", "b/1", "b/2"]) await bucket.put(key, "x", { customMetadata: { key } });
    const first = await bucket.list({ limit: 1, include: ["customMetadata"] });
    expect(first).toMatchObject({ truncated: true, objects: [{ customMetadata: { key: "a" } }] });
    const rest = await bucket.list({ cursor: first.cursor, delimiter: "/" });
    expect(rest).toEqual({ truncated: false, objects: [], delimitedPrefixes: ["b/"] });
  });

  it("uploads in parts, resumed by id", async () => {
    const body = noise(5 * MIB + 10);
    const upload = await bucket.createMultipartUpload("film", {
      httpMetadata: { contentType: "video/mp4" },
    });
    expect(upload.key).toBe("film");
    const first = await upload.uploadPart(1, body.subarray(0, 5 * MIB));
    const resumed = bucket.resumeMultipartUpload("film", upload.uploadId);
    const second = await resumed.uploadPart(2, streamOf(body.subarray(5 * MIB)));
    const made = await resumed.complete([first, second]);
    expect(made).toMatchObject({
      size: body.byteLength,
      httpMetadata: { contentType: "video/mp4" },
    });
    expect(Buffer.from((await (await bucket.get("film"))?.bytes()) ?? []).equals(body)).toBe(true);
    const other = await bucket.createMultipartUpload("film");
    await other.abort();
    await expect(other.uploadPart(1, "x")).rejects.toMatchObject({ code: "SERVICE_INPUT" });
  });

  it("has the seeds' verbs", async () => {
    await bucket.put("a.txt", "one", "text/plain");
    expect(await bucket.exists("a.txt")).toBe(true);
    const info = { key: "a.txt", size: 3, content_type: null };
    expect(await bucket.list("a")).toMatchObject([info]);
    expect(await bucket.listObjects(null, "b")).toEqual([]);
    await bucket.putObject(null, "b.txt", "two", "text/css");
    expect((await bucket.head("b.txt"))?.httpMetadata.contentType).toBe("text/css");
    expect(String(Buffer.from((await bucket.getObject(null, "b.txt")) ?? []))).toBe("two");
    await bucket.deleteObject(null, "b.txt");
    expect(await bucket.getObject(null, "b.txt")).toBeNull();
    await expect(bucket.listObjects("another")).rejects.toThrow("one bucket");
    expect(await bucket.health()).toEqual({ ok: true, version: "embedded" });
    expect(await bucket.presign("a.txt", 60)).toMatch(
      /^\/\.islet\/storage\?.*&key=a\.txt&method=GET&/,
    );
  });

  it("works with prototypes that a handler has patched, and cannot be made by one", async () => {
    const patched = Uint8Array.prototype as unknown as { pull?: unknown };
    patched.pull = () => expect.fail("called");
    try {
      await bucket.put("a", new Uint8Array([1]));
      expect(await (await bucket.get("a"))?.bytes()).toEqual(new Uint8Array([1]));
    } finally {
      delete patched.pull;
    }
    const Made = bucket.constructor as new (...args: unknown[]) => unknown;
    expect(() => new Made({}, {})).toThrow(TypeError);
    await expect(bucket.head.call({} as Bucket, "a")).rejects.toThrow(TypeError);
  });
});
