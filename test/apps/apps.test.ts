// Packages from the registry, unchanged, in handlers of a real node: one app of each (handlers/), and what it has to
// answer (expectations/).

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { publishApps } from "./apps.ts";
import type { Expectation } from "./expectation.ts";
import * as apis from "./expectations/apis.ts";
import * as pages from "./expectations/pages.ts";
import * as routers from "./expectations/routers.ts";
import { until } from "../waiting.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

/** Fifteen publishes, of up to a megabyte each, on a loaded machine. */
const PUBLISH_MS = 120_000;

let node: TestNode;
let upstream: Upstream;

beforeAll(async () => {
  upstream = await startUpstream();
  node = await startNode({ args: ["--allow-private-egress"] });
  const SENTRY_DSN = `${upstream.url.replace("//", "//key@")}/1`;
  const OPENAI_URL = `${upstream.url}/v1`;
  const vars = { GREETING: "hi", OPENAI_URL, SENTRY_DSN, HELD_URL: `${upstream.url}/held` };
  await publishApps(node, vars);
}, PUBLISH_MS);

afterAll(async () => {
  await node.stop();
  await upstream[Symbol.asyncDispose]();
});

async function check(expected: Expectation): Promise<void> {
  const [method = "", path = ""] = expected.ask.split(" ");
  const headers = new Headers(expected.headers);
  if (expected.json !== undefined) headers.set("content-type", "application/json");
  const body = expected.json === undefined ? expected.body : JSON.stringify(expected.json);
  const answer = await node.get(path, { method, headers, body: body ?? null });
  const { reply } = expected;
  if (typeof reply === "string") expect(answer.text).toBe(reply);
  else if (reply instanceof RegExp) expect(answer.text).toMatch(reply);
  else expect(JSON.parse(answer.text)).toEqual(reply.json);
  expect(answer.status).toBe(expected.status ?? 200);
  for (const [name, value] of Object.entries(expected.with ?? {})) {
    expect(answer.headers.get(name)).toBe(value);
  }
}

describe.each(Object.entries({ ...routers, ...apis, ...pages }))("an app with %s", (_, list) => {
  test.each(list)("answers $ask with $reply", check);
});

const SUBSCRIBED = { accept: "text/event-stream" };
const BATCHED = { "trpc-accept": "application/jsonl" };

test.each<[string, Readonly<Record<string, string>>, RegExp, RegExp]>([
  ["hono/held", {}, /^at once\n$/, /^at once\nlater\n$/],
  ["react?held&name=Ada", {}, /Ada.*<p>loading<\/p>/s, /<li>first<\/li><li>second<\/li>/],
  ["graphql-yoga?query=subscription{held}", SUBSCRIBED, /"at once"\]/, /"first","second"\]/],
  ["trpc/follow", SUBSCRIBED, /data: "at once"\n/, /data: \["first","second"\]\n/],
  [
    `trpc/greet,held?batch=1&input=${encodeURIComponent('{"0":{"name":"ada"}}')}`,
    BATCHED,
    /"Hello, ada"/,
    /\["first","second"\]/,
  ],
  ["openai/relay", {}, /"Hel"/, /"lo"/],
])(
  "%s answers with what it has while the rest is not there yet",
  async (path, headers, first, last) => {
    const reply = await fetch(`${node.url}/${path}`, { headers });
    let text = "";
    let isReleased = false;
    for await (const chunk of (reply.body ?? new ReadableStream()).pipeThrough(
      new TextDecoderStream(),
    )) {
      text += chunk;
      if (isReleased || !first.test(text)) continue;
      expect(text).not.toMatch(last);
      upstream.release();
      isReleased = true;
    }
    expect(text).toMatch(last);
  },
);

test("an app with HONO talks over a WebSocket", async () => {
  const socket = new WebSocket(`${node.url.replace("http", "ws")}/hono/socket`);
  const heard = new Promise<unknown>((resolve, reject) => {
    socket.addEventListener("open", () => socket.send("hello"));
    socket.addEventListener("message", ({ data }) => resolve(data));
    socket.addEventListener("error", () => reject(new Error("the socket failed")));
  });
  expect(await heard).toBe("heard hello");
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  socket.close();
  await closed;
});

test("an app with toucan-js reports its exceptions after the reply", async () => {
  const { status, text } = await node.get("/toucan/orders?id=1", {
    headers: { "user-agent": "a test" },
  });
  expect(status).toBe(500);
  expect(await upstream.report).toMatchObject([
    { event_id: text },
    { type: "event" },
    {
      exception: { values: [{ type: "TypeError", value: "no such order" }] },
      release: "1.0.0",
      user: { id: "7" },
      tags: { part: "orders" },
      breadcrumbs: [{ message: "looked at the cart" }],
      request: {
        method: "GET",
        // As toucan writes addresses.
        url: "http://127.0.0.1/toucan/orders",
        headers: { "user-agent": "a test" },
        query_string: "id=1",
      },
    },
  ]);
});

test("an app with kv-asset-handler answers from its cache", async () => {
  const path = "/kv-asset-handler/docs/";
  expect(
    (await node.get("/kv-asset-handler/docs.html", { method: "PUT", body: "docs" })).status,
  ).toBe(201);
  expect((await node.get(path)).headers.get("cf-cache-status")).toBe("MISS");
  await until("the page is in the cache", async () => {
    const { text, headers } = await node.get(path);
    expect(text).toBe("docs");
    return headers.get("cf-cache-status") === "HIT";
  });
  const again = await node.get(path, { headers: { "if-none-match": 'W/"docs.html"' } });
  expect([again.status, again.text]).toEqual([304, ""]);
});
