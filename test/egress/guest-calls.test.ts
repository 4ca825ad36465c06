// The guest's own end of the calls (runtime/guest/calls.ts) joined to egress, without an isolate in between.

import { expect, onTestFinished, test } from "vitest";
import { Calls } from "../../runtime/guest/calls.ts";
import { createCryptoCalls } from "../../runtime/isolate/crypto-calls.ts";
import { createEgress } from "../../runtime/isolate/egress/egress.ts";
import { LEAVE, OPEN_MAX } from "../../sdk/bridge.ts";
import { startPeer, startRawPeer } from "./peer.ts";

function join(): Calls {
  const services = [createEgress({ allowPrivate: true, subrequestsMax: 50 }), createCryptoCalls()];
  onTestFinished(() => {
    for (const service of services) service.close();
  });
  // As from the bridge: an answer is the host's coming in.
  const answer = (run: () => void): void => {
    setImmediate(() => {
      calls.entered();
      run();
    });
  };
  function leave(op: string, id: number, payload: string, bytes: ArrayBuffer | null): void {
    if (op === LEAVE.CALL_CANCEL) {
      for (const service of services) service.cancel(id);
      return;
    }
    const [owner = "", name = ""] = payload.split("\n", 2);
    const call = {
      id,
      owner: Number(owner),
      args: payload.slice(owner.length + name.length + 2),
      bytes,
      trail: () => "",
      isOwned: () => true,
      renew: () => undefined,
      note: () => undefined,
      hold: () => true,
      keep: () => () => undefined,
      ok: (text: string) => answer(() => calls.succeed(id, text, [])),
      okBytes: (buffer: ArrayBuffer) => answer(() => calls.succeed(id, "0", [buffer])),
      fail: (code: string, message: string) => answer(() => calls.fail(id, `${code}\n${message}`)),
    };
    if (!services.some((service) => service.call(name, call))) throw new Error(name);
  }
  const calls = new Calls({
    push: (op, id, payload) => leave(op, id, payload, null),
    pushBytes: (op, id, payload, bytes) => leave(op, id, payload, bytes.slice().buffer),
    current: () => 1,
    setCurrent: () => undefined,
    now: () => 0,
    logBytesMax: 0,
    remaining: () => ({ cpuMs: 0, wallMs: 0 }),
  });
  return calls;
}

const REQUEST = { method: "POST", headers: "x-a\n1\n", redirect: "follow", onAbort: null } as const;

test("a guest's fetch carries text, bytes and streams there and back", async () => {
  const peer = await startPeer((request, response) => void request.pipe(response));
  const calls = join();
  const pieces = ["one ", "", "two"].map((piece) => new TextEncoder().encode(piece));
  for (const body of [
    "one two",
    new TextEncoder().encode("one two"),
    async () => pieces.shift() ?? null,
  ]) {
    const response = await calls.fetch({ ...REQUEST, url: peer.url, body });
    expect(response.status).toBe(200);
    expect(await response.body?.readText()).toBe("one two");
  }
});

test("a guest pulls a response to its end", async () => {
  const peer = await startPeer((_request, response) => response.end(Buffer.from([0, 128, 255])));
  const response = await join().fetch({ ...REQUEST, method: "GET", url: peer.url, body: null });
  expect(response.url).toBe(`${peer.url}/`);
  expect(await response.body?.pull()).toEqual(new Uint8Array([0, 128, 255]));
  expect(await response.body?.pull()).toBeNull();
});

test("a guest whose upload fails, or whose signal aborts, gets its fetch rejected", async () => {
  const peer = await startPeer((request) => void request.resume());
  const calls = join();
  const cause = new Error("source");
  const body = (): Promise<never> => Promise.reject(cause);
  const broken = calls.fetch({ ...REQUEST, url: peer.url, body });
  await expect(broken).rejects.toMatchObject({ code: "FETCH_FAILED", cause });
  let abort: () => void = () => undefined;
  const aborted = calls.fetch({
    ...REQUEST,
    url: peer.url,
    body: "x",
    onAbort: (listener) => {
      abort = listener;
    },
  });
  abort();
  await expect(aborted).rejects.toMatchObject({ code: "CANCELLED" });
});

test("a guest sees the answer that came before its upload was complete", async () => {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const peer = await startRawPeer((socket) => {
    socket.on("close", () => close());
    socket.once("data", () => {
      socket.end("HTTP/1.1 413 Too Much\r\ncontent-length: 6\r\nconnection: close\r\n\r\nenough");
    });
  });
  const calls = join();
  const response = await calls.fetch({
    ...REQUEST,
    url: peer.url,
    body: async () => new Uint8Array(64 * 1024),
  });
  expect(response.status).toBe(413);
  // The connection is gone, and the guest has had the time to learn that its upload went nowhere.
  await closed;
  const other = await startPeer((_request, reply) => reply.end());
  await calls.fetch({ ...REQUEST, url: other.url, body: "x" });
  expect(await response.body?.readText()).toBe("enough");
});

test("a guest hashes", async () => {
  const digest = await join().bytesCall("crypto.digest", "SHA-1", new TextEncoder().encode("abc"));
  expect(Buffer.from(digest).toString("hex")).toBe("a9993e364706816aba3e25717850c26c9cd0d89d");
});

interface Sending {
  readonly calls: Calls;
  /** Numbers of calls, in the order in which they left. */
  readonly sent: number[];
  readonly cancelled: number[];
}

function sending(): Sending {
  const sent: number[] = [];
  const cancelled: number[] = [];
  const calls = new Calls({
    push: (op, id) => void (op === LEAVE.CALL_CANCEL ? cancelled : sent).push(id),
    pushBytes: (_op, id) => void sent.push(id),
    current: () => 1,
    setCurrent: () => undefined,
    now: () => 0,
    logBytesMax: 0,
    remaining: () => ({ cpuMs: 0, wallMs: 0 }),
  });
  return { calls, sent, cancelled };
}

test("a guest leaves sixteen calls with bytes to the host, and the rest when the host has come in", async () => {
  const { calls, sent } = sending();
  const call = (): Promise<ArrayBuffer> =>
    calls.bytesCall("crypto.digest", "SHA-1", new Uint8Array(1));
  const answers = Array.from({ length: 15 }, call);
  expect(sent.length).toBe(15);
  answers.push(call());
  expect(sent.length).toBe(16);
  answers.push(...Array.from({ length: 20 }, call));
  expect(sent.length).toBe(16);
  calls.entered();
  expect(sent.length).toBe(32);
  calls.entered();
  expect(sent.length).toBe(36);
  expect(sent).toEqual(sent.toSorted((a, b) => a - b));
  calls.succeed(sent[35] ?? 0, "0", [new ArrayBuffer(4)]);
  expect((await answers[35])?.byteLength).toBe(4);
});

test("a guest's fetches with bytes are among those sixteen", () => {
  const { calls, sent } = sending();
  for (let i = 0; i < 20; i++) {
    void calls.fetch({ ...REQUEST, url: "http://a.test/", body: new Uint8Array(1) });
  }
  expect(sent.length).toBe(16);
});

test.each([
  [OPEN_MAX - 1, OPEN_MAX - 1],
  [OPEN_MAX, OPEN_MAX],
  [OPEN_MAX + 1, OPEN_MAX],
])(
  "of %i calls at once a guest leaves %i to the host, and the rest when it has come in",
  (made, left) => {
    const { calls, sent } = sending();
    for (let i = 0; i < made; i++) {
      void calls.fetch({ ...REQUEST, url: "http://a.test/", body: null });
    }
    expect(sent.length).toBe(left);
    calls.entered();
    expect(sent).toEqual(Array.from({ length: made }, (_, at) => at + 1));
  },
);

test("a call that is aborted before it left never leaves", async () => {
  const { calls, sent, cancelled } = sending();
  for (let i = 0; i < OPEN_MAX; i++) {
    void calls.fetch({ ...REQUEST, url: "http://a.test/", body: null });
  }
  let abort = (): void => undefined;
  const onAbort = (listener: () => void): void => void (abort = listener);
  const answer = calls.fetch({ ...REQUEST, url: "http://a.test/", body: null, onAbort });
  const other = calls.begin("fetch", "", null);
  const last = calls.begin("fetch", "", null);
  abort();
  await expect(answer).rejects.toMatchObject({ code: "CANCELLED" });
  calls.cancel(other.id);
  await expect(other.answer).rejects.toMatchObject({ code: "CANCELLED" });
  calls.entered();
  expect(sent.slice(OPEN_MAX)).toEqual([last.id]);
  calls.cancel(last.id);
  expect(cancelled).toEqual([last.id]);
});
