// What may be done with signed addresses of objects on the node, on both listeners, and what may not.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TRANSFERS_MAX } from "../../runtime/worker/services/signed-objects.ts";
import { ADDRESS_PATH } from "../../services/storage/disk/address.ts";
import type { StorageBackend } from "../../sdk/services/storage.ts";
import { noise, putOf, readAll } from "../contracts/storage.ts";
import { serveAddresses, type AddressStage } from "./address-stage.ts";
import { createStorageStage, type StorageStage } from "./storage-stage.ts";

const BUCKET = "shop/files";
const NEVER: AbortSignal = new AbortController().signal;
const MIB = 1_024 ** 2;

describe.each(["uws", "node"] as const)("an address of an object, on %s", (kind) => {
  let stage: StorageStage;
  let served: AddressStage;
  let aheadMs = 0;
  beforeAll(async () => {
    stage = createStorageStage({ concurrency: 2 * TRANSFERS_MAX });
    const now = (): number => Date.now() + aheadMs;
    served = await serveAddresses(stage.actor, { kind, now });
  });
  afterAll(async () => {
    await served[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  });

  const onDisk = <T>(work: (backend: StorageBackend) => Promise<T>): Promise<T> =>
    stage.actor.run(work, { caller: "shop", signal: NEVER });
  const put = (key: string, body: Uint8Array | string): Promise<unknown> =>
    onDisk((backend) => backend.put(BUCKET, putOf(key, body), NEVER));
  const read = (key: string): Promise<Buffer> =>
    onDisk(async (backend) =>
      readAll(await backend.get(BUCKET, { key, range: null, conditions: null }, NEVER)),
    );
  const presign = async (key: string, method: "GET" | "PUT" = "GET"): Promise<URL> => {
    const options = { key, method, seconds: 60, contentType: null };
    const address = await onDisk((backend) => backend.presign(BUCKET, options, NEVER));
    return new URL(address, served.origin);
  };
  const codeOf = async (address: URL | string, init: RequestInit = {}): Promise<unknown> => {
    const reply = await fetch(address, init);
    const { code } = (await reply.json()) as { code: unknown };
    return [reply.status, code];
  };
  const dial = (address: URL, head: readonly string[]): Socket => {
    const socket = connect(Number(address.port), "127.0.0.1");
    socket.on("error", () => undefined);
    const [method, ...headers] = head;
    const line = `${method} ${address.pathname}${address.search} HTTP/1.1`;
    socket.write([line, "host: a", ...headers, "", ""].join("\r\n"));
    return socket;
  };
  const running = (): number => stage.actor.stats().running;

  it("gives a large object whole, and lets nothing in it run", async () => {
    const bytes = noise(3 * MIB);
    await put("large", bytes);
    const reply = await fetch(await presign("large"));
    expect(Buffer.from(await reply.arrayBuffer()).equals(bytes)).toBe(true);
    expect(reply.headers.get("content-length")).toBe(String(3 * MIB));
    expect(reply.headers.get("content-security-policy")).toMatch(/^sandbox;/);
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
    expect(reply.headers.get("cache-control")).toBe("private, no-cache");
  });

  it("takes a large object as it comes, with its type", async () => {
    const bytes = noise(3 * MIB, 2);
    const address = await presign("up", "PUT");
    const headers = { "content-type": "image/x-test" };
    const reply = await fetch(address, { method: "PUT", body: bytes, headers });
    expect([reply.status, reply.headers.get("etag")]).toEqual([
      200,
      expect.stringMatching(/^"[0-9a-f]{32}"$/),
    ]);
    expect((await read("up")).equals(bytes)).toBe(true);
    const again = await fetch(await presign("up"));
    expect(again.headers.get("content-type")).toBe("image/x-test");
    await again.body?.cancel();
    expect((await fetch(await presign("empty", "PUT"), { method: "PUT" })).status).toBe(200);
    expect(await (await fetch(await presign("empty"))).text()).toBe("");
  });

  it("knows ranges, also such as there are not", async () => {
    await put("ten", "0123456789");
    const address = await presign("ten");
    const ask = async (range: string, more: Record<string, string> = {}): Promise<unknown> => {
      const reply = await fetch(address, { headers: { range, ...more } });
      return [reply.status, reply.headers.get("content-range"), await reply.text()];
    };
    expect(await ask("bytes=2-4")).toEqual([206, "bytes 2-4/10", "234"]);
    expect(await ask("bytes=-3")).toEqual([206, "bytes 7-9/10", "789"]);
    expect(await ask("bytes=8-20")).toEqual([206, "bytes 8-9/10", "89"]);
    expect(await ask("bytes=10-")).toEqual([416, "bytes */10", ""]);
    expect(await ask("bytes=0-1", { "if-range": '"other"' })).toEqual([200, null, "0123456789"]);
  });

  it("does nothing else, and nothing once it has expired", async () => {
    await put("mine", "mine");
    await put("other", "other");
    const address = await presign("mine");
    const changed = (name: string, value: string): URL => {
      const other = new URL(address);
      other.searchParams.set(name, value);
      return other;
    };
    const refused = [403, "ADDRESS_UNSIGNED"];
    expect(await codeOf(changed("key", "other"))).toEqual(refused);
    expect(await codeOf(changed("bucket", "bank/files"))).toEqual(refused);
    expect(await codeOf(changed("service", "embedded"))).toEqual(refused);
    expect(await codeOf(changed("expires", String(Date.now() + 10 ** 9)))).toEqual(refused);
    expect(await codeOf(changed("type", "text/html"))).toEqual(refused);
    expect(await codeOf(changed("signature", "A".repeat(43)))).toEqual(refused);
    expect(await codeOf(changed("signature", ""))).toEqual(refused);
    expect(await codeOf(`${served.origin}${ADDRESS_PATH}`)).toEqual(refused);
    for (const method of ["PUT", "POST", "DELETE"]) {
      expect(await codeOf(address, { method })).toEqual(refused);
    }
    expect((await fetch(address, { method: "HEAD" })).status).toBe(403);
    expect(await codeOf(await presign("nothing"))).toEqual([404, "OBJECT_NOT_FOUND"]);
    aheadMs = 59_000;
    expect((await fetch(address)).status).toBe(200);
    aheadMs = 61_000;
    expect(await codeOf(address)).toEqual(refused);
    aheadMs = 0;
  });

  it("stores nothing of what broke off, or is too long", async () => {
    const address = await presign("broken", "PUT");
    const socket = dial(address, ["PUT", "content-length: 100"]);
    socket.write("only this");
    await expect.poll(running).toBe(1);
    socket.destroy();
    await expect.poll(running).toBe(0);
    expect(await codeOf(await presign("broken"))).toEqual([404, "OBJECT_NOT_FOUND"]);
    const long = dial(address, ["PUT", `content-length: ${5 * 1_024 ** 3 + 1}`]);
    expect(String(await once(long, "data"))).toMatch(/^HTTP\/1.1 413 /);
    long.destroy();
    await expect.poll(running).toBe(0);
  });

  it("leaves handlers half of the places, however slow clients are", async () => {
    await put("a", "a");
    const address = await presign("a");
    const upload = await presign("slow", "PUT");
    const slow = (): Socket => dial(upload, ["PUT", "content-length: 1"]);
    const sockets = Array.from({ length: TRANSFERS_MAX - 1 }, slow);
    await expect.poll(running).toBe(TRANSFERS_MAX - 1);
    expect((await fetch(address)).status).toBe(200);
    await expect.poll(running).toBe(TRANSFERS_MAX - 1);
    sockets.push(slow());
    await expect.poll(running).toBe(TRANSFERS_MAX);
    expect(await codeOf(address)).toEqual([503, "OVERLOADED"]);
    expect(String(await read("a"))).toBe("a");
    for (const socket of sockets) socket.destroy();
    await expect.poll(running).toBe(0);
    expect((await fetch(address)).status).toBe(200);
  });

  it("ends for a client that neither gives nor takes", async () => {
    await using hasty = await serveAddresses(stage.actor, { kind, stallMs: 50 });
    const at = (address: URL): URL => new URL(`${address.pathname}${address.search}`, hasty.origin);
    const giver = dial(at(await presign("stalled", "PUT")), ["PUT", "content-length: 1"]);
    expect(String(await once(giver, "data"))).toMatch(/^HTTP\/1.1 408 /);
    giver.destroy();
    await put("endless", noise(32 * MIB));
    const taker = dial(at(await presign("endless")), ["GET"]);
    taker.pause();
    await expect.poll(running).toBe(1);
    await expect.poll(running).toBe(0);
    taker.destroy();
  });
});
