// Object storage on S3 when the server or the network fails: what the caller sees, and that nothing half is stored.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { EdgeError } from "../../sdk/errors.ts";
import type { StorageBackend } from "../../sdk/services/storage.ts";
import { ServiceActor } from "../../services/actor.ts";
import { openS3 } from "../../services/storage/s3.ts";
import { noise, putOf, readAll, streamOf } from "../contracts/storage.ts";
import { startProxy, type TestProxy } from "../servers/proxy.ts";
import { hasS3, startS3, type S3Server } from "../servers/s3.ts";

const NEVER: AbortSignal = new AbortController().signal;
const MIB = 1_024 ** 2;
/** Of what waits for nothing; all else has the usual time, for a busy machine. */
const IMPATIENT_SECONDS = 1;

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    expect(error).toBeInstanceOf(EdgeError);
    return (error as EdgeError).code;
  }
}

describe.runIf(hasS3())("storage on an S3 server that fails", () => {
  let s3: S3Server;
  let proxy: TestProxy;
  let backend: StorageBackend;
  let impatient: StorageBackend;
  beforeAll(async () => {
    s3 = await startS3();
    proxy = await startProxy(s3.server);
    backend = await openS3(s3.config({ port: proxy.port }));
    impatient = await openS3(s3.config({ port: proxy.port, timeout_seconds: IMPATIENT_SECONDS }));
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await s3[Symbol.asyncDispose]();
  });
  beforeEach(() => proxy.heal());

  const put = (key: string, body: Uint8Array | AsyncIterable<Uint8Array>) =>
    backend.put("app", putOf(key, body), NEVER);
  const get = (key: string) => backend.get("app", { key, range: null, conditions: null }, NEVER);
  const works = () =>
    expect.poll(() => codeOf(put("works", noise(10))), { timeout: 30_000 }).toBe("none");

  it("says that it is not there while it is not, and works when it is back", async () => {
    await s3.server.kill();
    expect(await codeOf(put("a", noise(10)))).toBe("SERVICE_UNAVAILABLE");
    expect(await codeOf(get("a"))).toBe("SERVICE_UNAVAILABLE");
    expect(await codeOf(backend.probe(NEVER))).toBe("SERVICE_UNAVAILABLE");
    await s3.server.start();
    await works();
  });

  it("gives up on a server that is silent, and works when it speaks again", async () => {
    s3.server.pause();
    const options = { key: "a", range: null, conditions: null };
    expect(await codeOf(impatient.get("app", options, NEVER))).toBe("SERVICE_TIMEOUT");
    const long = putOf("a", streamOf(noise(9 * MIB)));
    expect(await codeOf(impatient.put("app", long, NEVER))).toBe("SERVICE_TIMEOUT");
    s3.server.resume();
    await works();
    expect(await backend.head("app", "a", NEVER)).toBeNull();
  });

  it("leaves a full mailbox behind it when a silent server speaks again", async () => {
    await put("a", noise(10));
    const actor = new ServiceActor<StorageBackend>("files", {
      now: () => performance.now(),
      onHealth: () => undefined,
      onPanic: (error) => expect.fail(String(error)),
    });
    const limits = { concurrency: 2, queue: 4, timeoutMs: 30_000 };
    actor.start({ limits, open: () => openS3(s3.config({ port: proxy.port })) });
    const head = (caller: string) =>
      actor.run((storage, signal) => storage.head("app", "a", signal), { caller, signal: NEVER });
    await head("flood");
    s3.server.pause();
    // Two run, two wait: half of the queue is one caller's.
    const flood = Array.from({ length: 10 }, () => codeOf(head("flood")));
    const other = head("other");
    s3.server.resume();
    const ends = await Promise.all(flood);
    expect(ends.filter((end) => end === "SERVICE_OVERLOADED")).toHaveLength(6);
    expect(ends.filter((end) => end === "none")).toHaveLength(4);
    expect(await other).toMatchObject({ size: 10 });
    expect(await codeOf(head("flood"))).toBe("none");
    await actor.stop();
  });

  it("bears a slow network", async () => {
    proxy.slow(100);
    expect(await codeOf(put("slow", noise(1_000)))).toBe("none");
    expect((await readAll(await get("slow"))).equals(noise(1_000))).toBe(true);
  });

  it("takes no reply that was cut for a whole one", async () => {
    await put("large", noise(2 * MIB));
    const found = await get("large");
    proxy.cutAfterReplyBytes(MIB);
    expect(await codeOf(readAll(found))).toBe("SERVICE_UNAVAILABLE");
    expect((await readAll(await get("large"))).equals(noise(2 * MIB))).toBe(true);
  });

  it("ends a body whose server falls silent, and one whose reader goes away", async () => {
    await put("large", noise(2 * MIB));
    const options = { key: "large", range: null, conditions: null };
    // On a busy machine its head may be too late already.
    const silent = await impatient.get("app", options, NEVER).catch(() => null);
    if (silent !== null) {
      proxy.blackhole();
      expect(await codeOf(readAll(silent))).toBe("SERVICE_TIMEOUT");
      proxy.heal();
    }
    const controller = new AbortController();
    const left = await backend.get("app", options, controller.signal);
    controller.abort(new EdgeError("CANCELLED"));
    expect(await codeOf(readAll(left))).toBe("CANCELLED");
    await works();
  });

  it("stores an object whole or not at all, wherever the connection breaks", async () => {
    const body = noise(9 * MIB);
    for (const n of [1, 2, 40, 150]) {
      const key = `cut/${n}`;
      proxy.cutAtRequest(n);
      const code = await codeOf(put(key, streamOf(body)));
      proxy.heal();
      expect(["none", "SERVICE_UNAVAILABLE"]).toContain(code);
      const found = await get(key);
      // A break after the last byte: stored, though nobody was told.
      if (code === "none" || found !== null) expect((await readAll(found)).equals(body)).toBe(true);
    }
  });

  it("leaves what was there when a stream does not come to its end", async () => {
    await put("kept", noise(100));
    const breaking = async function* (): AsyncGenerator<Uint8Array> {
      yield* streamOf(noise(9 * MIB));
      proxy.refuse();
      yield noise(MIB);
    };
    expect(await codeOf(put("kept", breaking()))).toBe("SERVICE_UNAVAILABLE");
    proxy.heal();
    await works();
    expect((await readAll(await get("kept"))).equals(noise(100))).toBe(true);
  });

  it("leaves no connection when it is closed", async () => {
    await backend.close();
    await impatient.close();
    await expect.poll(() => proxy.connections).toBe(0);
  });

  it("says which part of its configuration is wrong", async () => {
    const open = (changes: Parameters<S3Server["config"]>[0]) => openS3(s3.config(changes));
    const cases = [
      [{ secret_key: "wrong" }, "SERVICE_REFUSED", "get"],
      [{ access_key: "nobody" }, "SERVICE_REFUSED", "probe"],
      [{ bucket: "nowhere" }, "SERVICE_FAILED", "get"],
      [{ bucket: "nowhere" }, "SERVICE_FAILED", "probe"],
      [{ endpoint: "127.0.0.1:1" }, "SERVICE_UNAVAILABLE", "probe"],
      [{ endpoint: "no-such-host.invalid" }, "SERVICE_UNAVAILABLE", "probe"],
      [{ use_ssl: true }, "SERVICE_UNAVAILABLE", "probe"],
    ] as const;
    for (const [changes, expected, verb] of cases) {
      const storage = await open(changes);
      const options = { key: "a", range: null, conditions: null };
      const work = verb === "get" ? storage.get("app", options, NEVER) : storage.probe(NEVER);
      expect(await codeOf(work), JSON.stringify(changes)).toBe(expected);
      await expect(work).rejects.not.toThrow(/wrong|testing/);
      await storage.close();
    }
  });
});
