// What the calls of a storage binding take and refuse, and what they leave open.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Streamed } from "../../sdk/services/service.ts";
import {
  STORAGE_EAGER_BYTES,
  STORAGE_HEADER_BYTES_MAX,
  STORAGE_KEY_BYTES_MAX,
  STORAGE_LIST_MAX,
  STORAGE_METADATA_BYTES_MAX,
  STORAGE_PARTS_MAX,
  STORAGE_PRESIGN_SECONDS_MAX,
} from "../../sdk/services/storage.ts";
import { STREAM, type Value } from "../../sdk/services/values.ts";
import { createStoragePort } from "../../services/storage/port.ts";
import { createStorageStage, STAGE_QUEUE, type StorageStage } from "./storage-stage.ts";

const ID = "0".repeat(32);

describe("the calls of a storage binding", () => {
  let stage: StorageStage;
  beforeAll(() => {
    stage = createStorageStage({ concurrency: 1 });
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  const call = (
    method: string,
    args: readonly Value[],
    { signal = new AbortController().signal, hold = (): boolean => true } = {},
  ): Promise<Value | Streamed> =>
    stage.port.call(method, args, { request: 1, signal, body: null, hold });

  it.each<[string, string, readonly Value[], string]>([
    ["a method that is none", "toString", [], "CALL_INVALID"],
    ["no key", "head", [], "SERVICE_INPUT"],
    ["an empty key", "head", [""], "SERVICE_INPUT"],
    ["half a character as a key", "head", ["\ud800"], "SERVICE_INPUT"],
    ["a key too long", "put", ["k".repeat(STORAGE_KEY_BYTES_MAX + 1), ""], "SERVICE_TOO_LARGE"],
    ["a key too long in UTF-8", "head", ["ä".repeat(513)], "SERVICE_TOO_LARGE"],
    ["a body that is none", "put", ["a", 1], "SERVICE_INPUT"],
    ["a stream that does not come", "put", ["a", STREAM], "SERVICE_INPUT"],
    [
      "a header with a line break",
      "put",
      ["a", "", { http: { contentType: "a\r\nb: c" } }],
      "SERVICE_INPUT",
    ],
    [
      "a header too long",
      "put",
      ["a", "", { http: { cacheControl: "x".repeat(STORAGE_HEADER_BYTES_MAX + 1) } }],
      "SERVICE_TOO_LARGE",
    ],
    [
      "metadata too large",
      "put",
      ["a", "", { custom: { a: "x".repeat(STORAGE_METADATA_BYTES_MAX) } }],
      "SERVICE_TOO_LARGE",
    ],
    ["metadata that is no text", "put", ["a", "", { custom: { a: 1 } }], "SERVICE_INPUT"],
    [
      "a checksum of the wrong length",
      "put",
      ["a", "", { checksums: { md5: new Uint8Array(15) } }],
      "SERVICE_INPUT",
    ],
    ["an etag with quotes", "get", ["a", { onlyIf: { etagMatches: ['"x"'] } }], "SERVICE_INPUT"],
    [
      "an etag with a line break",
      "get",
      ["a", { onlyIf: { etagMatches: ["x\r\ny"] } }],
      "SERVICE_INPUT",
    ],
    ["a time that is none", "get", ["a", { onlyIf: { uploadedAfterMs: NaN } }], "SERVICE_INPUT"],
    ["a range of nothing", "get", ["a", { range: { offset: 0, length: 0 } }], "SERVICE_INPUT"],
    ["a range from before the object", "get", ["a", { range: { offset: -1 } }], "SERVICE_INPUT"],
    ["two ranges in one", "get", ["a", { range: { suffix: 1, offset: 1 } }], "SERVICE_INPUT"],
    [
      "too many keys",
      "delete",
      [Array.from({ length: STORAGE_LIST_MAX + 1 }, () => "a")],
      "SERVICE_INPUT",
    ],
    ["a listing of nothing", "list", [{ limit: 0 }], "SERVICE_INPUT"],
    ["a listing too long", "list", [{ limit: STORAGE_LIST_MAX + 1 }], "SERVICE_INPUT"],
    ["a cursor of no listing", "list", [{ cursor: "nonsense" }], "SERVICE_INPUT"],
    ["part 0", "uploadPart", ["a", ID, 0, ""], "SERVICE_INPUT"],
    ["a part too many", "uploadPart", ["a", ID, STORAGE_PARTS_MAX + 1, ""], "SERVICE_INPUT"],
    ["an upload that is none", "uploadPart", ["a", ID, 1, ""], "SERVICE_INPUT"],
    [
      "an upload whose id is a path",
      "completeUpload",
      ["a", "../../x", [[1, "e"]]],
      "SERVICE_INPUT",
    ],
    ["an address without a time", "presign", ["a", {}], "SERVICE_INPUT"],
    [
      "an address for too long",
      "presign",
      ["a", { seconds: STORAGE_PRESIGN_SECONDS_MAX + 1 }],
      "SERVICE_INPUT",
    ],
    [
      "an address to delete by",
      "presign",
      ["a", { seconds: 1, method: "DELETE" }],
      "SERVICE_INPUT",
    ],
  ])("refuse %s", async (_case, method, args, code) => {
    await expect(call(method, args)).rejects.toMatchObject({ code });
  });

  it("take what is just within the limits", async () => {
    const key = "k".repeat(STORAGE_KEY_BYTES_MAX);
    const custom = { a: "x".repeat(STORAGE_METADATA_BYTES_MAX - 1) };
    const http = { cacheControl: "x".repeat(STORAGE_HEADER_BYTES_MAX) };
    expect(await call("put", [key, "text", { custom, http }])).toMatchObject({ key, custom, http });
    const keys = Array.from({ length: STORAGE_LIST_MAX }, () => key);
    await call("delete", [keys]);
    expect(await call("list", [{ limit: STORAGE_LIST_MAX }])).toEqual({
      objects: [],
      prefixes: [],
      cursor: null,
    });
  });

  it("keep metadata with the names of an object's own properties", async () => {
    const custom = Object.fromEntries([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
    await call("put", ["a", "", { custom }]);
    const head = (await call("head", ["a"])) as { custom: object };
    expect(Object.entries(head.custom)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
  });

  it("give a small object at once, and hold the only place for a larger one until its end", async () => {
    await call("put", ["small", new Uint8Array(STORAGE_EAGER_BYTES)]);
    await call("put", ["large", new Uint8Array(STORAGE_EAGER_BYTES + 1)]);
    expect(await call("get", ["small", {}])).toMatchObject([{ key: "small" }, [0, 262_144], {}]);
    await expect.poll(() => stage.actor.stats().running).toBe(0);
    const answer = await call("get", ["large", {}]);
    if (!(answer instanceof Streamed)) throw new Error("no stream");
    expect(stage.actor.stats().running).toBe(1);
    const waiting = call("head", ["small"]);
    await answer.rest[Symbol.asyncIterator]().return?.();
    expect(await waiting).toMatchObject({ key: "small" });
    const abort = new AbortController();
    const aborted = await call("get", ["large", {}], { signal: abort.signal });
    expect(aborted).toBeInstanceOf(Streamed);
    abort.abort();
    expect(await call("head", ["small"])).toMatchObject({ key: "small" });
  });

  it("wait in a mailbox; beyond it they are refused, while another endpoint has its turn", async () => {
    await call("put", ["large", new Uint8Array(STORAGE_EAGER_BYTES + 1)]);
    const slow = await call("get", ["large", {}]);
    if (!(slow instanceof Streamed)) throw new Error("no stream");
    const head = (): Promise<unknown> => call("head", ["large"]);
    const waiting = Array.from({ length: STAGE_QUEUE / 2 }, head);
    expect(stage.actor.stats().waiting).toBe(STAGE_QUEUE / 2);
    await expect(head()).rejects.toMatchObject({ code: "SERVICE_OVERLOADED" });
    const other = createStoragePort({ actor: stage.actor, bucket: "bank/files", caller: "bank" });
    const context = { request: 1, signal: new AbortController().signal, body: null };
    const others = other.call("head", ["large"], { ...context, hold: () => true });
    await slow.rest[Symbol.asyncIterator]().return?.();
    expect(await others).toBeNull();
    for (const each of await Promise.all(waiting)) expect(each).toMatchObject({ key: "large" });
    expect(await head()).toMatchObject({ key: "large" });
  });

  it("give nothing that the node cannot hold for the endpoint", async () => {
    await call("put", ["small", "text"]);
    const hold = (): boolean => false;
    await expect(call("get", ["small", {}], { hold })).rejects.toMatchObject({
      code: "MEMORY_LIMIT",
    });
    expect(await call("head", ["small"])).toMatchObject({ size: 4 });
  });
});
