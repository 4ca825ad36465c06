// Requests under an idempotency key, sent to two workers' gateways that share what they keep.

import { createServer, request, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { temporary, type Temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";

let peer: Server;
let folder: Temporary;
let fronts: readonly [Front, Front];
/** Requests that have reached the upstream. */
let seen: string[] = [];
let answer: (response: ServerResponse, body: string) => void;
let lastKey = 0;

const echo = (response: ServerResponse, body: string): void => {
  response.writeHead(201, { "x-count": seen.length, "set-cookie": ["a=1", "b=2"] });
  response.end(`made ${body}`);
};

beforeAll(async () => {
  folder = temporary();
  peer = createServer((incoming, response) => {
    let body = "";
    incoming.on("data", (bytes: Buffer) => (body += bytes.toString()));
    incoming.on("end", () => {
      seen.push(`${incoming.method} ${incoming.url} ${body}`);
      answer(response, body);
    });
  });
  peer.listen(0, "127.0.0.1");
  await once(peer, "listening");
  const { port } = peer.address() as AddressInfo;
  const text = `
upstreams: { peer: { servers: ["http://127.0.0.1:${port}"], retry: false, breaker: false } }
routes:
  - { match: { path: "/a/*" }, target: { upstream: peer }, policies: [ idempotency: { maxBody: 1KiB, maxReply: 1KiB } ] }
  - { match: { path: "/must/*" }, target: { upstream: peer }, policies: [ idempotency: { required: true, wait: 0s, header: x-key } ] }
  - { match: { path: "/brief/*" }, target: { upstream: peer }, policies: [ idempotency: { ttl: 1s, lock: 1s } ] }
`;
  const options = { replies: folder.path };
  fronts = [await openFront(text, options), await openFront(text, { ...options, kind: "node" })];
});

afterAll(async () => {
  for (const front of fronts) await front[Symbol.asyncDispose]();
  peer.closeAllConnections();
  peer.close();
  folder[Symbol.dispose]();
});

beforeEach(() => {
  seen = [];
  answer = echo;
  lastKey++;
});

interface Got {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function post(
  at: 0 | 1,
  path: string,
  body: string,
  more: Record<string, string> = {},
): Promise<Got> {
  const headers = { "idempotency-key": `key-${lastKey}`, ...more };
  const response = await fetch(`${fronts[at].url}${path}`, { method: "POST", body, headers });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const codeOf = ({ text }: Got): unknown => Reflect.get(Object(JSON.parse(text)), "code");

describe("idempotency", () => {
  test("the first reply is given again, head and body, by either worker", async () => {
    const first = await post(0, "/a/b", "x");
    expect([first.status, first.text, first.headers.get("idempotent-replayed")]).toEqual([
      201,
      "made x",
      null,
    ]);
    for (const at of [0, 1, 0] as const) {
      const again = await post(at, "/a/b", "x");
      expect([again.status, again.text]).toEqual([201, "made x"]);
      expect(again.headers.get("idempotent-replayed")).toBe("true");
      expect(again.headers.get("x-count")).toBe("1");
      expect(again.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    }
    expect(seen).toEqual(["POST /a/b x"]);
  });

  test("those that come while it is under way wait for it, over all workers", async () => {
    let release: () => void = () => undefined;
    answer = (response, body) => {
      release = () => echo(response, body);
    };
    const all = [
      post(0, "/a/b", "x"),
      ...Array.from({ length: 8 }, (_, at) => post(at % 2 === 0 ? 0 : 1, "/a/b", "x")),
    ];
    await until("one is there", () => seen.length > 0);
    release();
    const got = await Promise.all(all);
    expect(new Set(got.map(({ status, text }) => `${status} ${text}`))).toEqual(
      new Set(["201 made x"]),
    );
    expect(got.filter(({ headers }) => headers.has("idempotent-replayed"))).toHaveLength(8);
    expect(seen).toHaveLength(1);
  });

  test.each([
    ["another body", "/a/b", "y"],
    ["another address", "/a/c", "x"],
    ["another query", "/a/b?q=1", "x"],
  ])("%s under the key is refused with 422", async (_what, path, body) => {
    await post(0, "/a/b", "x");
    const other = await post(1, path, body);
    expect([other.status, codeOf(other)]).toEqual([422, "IDEMPOTENCY_MISMATCH"]);
    expect(seen).toHaveLength(1);
  });

  test("other methods, and requests without a key, pass by", async () => {
    await post(0, "/a/b", "x");
    const get = await fetch(`${fronts[0].url}/a/b`, {
      headers: { "idempotency-key": `key-${lastKey}` },
    });
    expect(await get.text()).toBe("made ");
    for (let i = 0; i < 2; i++) await fetch(`${fronts[0].url}/a/b`, { method: "POST", body: "x" });
    expect(seen).toHaveLength(4);
  });

  test("a key can be required, and has to be usable", async () => {
    const none = await post(0, "/must/b", "x");
    expect([none.status, codeOf(none)]).toEqual([400, "IDEMPOTENCY_KEY_INVALID"]);
    for (const [key, status] of [
      ["", 400],
      ["a b", 400],
      ["k".repeat(256), 400],
      [`${"k".repeat(250)}${lastKey}`, 201],
    ] as const) {
      expect((await post(0, "/must/b", "x", { "x-key": key })).status).toBe(status);
    }
  });

  test("who does not want to wait is told that it is under way", async () => {
    let release: () => void = () => undefined;
    answer = (response, body) => {
      release = () => echo(response, body);
    };
    const key = { "x-key": `must-${lastKey}` };
    const first = post(0, "/must/b", "x", key);
    await until("it is there", () => seen.length > 0);
    const second = await post(1, "/must/b", "x", key);
    expect([second.status, codeOf(second), second.headers.get("retry-after")]).toEqual([
      409,
      "IDEMPOTENCY_CONFLICT",
      "1",
    ]);
    release();
    expect((await first).status).toBe(201);
  });

  test("what fails gives the key back", async () => {
    answer = (response) => response.writeHead(503).end("no");
    expect((await post(0, "/a/b", "x")).status).toBe(503);
    answer = (response) => response.destroy();
    expect((await post(1, "/a/b", "x")).status).toBe(502);
    answer = (response) => {
      response.writeHead(200, { "content-length": 10 });
      response.write("12345", () => response.destroy());
    };
    await expect(post(0, "/a/b", "x")).rejects.toThrow();
    answer = echo;
    expect(await post(1, "/a/b", "x")).toMatchObject({ status: 201, text: "made x" });
    expect(seen).toHaveLength(4);
  });

  test("what a client is refused for is kept", async () => {
    answer = (response) => response.writeHead(402).end("pay");
    await post(0, "/a/b", "x");
    answer = echo;
    expect(await post(1, "/a/b", "x")).toMatchObject({ status: 402, text: "pay" });
  });

  test("it goes on when its client leaves, who finds the reply later", async () => {
    let release: () => void = () => undefined;
    answer = (response, body) => {
      release = () => echo(response, body);
    };
    const headers = { "idempotency-key": `key-${lastKey}`, "content-length": 1 };
    const leaving = request(`${fronts[0].url}/a/b`, { method: "POST", headers });
    leaving.on("error", () => undefined);
    leaving.end("x");
    await until("it is there", () => seen.length > 0);
    leaving.destroy();
    await new Promise((resolve) => leaving.on("close", resolve));
    const again = post(1, "/a/b", "x");
    release();
    expect(await again).toMatchObject({ status: 201, text: "made x" });
    expect(seen).toHaveLength(1);
  });

  test("bodies and replies up to the limits, and above", async () => {
    expect((await post(0, "/a/b", "x".repeat(1_024))).status).toBe(201);
    lastKey++;
    expect((await post(0, "/a/b", "x".repeat(1_025))).status).toBe(413);
    lastKey++;
    answer = (response) => response.end("y".repeat(1_024));
    await post(0, "/a/b", "x");
    expect((await post(1, "/a/b", "x")).text).toHaveLength(1_024);
    lastKey++;
    answer = (response) => response.end("y".repeat(1_025));
    expect((await post(0, "/a/b", "x")).text).toHaveLength(1_025);
    const cut = await post(1, "/a/b", "x");
    expect([cut.status, codeOf(cut)]).toEqual([409, "IDEMPOTENCY_CONFLICT"]);
  });

  test("keys end: of replies after ttl, of requests under way after lock", async () => {
    let release: () => void = () => undefined;
    answer = (response, body) => {
      release = () => echo(response, body);
    };
    const stuck = post(0, "/brief/b", "x");
    await until("it is there", () => seen.length === 1);
    answer = echo;
    // Waits until the claim is over.
    expect((await post(1, "/brief/b", "x")).headers.has("idempotent-replayed")).toBe(false);
    release();
    await stuck;
    await until(
      "the reply is over",
      async () => !(await post(1, "/brief/b", "x")).headers.has("idempotent-replayed"),
    );
  });
});
