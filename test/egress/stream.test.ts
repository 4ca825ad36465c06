// Bodies in motion: streaming both ways under backpressure, aborts at every stage, slow and dying peers.

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { CALLS } from "../../sdk/bridge.ts";
import { RELEASED_BYTES_MIN } from "../../sdk/exchange.ts";
import { until } from "../waiting.ts";
import { failure } from "./guest.ts";
import { startGuest, startPeer, startRawPeer } from "./peer.ts";

const MEGABYTE = 1024 * 1024;
/** Far more than all socket and stream buffers between two processes hold. */
const BIG_BYTES = 64 * MEGABYTE;

const CHUNK_BYTES: number = 4 * RELEASED_BYTES_MIN;

async function pump(response: ServerResponse, wrote: (bytes: number) => void): Promise<void> {
  const piece = Buffer.alloc(64 * 1024, "x");
  for (let sent = 0; sent < BIG_BYTES && !response.destroyed; sent += piece.length) {
    wrote(sent + piece.length);
    if (!response.write(piece)) await once(response, "drain");
  }
  response.end();
}

test("a response is read from its peer only as fast as it is pulled", async () => {
  const wrote: Record<string, number> = {};
  const peer = await startPeer((request, response) => {
    const name = request.url ?? "";
    void pump(response, (bytes) => {
      wrote[name] = bytes;
    });
  });
  const guest = startGuest();
  const slow = await guest.fetch(`${peer.url}/slow`);
  expect((await guest.pull(slow.id))?.byteLength).toBeGreaterThan(0);
  // Another of the same size passes by completely: the time the slow one had, and did not use.
  const quick = await guest.fetch(`${peer.url}/quick`);
  expect((await guest.bytes(quick.id)).length).toBe(BIG_BYTES);
  expect(wrote["/slow"]).toBeLessThan(BIG_BYTES / 2);
  expect(1 + (await guest.bytes(slow.id)).length).toBeGreaterThan(BIG_BYTES / 2);
  expect(wrote["/slow"]).toBe(BIG_BYTES);
});

test("a streamed request body arrives piece by piece while the response flows back", async () => {
  const peer = await startPeer((request, response) => void request.pipe(response));
  const guest = startGuest();
  const { id, head } = guest.begin(peer.url, { streamed: true });
  await guest.push(id, Buffer.from("one"));
  expect((await head).status).toBe(200);
  expect(Buffer.from((await guest.pull(id)) ?? []).toString()).toBe("one");
  await guest.push(id, Buffer.from([0, 255]));
  expect(await guest.pull(id)).toEqual(new Uint8Array([0, 255]));
  await guest.push(id, new Uint8Array(0));
  await guest.end(id);
  expect(await guest.pull(id)).toBeNull();
});

test("a push is answered only when the connection takes it", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<IncomingMessage>();
  const peer = await startPeer((request, response) => {
    if (request.url === "/quick") return void request.resume().on("end", () => response.end());
    request.on("end", () => response.end("done"));
    arrive(request);
  });
  const guest = startGuest();
  const piece = Buffer.alloc(MEGABYTE, "x");
  const pieces = BIG_BYTES / MEGABYTE;
  async function upload(id: number, pushed: () => void): Promise<void> {
    for (let i = 0; i < pieces; i++) {
      await guest.push(id, piece);
      pushed();
    }
    await guest.end(id);
  }
  let pushed = 0;
  const { id, head } = guest.begin(peer.url, { streamed: true });
  const slow = upload(id, () => pushed++);
  const request = await arrived;
  // A second upload of the same size passes by completely.
  const quick = guest.begin(`${peer.url}/quick`, { streamed: true });
  await upload(quick.id, () => undefined);
  expect((await quick.head).status).toBe(200);
  expect(pushed).toBeLessThan(pieces / 2);
  let received = 0;
  request.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  await slow;
  await head;
  expect(await guest.text(id)).toBe("done");
  expect(received).toBe(BIG_BYTES);
});

test("the memory of a chunk goes back once it was sent, though nothing follows it", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<IncomingMessage>();
  const peer = await startPeer((request) => arrive(request));
  const guest = startGuest();
  const { id } = guest.begin(peer.url, { streamed: true });
  const chunks = [1, 2, 3].map((n) => new Uint8Array(CHUNK_BYTES).fill(n).buffer);
  for (const bytes of chunks) await guest.raw(CALLS.FETCH_PUSH, `${id}`, { bytes }).answer;
  let received = Buffer.alloc(0);
  (await arrived).on("data", (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
  await until("they have arrived", () => received.length === 3 * CHUNK_BYTES);
  expect([received[0], received.at(-1)]).toEqual([1, 3]);
  await until("they are given back", () => chunks.every(({ detached }) => detached));
});

test("a second push before the first was answered is refused", async () => {
  const peer = await startPeer(() => undefined);
  const guest = startGuest({ concurrencyMax: 1 });
  guest.begin(peer.url);
  const { id } = guest.begin(peer.url, { streamed: true });
  const first = guest.push(id, Buffer.from("a"));
  expect((await failure(guest.push(id, Buffer.from("b")))).code).toBe("CALL_INVALID");
  expect((await failure(guest.end(id))).code).toBe("CALL_INVALID");
  guest.cancel(id);
  expect((await failure(first)).code).toBe("CANCELLED");
});

test("an answer that comes before the upload is complete can still be read", async () => {
  const peer = await startRawPeer((socket) => {
    socket.once("data", () => {
      socket.end("HTTP/1.1 413 Too Much\r\ncontent-length: 6\r\nconnection: close\r\n\r\nenough");
    });
  });
  const guest = startGuest();
  const { id, head } = guest.begin(peer.url, { streamed: true });
  const pushing = (async () => {
    for (;;) await guest.push(id, Buffer.alloc(64 * 1024));
  })();
  expect((await head).status).toBe(413);
  expect(await guest.text(id)).toBe("enough");
  expect((await failure(pushing)).code).toBe("CANCELLED");
});

test("a streamed body is not sent again to the target of a redirect", async () => {
  const peer = await startPeer((request, response) => {
    request.resume().on("end", () => response.writeHead(307, { location: "/b" }).end());
  });
  const guest = startGuest();
  const { id, head } = guest.begin(peer.url, { streamed: true });
  await guest.push(id, Buffer.from("x"));
  await guest.end(id);
  expect((await failure(head)).message).toMatch(/streamed body cannot be sent again/);
});

test("an upload whose chunks stop coming is given up, and its connection closed", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<IncomingMessage>();
  const peer = await startPeer(arrive);
  const guest = startGuest({ uploadIdleMsMax: 50 });
  const { id, head } = guest.begin(peer.url, { streamed: true });
  await guest.push(id, Buffer.from("x"));
  const request = await arrived;
  const closed = new Promise((resolve) => request.on("close", resolve));
  expect(await failure(head)).toEqual({
    code: "FETCH_FAILED",
    message: "The subrequest's body stopped arriving.",
  });
  await closed;
  expect(request.complete).toBe(false);
  expect((await failure(guest.push(id, Buffer.from("y")))).code).toBe("CANCELLED");
});

test("a streamed upload that is answered 401 gets that answer", async () => {
  const peer = await startPeer((request, response) => {
    request.resume().on("end", () => response.writeHead(401).end("who?"));
  });
  const guest = startGuest();
  const { id, head } = guest.begin(peer.url, { streamed: true });
  await guest.push(id, Buffer.from("x"));
  await guest.end(id);
  expect((await head).status).toBe(401);
  expect(await guest.text(id)).toBe("who?");
});

test("an abort before the connection is used sends nothing", async () => {
  const seen: (string | undefined)[] = [];
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const peer = await startPeer((request, response) => {
    seen.push(request.url);
    if (request.url === "/last") response.end();
    else arrive();
  });
  const guest = startGuest({ concurrencyMax: 1 });
  const first = guest.begin(`${peer.url}/first`);
  const second = guest.begin(`${peer.url}/second`);
  await arrived;
  guest.cancel(second.id);
  expect((await failure(second.head)).code).toBe("CANCELLED");
  guest.cancel(first.id);
  expect((await failure(first.head)).code).toBe("CANCELLED");
  await guest.fetch(`${peer.url}/last`);
  expect(seen).toEqual(["/first", "/last"]);
});

test("an abort while the head is awaited closes the connection", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<IncomingMessage>();
  const peer = await startPeer(arrive);
  const guest = startGuest();
  const { id, head } = guest.begin(peer.url);
  const { socket } = await arrived;
  guest.cancel(id);
  expect((await failure(head)).code).toBe("CANCELLED");
  await once(socket, "close");
});

test("an abort while the body is awaited ends the pull and closes the connection", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<IncomingMessage>();
  const peer = await startPeer((request, response) => {
    response.write("first");
    arrive(request);
  });
  const guest = startGuest();
  const { id } = await guest.fetch(peer.url);
  await guest.pull(id);
  const waiting = guest.pull(id);
  const { socket } = await arrived;
  guest.cancel(id);
  expect((await failure(waiting)).code).toBe("CANCELLED");
  await once(socket, "close");
  expect((await failure(guest.pull(id))).code).toBe("CANCELLED");
  guest.cancel(id);
});

test("an abort while a body is uploaded closes the connection and refuses the push", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<IncomingMessage>();
  const peer = await startPeer(arrive);
  const guest = startGuest();
  const { id, head } = guest.begin(peer.url, { streamed: true });
  const pushing = (async () => {
    for (;;) await guest.push(id, Buffer.alloc(MEGABYTE));
  })();
  const request = await arrived;
  guest.cancel(id);
  expect((await failure(head)).code).toBe("CANCELLED");
  expect((await failure(pushing)).code).toBe("CANCELLED");
  // A server sees the end of a connection only once it has read what came before.
  const closed = new Promise((resolve) => request.on("close", resolve));
  request.on("error", () => undefined).resume();
  await closed;
  expect(request.complete).toBe(false);
});

test("only one pull at a time is answered", async () => {
  const peer = await startPeer((_request, response) => response.write("first"));
  const guest = startGuest();
  const { id } = await guest.fetch(peer.url);
  await guest.pull(id);
  const waiting = guest.pull(id);
  expect((await failure(guest.pull(id))).code).toBe("CALL_INVALID");
  expect((await failure(guest.text(id))).code).toBe("CALL_INVALID");
  guest.cancel(id);
  await failure(waiting);
});

test("a pull before the head has come is refused", async () => {
  const peer = await startPeer(() => undefined);
  const guest = startGuest();
  const { id } = guest.begin(peer.url);
  expect((await failure(guest.pull(id))).code).toBe("CALL_INVALID");
});

test("a peer that dies before, in and after the head fails with its reason", async () => {
  const peer = await startRawPeer((socket) => {
    socket.once("data", (data) => {
      const path = data.toString().split(" ")[1];
      if (path === "/body") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
      if (path === "/head") socket.write("HTTP/1.1 200 OK\r\nx-cut");
      socket.end();
    });
  });
  const guest = startGuest();
  for (const path of ["/", "/head"]) {
    expect(await failure(guest.fetch(peer.url + path))).toEqual({
      code: "FETCH_FAILED",
      message: `The subrequest to 127.0.0.1:${peer.port} failed: the peer closed the connection.`,
    });
  }
  const { id } = await guest.fetch(`${peer.url}/body`);
  expect(await failure(guest.text(id))).toMatchObject({
    code: "FETCH_FAILED",
    message: expect.stringMatching(/closed the connection|shorter than it said/) as string,
  });
});

test("a chunked body that breaks off fails after what had come", async () => {
  const peer = await startRawPeer((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
      socket.once("data", () => socket.destroy());
    });
  });
  const guest = startGuest();
  const { id, head } = guest.begin(peer.url, { streamed: true });
  await guest.push(id, Buffer.from("x"));
  await head;
  expect(Buffer.from((await guest.pull(id)) ?? []).toString()).toBe("abc");
  await guest.push(id, Buffer.from("now break"));
  expect((await failure(guest.pull(id))).code).toBe("FETCH_FAILED");
});

test("a peer that sends its head, or the rest of its body, too late is given up", async () => {
  const peer = await startPeer((request, response) => {
    if (request.url === "/body") response.write("first");
  });
  const hasty = startGuest({}, { headersTimeoutMs: 50 });
  expect((await failure(hasty.fetch(peer.url))).message).toMatch(/no response came in time/);
  const guest = startGuest({}, { bodyTimeoutMs: 50 });
  const { id } = await guest.fetch(`${peer.url}/body`);
  expect((await failure(guest.text(id))).message).toMatch(/the response stopped arriving/);
});

test("closing aborts what runs and what waits, and refuses what comes after", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<IncomingMessage>();
  let requests = 0;
  const peer = await startPeer((request) => {
    requests++;
    arrive(request);
  });
  const guest = startGuest({ concurrencyMax: 1 });
  const running = guest.begin(peer.url);
  const waiting = guest.begin(peer.url);
  const { socket } = await arrived;
  guest.close();
  expect((await failure(running.head)).code).toBe("CANCELLED");
  expect((await failure(waiting.head)).code).toBe("CANCELLED");
  expect((await failure(guest.fetch(peer.url))).code).toBe("CANCELLED");
  await once(socket, "close");
  expect(requests).toBe(1);
});

test("calls with malformed arguments are refused, other services' calls are left alone", async () => {
  const guest = startGuest();
  for (const name of [CALLS.FETCH_PULL, CALLS.FETCH_TEXT, CALLS.FETCH_PUSH]) {
    expect((await failure(guest.raw(name, "x").answer)).code).toBe("CALL_INVALID");
    expect((await failure(guest.raw(name, "9").answer)).code).toBe("CANCELLED");
  }
  for (const args of [
    "",
    "GET",
    "G T\nhttp://a/\nfollow\n0\n",
    "GET\nhttp://a/\nmaybe\n0\n",
    "GET\nhttp://a/\nfollow\n9\n",
    "GET\nhttp://a/\nfollow\n1\n\0x",
    "POST\nhttp://a/\nfollow\n1\nno body",
    "GET\nhttp://a/\nfollow\n0\nname",
    "GET\nhttp://a/\nfollow\n0\nname\n",
    "GET\nhttp://a/\nfollow\n0\nbad name\nx\n",
    "GET\nhttp://a/\nfollow\n0\nname\nbad\rvalue\n",
    "GET\nhttp://a/\nfollow\n0\nname\n\u20ac\n",
  ]) {
    expect((await failure(guest.raw(CALLS.FETCH, args).answer)).code, args).toBe("CALL_INVALID");
  }
  expect(() => guest.raw("kv.get", "x")).toThrow("not this service's");
});
