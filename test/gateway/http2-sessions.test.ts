// A connection of HTTP/2 to a server that is gone without a word.

import { once } from "node:events";
import { createServer, type Http2Server } from "node:http2";
import {
  connect,
  createServer as createProxy,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../waiting.ts";
import { openFront } from "./front.ts";

/** To the server, in the order in which they were opened. */
const links: Socket[] = [];
/** Pass on nothing, from the first to this one. */
let deadMax = 0;
const asked: string[] = [];
let server: Http2Server;
let proxy: Server;

async function listen(one: Http2Server | Server): Promise<number> {
  one.listen(0, "127.0.0.1");
  await once(one, "listening");
  return (one.address() as AddressInfo).port;
}

function join(client: Socket, port: number): void {
  const number = links.push(client);
  client.on("error", () => {});
  const behind = connect(port, "127.0.0.1");
  behind.on("error", () => {});
  const passed = (from: Socket, to: Socket): void => {
    from.on("data", (bytes: Buffer) => number > deadMax && to.write(bytes));
    from.on("close", () => to.destroy());
  };
  passed(client, behind);
  passed(behind, client);
}

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url);
    response.end("ok");
  });
  const port = await listen(server);
  proxy = createProxy((client) => join(client, port));
  await listen(proxy);
});

afterAll(() => {
  for (const link of links) link.destroy();
  proxy.close();
  server.close();
});

test("one on which nothing comes any more costs those who wait on it, and nobody after them", async () => {
  const { port } = proxy.address() as AddressInfo;
  await using front = await openFront(`
upstreams:
  one: { http2: true, servers: ["http://127.0.0.1:${port}"], breaker: false, retry: false, keepAlive: 1m }
routes: [ { name: one, match: { path: "/*" }, target: { upstream: one } } ]`);
  const active = (): number | undefined => front.gateway.upstreams()[0]?.servers[0]?.active;
  expect((await front.get("/a")).status).toBe(200);
  await until("it is over", () => active() === 0);
  deadMax = 1;
  const lost = front.get("/b");
  await until("it is on its way", () => active() === 1);
  front.advance(31_000);
  expect((await lost).status).toBe(504);
  expect((await front.get("/c")).status).toBe(200);
  expect([links.length, asked]).toEqual([2, ["/a", "/c"]]);
});
