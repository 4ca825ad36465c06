// Endpoints that call each other: what crosses, who pays, and where it ends.

import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";

const CALLER = `
const cases = {
  text: (env) => env.NEXT.fetch("http://next.test/echo?q=1", { headers: { "x-sent": "yes" } }),
  pass: (env, request) => env.NEXT.fetch(request),
  upload: (env, request) => env.NEXT.fetch("http://next.test/upper", { method: "POST", body: request.body, duplex: "half" }),
  async json(env) {
    const response = await env.NEXT.fetch("http://next.test/json", { method: "POST", body: JSON.stringify({ a: 1 }) });
    return Response.json({ status: response.status, body: await response.json(), id: response.headers.get("x-request-id") !== null });
  },
  async failingUpload(env) {
    const body = new ReadableStream({
      start(controller) { controller.enqueue(new Uint8Array([91])); },
      pull: () => Promise.reject(new RangeError("no more")),
    });
    const error = await env.NEXT.fetch("http://next.test/json", { method: "POST", body, duplex: "half" }).catch((error) => error);
    return Response.json([error.name, error.code, error.message, String(error.cause)]);
  },
  fails: (env) => env.NEXT.fetch("http://next.test/throws"),
  async broken(env) {
    const response = await env.NEXT.fetch("http://next.test/breaks");
    return response.text().then(() => new Response("whole"), (error) => new Response("broken: " + error.name));
  },
  gzip: (env) => env.NEXT.fetch("http://next.test/coded"),
  async aborts(env) {
    const controller = new AbortController();
    const call = env.NEXT.fetch("http://next.test/slow", { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    return call.then(async (r) => new Response("came " + r.status + await r.text()), (error) => new Response(error.name));
  },
  async missing(env) {
    const { status } = await env.GONE.fetch("http://gone.test/");
    return new Response(String(status));
  },
  cordoned: (env) => env.APART.fetch("http://apart.test/echo"),
  async routed() {
    const response = await fetch("http://own.test/echo");
    const missing = await fetch("http://own.test:9/echo").catch((error) => error.code);
    return Response.json([await response.json(), missing]);
  },
  around: () => fetch("http://around.test/caller/around").catch((error) => new Response(error.code + "", { status: 508 })),
  async circle(env) {
    return env.SELF.fetch("http://self.test/caller/circle").catch((error) => new Response(error.code + "", { status: 508 }));
  },
  hidden: (env) => Response.json([Object.keys(env.NEXT), String(env.NEXT), typeof env.NEXT.binding]),
};
export default {
  fetch: (request, env) => cases[new URL(request.url).pathname.split("/")[2]](env, request),
};`;

const NEXT = `
const cases = {
  echo: (request) => Response.json({ url: request.url, method: request.method, sent: request.headers.get("x-sent"), host: request.headers.get("host") }),
  async upper(request) {
    return new Response(request.body.pipeThrough(new TransformStream({
      transform(chunk, controller) { controller.enqueue(chunk.map((byte) => byte - 32)); },
    })));
  },
  json: async (request) => Response.json(await request.json(), { status: 201 }),
  throws() { throw new Error("a secret"); },
  breaks: () => new Response(new ReadableStream({
    start(controller) { controller.enqueue(new Uint8Array([65])); setTimeout(() => controller.error(new Error("no")), 10); },
  })),
  coded: () => new Response("not really gzip", { headers: { "content-encoding": "gzip" } }),
  slow: (request) => new Promise((resolve) => {
    setTimeout(resolve, 20_000);
    request.signal.addEventListener("abort", () => { gone++; resolve(new Response("")); });
  }),
  gone: () => new Response(String(gone)),
  pass: (request) => new Response("passed " + request.url),
};
let gone = 0;
export default { fetch: (request) => cases[new URL(request.url).pathname.split("/").at(-1)](request) };`;

let node: TestNode;

beforeAll(async () => {
  node = await startNode({ workers: 1 });
  await node.publish("next", NEXT);
  await node.publish("gone", NEXT);
  await node.publish("apart", NEXT, { isolation: "dedicated" });
  await node.publish("caller", CALLER, {
    routes: [
      { host: "*", path: "/caller/*", methods: [] },
      { host: "around.test", path: "/*", methods: [] },
    ],
    bindings: [
      { kind: "endpoint", name: "NEXT", endpoint: "next" },
      { kind: "endpoint", name: "GONE", endpoint: "gone" },
      { kind: "endpoint", name: "APART", endpoint: "apart" },
      { kind: "endpoint", name: "SELF", endpoint: "caller" },
    ],
  });
  await node.publish("own", NEXT, { routes: [{ host: "own.test", path: "/*", methods: [] }] });
  await node.api("DELETE", "/api/endpoints/gone");
});

afterAll(() => node.stop());

const ask = async (path: string, init?: RequestInit): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${node.port}/caller/${path}`, init ?? {});
  return [response.status, await response.text()];
};

test("a bound endpoint answers as the address says, whatever host that names", async () => {
  const [status, text] = await ask("text");
  expect(status).toBe(200);
  expect(JSON.parse(text)).toEqual({
    url: "http://next.test/echo?q=1",
    method: "GET",
    sent: "yes",
    host: "next.test",
  });
  expect((await ask("pass"))[1]).toMatch(/^passed http:\/\/127\.0\.0\.1:\d+\/caller\/pass$/);
});

test("bodies cross both ways, whole and streamed", async () => {
  expect((await ask("json"))[1]).toBe('{"status":201,"body":{"a":1},"id":true}');
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < 20; at++) controller.enqueue(Buffer.from("a".repeat(50_000)));
      controller.close();
    },
  });
  const [status, text] = await ask("upload", {
    method: "POST",
    body,
    duplex: "half",
  } as RequestInit);
  expect(status).toBe(200);
  expect(text).toBe("A".repeat(1_000_000));
});

test("a fetch whose body fails tells what its stream failed with", async () => {
  const [, text] = await ask("failingUpload");
  const message = "The stream of the request's body failed.";
  expect(JSON.parse(text)).toEqual(["TypeError", "FETCH_FAILED", message, "RangeError: no more"]);
});

test("what the callee throws is its 500, and nothing of it crosses", async () => {
  const [status, text] = await ask("fails");
  expect(status).toBe(500);
  expect(text).not.toContain("a secret");
});

test("a reply that breaks off is broken for the caller too", async () => {
  expect((await ask("broken"))[1]).toBe("broken: TypeError");
});

test("a coding that the callee names is left to the client", async () => {
  const address = `http://127.0.0.1:${node.port}/caller/gzip`;
  const { headers } = await fetch(address, { method: "HEAD" });
  expect(headers.get("content-encoding")).toBe("gzip");
});

test("a caller that aborts is to the callee as a client that goes away", async () => {
  expect((await ask("aborts"))[1]).toBe("AbortError");
  const response = await fetch(`http://127.0.0.1:${node.port}/next/gone`);
  expect(await response.text()).toBe("1");
});

test("an endpoint that was deleted answers 503, one in a process of its own like every other", async () => {
  expect((await ask("missing"))[1]).toBe("503");
  expect((await ask("cordoned"))[0]).toBe(200);
});

test("endpoints that call each other in a circle end in LOOP_DETECTED", async () => {
  expect(await ask("circle")).toEqual([508, "LOOP_DETECTED"]);
});

test("an address under a host of the node's own is answered without a network", async () => {
  const [answer, other] = JSON.parse((await ask("routed"))[1]) as [{ url: string }, string];
  expect(answer.url).toBe("http://own.test/echo");
  expect(other).toBe("FETCH_FAILED");
});

test("an endpoint that fetches itself ends in LOOP_DETECTED too", async () => {
  expect(await ask("around")).toEqual([508, "LOOP_DETECTED"]);
});

test("a binding shows nothing of what it is made of", async () => {
  expect((await ask("hidden"))[1]).toBe('[[],"[object Fetcher]","undefined"]');
});
