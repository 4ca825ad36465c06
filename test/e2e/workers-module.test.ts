// Code written for Workers that imports `cloudflare:workers`: the environment at top level, classes as handlers,
// work behind the reply, and lines of the log with fields.

import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { until } from "../waiting.ts";

let node: TestNode;

beforeAll(async () => {
  node = await startNode();
});

afterAll(() => node.stop());

test("env is importable, at top level too, and never part of a snapshot", async () => {
  const source = `
    import { env } from "cloudflare:workers";
    const greeting = env.GREETING + ", " + typeof env.STORE.get;
    export default { fetch: (_, given) => Response.json({
      greeting, same: env.STORE === given.STORE, has: "GREETING" in env, keys: Object.keys(env) }) };`;
  const bindings = [{ kind: "kv", name: "STORE" }] as const;
  const first = await node.publish("top-env", source, { vars: { GREETING: "hello" }, bindings });
  expect(first.start).toBe("platform");
  const body: unknown = JSON.parse((await node.get("/top-env")).text);
  expect(body).toEqual({
    greeting: "hello, function",
    same: true,
    has: true,
    keys: ["GREETING", "STORE"],
  });
  await node.publish("top-env", source, { vars: { GREETING: "bye" }, bindings });
  expect((await node.get("/top-env")).text).toContain("bye, function");
});

test("env that only handlers look at does not make a module run anew for it", async () => {
  const source = `
    import { env } from "cloudflare:workers";
    export default { fetch: () => new Response(env.NAME) };`;
  const { start } = await node.publish("late-env", source, { vars: { NAME: "late" } });
  expect(start).not.toBe("platform");
  expect((await node.get("/late-env")).text).toBe("late");
});

test("a service that is called at top level refuses the publish", async () => {
  const source = `
    import { env } from "cloudflare:workers";
    await env.STORE.get("a");
    export default { fetch: () => new Response("") };`;
  const bindings = [{ kind: "kv", name: "STORE" }] as const;
  await expect(node.publish("top-call", source, { bindings })).rejects.toThrow("not at top level");
});

test("a class that extends WorkerEntrypoint handles requests, with env and ctx of its own", async () => {
  const source = `
    import { WorkerEntrypoint } from "cloudflare:workers";
    export default class extends WorkerEntrypoint {
      fetch(request) { return Response.json([this.env.NAME, this.ctx.requestId, new URL(request.url).pathname]); }
    }`;
  await node.publish("classes", source, { vars: { NAME: "a" } });
  const { text, headers } = await node.get("/classes");
  expect(JSON.parse(text)).toEqual(["a", headers.get("x-request-id"), "/classes"]);
});

test("classes that this platform lacks can be extended, not made", async () => {
  const source = `
    import { DurableObject, RpcTarget } from "cloudflare:workers";
    export class Room extends DurableObject {}
    export default { fetch() {
      try { new Room(); } catch (error) { return new Response(typeof new RpcTarget() + error.message); }
    } };`;
  await node.publish("rooms", source);
  expect((await node.get("/rooms")).text).toBe("objectDurableObject does not exist here.");
});

test.each(["shared", "dedicated"] as const)(
  "a named export answers whom a binding leads to it, and nobody else (%s)",
  async (isolation) => {
    const callee = `
      import { WorkerEntrypoint } from "cloudflare:workers";
      export default { fetch: (request) => new Response("default " + request.headers.get("islet-entrypoint")) };
      export const plain = { fetch: async (request) => new Response("plain " + await request.text()) };
      export class Api extends WorkerEntrypoint {
        fetch(request) { return new Response(["class", this.env.NAME, request.method].join(" ")); }
      }`;
    await node.publish("callee", callee, { vars: { NAME: "env" }, isolation });
    const bind = (name: string, entrypoint?: string) =>
      ({
        kind: "endpoint",
        name,
        endpoint: "callee",
        ...(entrypoint === undefined ? {} : { entrypoint }),
      }) as const;
    const bindings = [bind("DEFAULT"), bind("PLAIN", "plain"), bind("API", "Api")];
    const caller = `export default { async fetch(_, env) {
      const ask = async (binding, init) => {
        const { status, ok, text } = await binding.fetch("http://a/", init).then(async (r) => ({ status: r.status, ok: r.ok, text: await r.text() }));
        return ok ? text : status;
      };
      return Response.json(await Promise.all([ask(env.DEFAULT), ask(env.API),
        ask(env.PLAIN, { method: "POST", body: "text" }), ask(env.GONE), ask(env.PROTO)]));
    } };`;
    const all = [...bindings, bind("GONE", "gone"), bind("PROTO", "constructor")];
    await node.publish("caller", caller, { bindings: all });
    const expected = ["default null", "class env GET", "plain text", 500, 500];
    expect(JSON.parse((await node.get("/caller")).text)).toEqual(expected);
    const headers = { "islet-entrypoint": "Api", "x-entrypoint": "Api" };
    expect((await node.get("/callee", { headers })).text).toBe("default Api");
  },
);

test("ctx.exports asks what the module exports, with props and within the same request", async () => {
  const source = `
    import { WorkerEntrypoint, exports, tracing, withEnv, env } from "cloudflare:workers";
    export class Api extends WorkerEntrypoint {
      async fetch(request) {
        const { props, requestId } = this.ctx;
        return Response.json([request.method, await request.text(), props, requestId, this.env.NAME]);
      }
    }
    export const wrong = { fetch: () => 1 };
    let top = "";
    try { exports.Api; } catch (error) { top = error.name; }
    export default { async fetch(request, _, ctx) {
      if (new URL(request.url).pathname === "/inner") return new Response("inner");
      const init = { method: "POST", body: "text" };
      const ask = async (binding) => (await binding.fetch("http://a/", init)).json();
      return Response.json([ctx.requestId, top, Object.keys(ctx.exports).sort(),
        await ask(ctx.exports.Api), await ask(ctx.exports.Api({ props: { a: 1 } })), await ask(exports.Api),
        await (await ctx.exports.default.fetch("http://a/inner")).text(),
        await ctx.exports.wrong.fetch("http://a/").catch((error) => error.name),
        ctx.tracing.enterSpan("s", (span, a, b) => [span.isTraced, a, b, tracing === ctx.tracing], 1, 2),
        withEnv({ NAME: "other" }, () => env.NAME), env.NAME]);
    } };`;
  await node.publish("own", source, { vars: { NAME: "n" } });
  const { text } = await node.get("/own");
  const [id, ...rest] = JSON.parse(text) as [string, ...unknown[]];
  expect(rest).toEqual([
    "TypeError",
    ["Api", "default", "wrong"],
    ["POST", "text", {}, id, "n"],
    ["POST", "text", { a: 1 }, id, "n"],
    ["POST", "text", {}, id, "n"],
    "inner",
    "TypeError",
    [false, 1, 2, true],
    "other",
    "n",
  ]);
});

test("ctx.abort ends a request as an exception does, and breaks off a reply that goes on", async () => {
  const source = `export default { async fetch(request, _, ctx) {
    if (new URL(request.url).searchParams.has("stream")) {
      return new Response(new ReadableStream({
        start(controller) { controller.enqueue(new TextEncoder().encode("begun")); },
        async pull() {
          await new Promise((resolve) => setTimeout(resolve, 20));
          ctx.abort();
          await new Promise(() => undefined);
        },
      }));
    }
    ctx.abort(new RangeError("enough"));
    return new Response(String(ctx.signal.aborted));
  } };`;
  await node.publish("abort", source);
  const { status, text } = await node.get("/abort");
  expect(status).toBe(500);
  expect(text).toContain("HANDLER_EXCEPTION");
  await expect(node.get("/abort?stream")).rejects.toThrow();
  await until("the reason is in the log", () => node.output.includes("RangeError: enough"));
});

test("waitUntil goes on behind the reply, and throws outside of requests", async () => {
  const source = `
    import { waitUntil } from "cloudflare:workers";
    let top = "";
    try { waitUntil(Promise.resolve()); } catch (error) { top = error.name; }
    let done = 0;
    export default { fetch() {
      waitUntil(new Promise((resolve) => setTimeout(() => { done++; resolve(); }, 5)));
      return new Response(top + " " + done);
    } };`;
  await node.publish("later", source);
  expect((await node.get("/later")).text).toBe("TypeError 0");
  await until("the work is done", async () => (await node.get("/later")).text !== "TypeError 0");
});

test("ctx.log writes a line with its level, fields and the request's id", async () => {
  const source = `export default { fetch(_, env, ctx) {
    ctx.log.warn("paid", { order: 7, of: { a: [1] } });
    ctx.log.info({ plain: true });
    ctx.log.error("odd", { toJSON() { throw new Error("no"); } });
    const circle = {}; circle.circle = circle;
    ctx.log.debug("round", circle);
    ctx.log.info("long", { text: "x".repeat(5000) });
    return Response.json(ctx.props);
  } };`;
  await node.publish("lines", source);
  const { headers, text } = await node.get("/lines");
  expect(text).toBe("{}");
  const request = headers.get("x-request-id") ?? "";
  await until("the last line is there", () => node.output.includes('"message":"long"'));
  const lines = node.output
    .split("\n")
    .filter((line) => line.includes(request) && line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const dropped = { dropped: "fields that are too long, or no JSON" };
  expect(lines.map(({ level, message, fields }) => [level, message, fields])).toEqual([
    ["warn", "paid", { order: 7, of: { a: [1] } }],
    ["info", "{ plain: true }", undefined],
    ["error", "odd", dropped],
    ["debug", "round", dropped],
    ["info", "long", dropped],
  ]);
});
