// Bodies that come slowly, or go on coming while a server has failed: what the next server gets of them, and what a slow
// client means for the one that waits.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RawClient } from "../http/raw-client.ts";
import { until } from "../waiting.ts";
import { openFront } from "./front.ts";

/** Of a body: resets the connection when it sees it. */
const POISON = "poison";
let server: Server;
let requests = 0;
let begunBodies = 0;
let bodies: Buffer[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests++;
    request.once("data", (first: Buffer) => {
      begunBodies++;
      if (requests === 1 && first.includes(POISON)) request.socket.resetAndDestroy();
    });
    buffer(request).then(
      (body) => {
        bodies.push(body);
        if (request.url !== "/silent") response.end("ok");
      },
      () => {},
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const upstream = (more: string): string => `
upstreams: { one: { servers: ["http://127.0.0.1:${(server.address() as AddressInfo).port}"], ${more} } }
routes: [ { name: one, match: { path: "/*" }, target: { upstream: one } } ]`;

const chunk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);

describe.each(["uws", "node"] as const)("on the %s listener", (kind) => {
  test("what comes between two tries is in the second, although it is more than is kept", async () => {
    [requests, bodies] = [0, []];
    const retry = "breaker: false, retry: { attempts: 2, on: [reset], backoff: 400ms }";
    await using front = await openFront(upstream(retry), { kind });
    const client = new RawClient(front.port);
    const long = randomBytes(100_000);
    client.send("PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(chunk(Buffer.from(POISON)));
    await until("the first try has failed", () => front.gateway.upstreams()[0]?.retries === 1);
    client.send(chunk(long));
    client.send("0\r\n\r\n");
    expect((await client.reply()).status).toBe(200);
    expect(bodies).toEqual([Buffer.concat([Buffer.from(POISON), long])]);
    client.close();
  });

  test("a client that keeps back its body is no failure of the server, one that is silent after it is", async () => {
    [requests, bodies] = [0, []];
    const times = "timeout: { firstByte: 3s }, retry: { attempts: 1, perTryTimeout: 1s }";
    const configuration = upstream(`breaker: { failures: 1, openFor: 30s }, ${times}`);
    await using front = await openFront(configuration, { kind });
    const begun = async (): Promise<RawClient> => {
      const client = new RawClient(front.port);
      const before = begunBodies;
      client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello");
      await until("the server has its half", () => begunBodies > before);
      return client;
    };
    const slow = await begun();
    front.advance(2_000);
    slow.send("world");
    expect((await slow.reply()).status).toBe(200);
    expect(bodies.map(String)).toEqual(["helloworld"]);

    const stuck = await begun();
    front.advance(4_000);
    expect((await stuck.reply()).status).toBe(408);
    expect(front.gateway.upstreams()[0]?.servers[0]).toMatchObject({ failures: 0, active: 0 });

    slow.send("POST /silent HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello");
    await until("the server has it all", () => bodies.length === 2);
    front.advance(2_000);
    expect((await slow.reply()).status).toBe(504);
    for (const client of [slow, stuck]) client.close();
  });
});
