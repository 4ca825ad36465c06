// The limits of egress, each just below, at and above.

import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { RESPONSE_TEXT_BYTES_MAX } from "../../runtime/isolate/egress/subrequest.ts";
import { HEADER_BYTES_MAX, URL_BYTES_MAX } from "../../sdk/limits.ts";
import { failure } from "./guest.ts";
import { startGuest, startPeer, startRawPeer } from "./peer.ts";

test("an exchange may make so many subrequests, and each has its own count", async () => {
  const peer = await startPeer((_request, response) => response.writeHead(204).end());
  const guest = startGuest({ subrequestsMax: 3 });
  for (let i = 0; i < 3; i++) await guest.fetch(peer.url);
  expect(await failure(guest.fetch(peer.url))).toEqual({
    code: "SUBREQUEST_LIMIT",
    message: "One request may make 3 subrequests; redirects count.",
  });
  expect((await guest.fetch(peer.url, { owner: 2 })).status).toBe(204);
});

test("each redirect that is followed counts as a subrequest", async () => {
  let requests = 0;
  const peer = await startPeer((request, response) => {
    requests++;
    const left = Number(request.url?.slice(1));
    if (left === 0) response.writeHead(204).end();
    else response.writeHead(302, { location: `/${left - 1}` }).end();
  });
  const guest = startGuest({ subrequestsMax: 3 });
  expect((await guest.fetch(`${peer.url}/1`, { owner: 1 })).status).toBe(204);
  expect((await guest.fetch(`${peer.url}/2`, { owner: 2 })).status).toBe(204);
  requests = 0;
  expect((await failure(guest.fetch(`${peer.url}/3`, { owner: 3 }))).code).toBe("SUBREQUEST_LIMIT");
  expect(requests).toBe(3);
});

test("so many subrequests run at once, so many more wait, and the next one fails", async () => {
  const held: ServerResponse[] = [];
  let { promise: two, resolve: arrived } = Promise.withResolvers<void>();
  const peer = await startPeer((_request, response) => {
    held.push(response);
    if (held.length === 2) arrived();
  });
  const guest = startGuest({ concurrencyMax: 2, waitingMax: 1 });
  const running = [guest.fetch(peer.url), guest.fetch(peer.url)];
  const waiting = guest.fetch(peer.url);
  expect((await failure(guest.fetch(peer.url))).message).toMatch(/wait for their turn/);
  await two;
  expect(held.length).toBe(2);
  ({ promise: two, resolve: arrived } = Promise.withResolvers<void>());
  // The head alone makes room; the body need not be complete.
  held.shift()?.writeHead(200).flushHeaders();
  await Promise.race(running);
  await two;
  for (const response of held) response.end();
  await Promise.all([...running, waiting]);
});

test("so many subrequests of one exchange run at once; the others wait, and no other exchange for them", async () => {
  const held: ServerResponse[] = [];
  let arrived: () => void = () => undefined;
  const peer = await startPeer((request, response) => {
    held.push(response);
    if (request.url === "/last") arrived();
  });
  const guest = startGuest({ atOnceMax: 2 });
  const mine = [1, 2, 3].map(() => guest.fetch(`${peer.url}/mine`, { owner: 1 }));
  const reached = new Promise<void>((resolve) => (arrived = resolve));
  const other = guest.fetch(`${peer.url}/last`, { owner: 2 });
  await reached;
  expect(held.map(({ req }) => req.url ?? "").toSorted()).toEqual(["/last", "/mine", "/mine"]);
  for (const response of held.splice(0)) response.end();
  await other;
  await Promise.race(mine);
  const third = (): ServerResponse | undefined => held[0];
  while (third() === undefined) await new Promise((resolve) => setImmediate(resolve));
  third()?.end();
  await Promise.all(mine);
});

test("when too many responses are open, the oldest one that nobody reads is given up", async () => {
  const peer = await startPeer((request, response) => response.write(request.url ?? ""));
  const guest = startGuest({ openResponsesMax: 2 });
  const first = await guest.fetch(`${peer.url}/1`);
  const second = await guest.fetch(`${peer.url}/2`);
  expect(Buffer.from((await guest.pull(first.id)) ?? []).toString()).toBe("/1");
  const third = await guest.fetch(`${peer.url}/3`);
  expect((await failure(guest.pull(second.id))).code).toBe("CANCELLED");
  expect(Buffer.from((await guest.pull(third.id)) ?? []).toString()).toBe("/3");
  expect((await failure(guest.fetch(`${peer.url}/4`))).message).toMatch(/More than 2 responses/);
  guest.cancel(first.id);
  expect((await guest.fetch(`${peer.url}/5`)).status).toBe(200);
});

test("a text may be so long", async () => {
  const peer = await startPeer((request, response) => {
    response.end(Buffer.alloc(Number(request.url?.slice(1)), "x"));
  });
  const guest = startGuest();
  for (const length of [RESPONSE_TEXT_BYTES_MAX - 1, RESPONSE_TEXT_BYTES_MAX]) {
    const { id } = await guest.fetch(`${peer.url}/${length}`);
    expect((await guest.text(id)).length).toBe(length);
  }
  const { id } = await guest.fetch(`${peer.url}/${RESPONSE_TEXT_BYTES_MAX + 1}`);
  expect((await failure(guest.text(id))).message).toMatch(/read it as a stream/);
});

test("the headers of a response may be so large", async () => {
  const peer = await startRawPeer((socket) => {
    socket.on("data", (data) => {
      const bytes = Number(data.toString().split(" ")[1]?.slice(1));
      const head = "HTTP/1.1 204 No Content\r\nx-a: ";
      // undici counts names and values only.
      socket.write(`${head}${"v".repeat(bytes - "x-a".length)}\r\n\r\n`);
    });
  });
  const guest = startGuest();
  const size = HEADER_BYTES_MAX;
  const value = (await guest.fetch(`${peer.url}/${size - 1}`)).header("x-a");
  expect(value?.length).toBe(size - 1 - "x-a".length);
  expect((await failure(guest.fetch(`${peer.url}/${size}`))).message).toMatch(
    /response headers are larger than 65536 bytes/,
  );
});

test("address and headers of a request may be so long", async () => {
  const peer = await startRawPeer((socket) => {
    let received = "";
    socket.on("data", (data) => {
      received += data.toString("latin1");
      if (!received.endsWith("\r\n\r\n")) return;
      received = "";
      socket.write("HTTP/1.1 204 No Content\r\n\r\n");
    });
  });
  const guest = startGuest();
  const base = `${peer.url}/`;
  for (const length of [URL_BYTES_MAX - 1, URL_BYTES_MAX]) {
    expect((await guest.fetch(base.padEnd(length, "a"))).status).toBe(204);
  }
  expect((await failure(guest.fetch(base.padEnd(URL_BYTES_MAX + 1, "a")))).message).toMatch(
    /address is longer than the limit/,
  );
  for (const length of [HEADER_BYTES_MAX - 1, HEADER_BYTES_MAX]) {
    const headers = `${"x-a\n".padEnd(length - 1, "v")}\n`;
    expect((await guest.fetch(base, { headers })).status).toBe(204);
  }
  const headers = `${"x-a\n".padEnd(HEADER_BYTES_MAX, "v")}\n`;
  expect((await failure(guest.fetch(base, { headers }))).message).toMatch(
    /headers are larger than the limit/,
  );
});
