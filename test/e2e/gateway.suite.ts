// What a client of the gateway port sees, from route to outcome; the same over both listeners. One node answers
// all of it, with one handler whose paths are the cases.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { infoOf, type Code } from "../../sdk/errors.ts";
import { LIMITS, URL_BYTES_MAX } from "../../sdk/limits.ts";
import type { ListenerKind } from "../../sdk/serve.ts";
import { listener as openListener, type Heard } from "../fault/listener.ts";
import { RawClient } from "../http/raw-client.ts";
import { startNode, type Answer, type TestNode } from "../node.ts";
import { until } from "../waiting.ts";

const BINARY_BYTES = 5 * 1024 * 1024;
/** What the slow reader is offered; far more than any buffer on the way should hold. */
const OFFERED_CHUNKS = 2_000;
const CHUNK_BYTES = 64 * 1024;
const BUFFERED_BYTES_MAX = 48 * 1024 * 1024;

const HANDLER = `
let aborted = 0;
const never = () => new Promise(() => {});
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cases = {
  echo: (request) => new Response(request.body, { headers: { "content-type": "application/octet-stream" } }),
  cookies() {
    const headers = new Headers();
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2; HttpOnly");
    return new Response("set", { headers });
  },
  env: (request, env) => Response.json(env),
  async timers() {
    const begun = Date.now();
    await wait(50);
    return new Response(String(Date.now() - begun));
  },
  throws() { throw new TypeError("a secret in the message"); },
  string: () => "no response",
  spin() { for (;;); },
  memory() { const all = []; for (;;) all.push(new Array(100000).fill(all.length)); },
  never,
  async slow(request) {
    request.signal.addEventListener("abort", () => aborted++);
    await wait(5000);
    return new Response("late");
  },
  aborted: () => new Response(String(aborted)),
  async fetch(request, env) {
    try {
      const answer = await fetch(new URL(request.url).searchParams.get("url"));
      return new Response("got " + (await answer.text()));
    } catch (error) {
      return new Response("failed: " + error, { status: 502 });
    }
  },
};
export default {
  fetch(request, env, ctx) {
    const name = new URL(request.url).pathname.split("/")[2];
    return cases[name](request, env, ctx);
  },
};`;

const SINGLE = `export default {
  fetch: (request) => new Response(request.url.endsWith("/ends") ? "ended" : new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1)); } })),
};`;

const FLOOD = `export default {
  fetch() {
    let left = ${OFFERED_CHUNKS};
    return new Response(new ReadableStream({
      pull(controller) {
        if (left-- === 0) controller.close();
        else controller.enqueue(new Uint8Array(${CHUNK_BYTES}));
      },
    }));
  },
};`;

export function gatewaySuite(kind: ListenerKind): void {
  describe(`a node on the ${kind} listener`, () => {
    let node: TestNode;
    let heard: Heard;

    beforeAll(async () => {
      heard = await openListener();
      node = await startNode({ workers: 1, args: ["--listener", kind, "--allow-private-egress"] });
      await node.publish("all", HANDLER, {
        vars: { WORD: "spoken", DEEP: { list: [1, 2] } },
        limits: { wallMs: 1_500, memoryMb: 32 },
      });
      await node.publish("single", SINGLE, { limits: { concurrency: 1, queue: 0 } });
      await node.publish("flood", FLOOD, { limits: { cpuMs: 10_000 } });
      await node.publish("only", "export default { fetch: () => new Response('only') };", {
        routes: [
          { host: "*", path: "/only/:id", methods: ["GET", "PUT"] },
          { host: "api.example.com", path: "/*", methods: [] },
        ],
      });
    });
    afterAll(async () => {
      await heard[Symbol.asyncDispose]();
      await node.stop();
    });

    function expectProblem(answer: Answer, code: Code): void {
      expect(answer.status).toBe(infoOf(code).status);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      const problem: unknown = JSON.parse(answer.text);
      const requestId = answer.headers.get("x-request-id");
      expect(problem).toMatchObject({ code, status: answer.status, requestId });
      expect(requestId).not.toBe("");
    }

    test("finds the endpoint by path, host and method; HEAD goes where GET goes", async () => {
      expect((await node.get("/only/7")).text).toBe("only");
      const head = await node.get("/only/7", { method: "HEAD" });
      expect([head.status, head.text]).toEqual([200, ""]);
      expect(await rawGet(node.port, "/anything", "api.example.com")).toContain("only");
      expectProblem(await node.get("/only/7/8"), "NO_ROUTE");
      const denied = await node.get("/only/7", { method: "POST", body: "x" });
      expectProblem(denied, "METHOD_NOT_ALLOWED");
      expect(denied.headers.get("allow")?.split(", ").toSorted()).toEqual(["GET", "HEAD", "PUT"]);
    });

    test("refuses what is more than an isolate may have open with OVERLOADED, to be tried again", async () => {
      const stop = new AbortController();
      const url = `http://127.0.0.1:${node.port}/single`;
      const open = await fetch(url, { signal: stop.signal });
      const refused = await node.get("/single");
      expectProblem(refused, "OVERLOADED");
      expect(refused.headers.get("retry-after")).toBe("1");
      stop.abort();
      await open.text().catch(() => undefined);
      await until(
        "the isolate has room again",
        async () => (await node.get("/single/ends")).status === 200,
      );
    });

    test("answers /health as long as no endpoint does", async () => {
      expect(await node.get("/health")).toMatchObject({ status: 200, text: "OK" });
    });

    test("refuses what is too large: BODY_TOO_LARGE, URI_TOO_LONG", async () => {
      // Refused by its head alone, so nothing of it is sent.
      const length = LIMITS.bodyBytes.default + 1;
      const client = new RawClient(node.port);
      client.send(`POST /all/echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
      const refused = await client.reply();
      expect(refused.status).toBe(413);
      expect(refused.body.toString()).toContain("BODY_TOO_LARGE");
      client.close();
      expectProblem(await node.get(`/all/${"a".repeat(URL_BYTES_MAX)}`), "URI_TOO_LONG");
    });

    test("refuses more headers than the limit with 431", async () => {
      const client = new RawClient(node.port);
      client.send(`GET /all/env HTTP/1.1\r\nHost: a\r\nX-Large: ${"a".repeat(70_000)}\r\n\r\n`);
      expect(await client.rest()).toMatch(/^HTTP\/1\.1 431 /);
    });

    test("carries 5 MB of any bytes through a handler and back", async () => {
      const body = randomBytes(BINARY_BYTES);
      const answer = await fetch(`${node.url}/all/echo`, { method: "POST", body });
      const bytes = Buffer.from(await answer.arrayBuffer());
      expect(bytes.length).toBe(BINARY_BYTES);
      const hashOf = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
      expect(hashOf(bytes)).toBe(hashOf(body));
    });

    test("keeps several Set-Cookie apart", async () => {
      const { headers } = await node.get("/all/cookies");
      expect(headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2; HttpOnly"]);
    });

    test("gives a handler its variables, and timers that wait", async () => {
      const { text } = await node.get("/all/env");
      expect(JSON.parse(text)).toEqual({ WORD: "spoken", DEEP: { list: [1, 2] } });
      expect(Number((await node.get("/all/timers")).text)).toBeGreaterThanOrEqual(49);
    });

    test("says HANDLER_EXCEPTION without what was thrown, and logs that", async () => {
      const answer = await node.get("/all/throws");
      expectProblem(answer, "HANDLER_EXCEPTION");
      expect(answer.text).not.toContain("secret");
      await until("the log has it", () => node.output.includes("a secret in the message"));
    });

    test("says HANDLER_BAD_RESPONSE when something else is returned", async () => {
      expectProblem(await node.get("/all/string"), "HANDLER_BAD_RESPONSE");
    });

    test("says NO_RESPONSE when nothing can ever be returned", async () => {
      expectProblem(await node.get("/all/never"), "NO_RESPONSE");
    });

    test("says HANDLER_TIMEOUT when nothing is returned in time", async () => {
      expectProblem(await node.get("/all/slow"), "HANDLER_TIMEOUT");
    });

    test("cuts a handler that spins or fills its memory, and answers the next request", async () => {
      const spun = await node.get("/all/spin");
      // On a busy machine its time may be over before it has used up its CPU time.
      const code = (["OVERLOADED", "HANDLER_TIMEOUT"] as const).find((one) =>
        spun.text.includes(one),
      );
      expectProblem(spun, code ?? "CPU_LIMIT");
      expect((await node.get("/all/timers")).status).toBe(200);
      const bomb = await node.get("/all/memory");
      expect(bomb.text).toMatch(/"code":"(MEMORY_LIMIT|CPU_LIMIT|OVERLOADED|HANDLER_TIMEOUT)"/);
      await until("it answers again", async () => (await node.get("/all/timers")).status === 200);
      expect((await node.get("/only/1")).text).toBe("only");
    });

    test("tells the handler when its client goes away", async () => {
      const before = Number((await node.get("/all/aborted")).text);
      const gone = new AbortController();
      const cut = fetch(`${node.url}/all/slow`, { signal: gone.signal }).catch(String);
      await until("it runs", async () => {
        const { data } = await node.api("GET", "/api/stats");
        return Number(Reflect.get(Object(data), "active_requests")) > 0;
      });
      gone.abort();
      expect(await cut).toContain("AbortError");
      await until("it was told", async () => {
        return Number((await node.get("/all/aborted")).text) === before + 1;
      });
    });

    test("lets a handler fetch private addresses only where the operator allows it", async () => {
      const url = `/all/fetch?url=http://127.0.0.1:${heard.port}/asked`;
      expect(await node.get(url)).toMatchObject({ status: 200, text: "got heard" });
      expect(heard.paths).toContain("/asked");
    });

    test("holds a stream back while its client does not read", async () => {
      const [worker = 0] = await node.serving();
      const before = await rssOf(node, worker);
      const socket = connect(node.port, "127.0.0.1");
      socket.write("GET /flood HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      await once(socket, "readable");
      socket.pause();
      // Time for whatever would be buffered: a free stream is through in about that.
      for (let at = 0; at < 10; at++) await node.get("/all/timers");
      expect((await rssOf(node, worker)) - before).toBeLessThan(BUFFERED_BYTES_MAX);
      let bytes = 0;
      socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
      socket.resume();
      await once(socket, "close");
      expect(bytes).toBeGreaterThan(OFFERED_CHUNKS * CHUNK_BYTES);
    });

    test("says STOPPED and NOT_DEPLOYED for endpoints that cannot answer", async () => {
      await node.api("POST", "/api/endpoints", { name: "empty", path: "/empty" });
      expectProblem(await node.get("/empty"), "NOT_DEPLOYED");
      await node.api("POST", "/api/endpoints/only/stop");
      expectProblem(await node.get("/only/1"), "STOPPED");
      await node.api("POST", "/api/endpoints/only/start");
      expect((await node.get("/only/1")).text).toBe("only");
      await node.api("DELETE", "/api/endpoints/empty");
      expectProblem(await node.get("/empty"), "NO_ROUTE");
    });
  });
}

async function rawGet(port: number, path: string, host: string): Promise<string> {
  const client = new RawClient(port);
  client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  return client.rest();
}

async function rssOf(node: TestNode, pid: number): Promise<number> {
  const { data } = await node.api("GET", "/api/stats");
  const { workers } = data as { workers: { pid: number; rssBytes: number }[] };
  return workers.find((worker) => worker.pid === pid)?.rssBytes ?? 0;
}
