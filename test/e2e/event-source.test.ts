// EventSource in a handler, to a real server behind the egress guard.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";

const HANDLER = `
const until = (source, type) => new Promise((resolve) => source.addEventListener(type, resolve, { once: true }));
const cases = {
  async again(url) {
    const source = new EventSource(url + "feed");
    const seen = [];
    source.addEventListener("tick", ({ data, origin, lastEventId }) => seen.push([data, url.startsWith(origin), lastEventId]));
    await until(source, "message");
    await until(source, "error");
    seen.push(source.readyState);
    seen.push((await until(source, "message")).data);
    source.close();
    return seen;
  },
  async left(url) {
    await until(new EventSource(url + "left"), "message");
    return ["left"];
  },
  async many(url) {
    const source = new EventSource(url + "ends");
    let errors = 0;
    source.onerror = () => errors++;
    while (source.readyState !== EventSource.CLOSED) await until(source, "error");
    return [errors];
  },
  async metadata() {
    const source = new EventSource("http://169.254.169.254/");
    await until(source, "error");
    return [source.readyState];
  },
};
export default { async fetch(request) {
  const { pathname, searchParams } = new URL(request.url);
  return Response.json(await cases[pathname.split("/").at(-1)](searchParams.get("url")));
} };`;

const closed = Promise.withResolvers<void>();

function answer(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const last = request.headers["last-event-id"];
  switch (request.url) {
    case "/feed":
      if (last !== undefined) response.write(`data: again after ${String(last)}\n\n`);
      else response.end("retry: 5\nid: 7\nevent: tick\ndata: grün\n\ndata: two\n\n");
      break;
    case "/left":
      response.on("close", () => closed.resolve());
      response.write("data: 1\n\n");
      break;
    default:
      response.end("retry: 0\n\n");
  }
}

const server = createServer(answer);
let node: TestNode;
let peer = "";

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  peer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  node = await startNode({ workers: 1, args: ["--egress-may-be-private"] });
  const egress = [new URL(peer).host];
  await node.publish("events", HANDLER, { limits: { subrequests: 3 }, egress });
});

afterAll(async () => {
  await node.stop();
  server.closeAllConnections();
  server.close();
});

const ask = async (name: string): Promise<unknown> =>
  JSON.parse((await node.get(`/events/${name}?url=${peer}`)).text) as unknown;

test("an EventSource hears events, and connects again with the id of the last one", async () => {
  expect(await ask("again")).toEqual([["grün", true, "7"], 0, "again after 7"]);
});

test("an EventSource ends with the request that opened it", async () => {
  expect(await ask("left")).toEqual(["left"]);
  await closed.promise;
});

test("each connection of an EventSource is a subrequest, and none is made beyond the limit", async () => {
  expect(await ask("many")).toEqual([4]);
});

test("an EventSource reaches what fetch may reach, and no more", async () => {
  expect(await ask("metadata")).toEqual([2]);
});
