// `caches` in real isolates, over the bridge, on the embedded cache.

import { afterAll, beforeAll, expect, test } from "vitest";
import { createServiceCalls } from "../../runtime/isolate/services/service-calls.ts";
import { createCachePort } from "../../services/cache/port.ts";
import { openWorkshop, type Opened, type Workshop } from "../isolate/instances.ts";
import { until } from "../waiting.ts";
import { createCacheStage, type CacheStage } from "./cache-stage.ts";

let workshop: Workshop;
let stage: CacheStage;
beforeAll(async () => {
  workshop = await openWorkshop();
  stage = createCacheStage(1);
});
afterAll(async () => {
  workshop.close();
  await stage[Symbol.asyncDispose]();
});

/** `body`: of the handler's fetch. */
function open(body: string, top = ""): Opened {
  const [actor] = stage.actors;
  if (actor === undefined) throw new Error("no worker");
  const source = `${top}
    const cache = caches.default;
    const url = "https://x.test/" + (globalThis.name ?? "page");
    const codeOf = (work) => work.then(() => "fine", (error) => error.message);
    const large = (fails = false) => {
      let left = 5;
      return new ReadableStream({
        pull(controller) {
          if (left-- > 0) controller.enqueue(new Uint8Array(50_000).fill(65));
          else if (fails) controller.error(new RangeError("the author's own"));
          else controller.close();
        },
        cancel(reason) { globalThis.cancelled = reason; },
      });
    };
    export default { async fetch(request, env, ctx) { ${body} } };`;
  return workshop.open({
    source,
    services: () => [
      createServiceCalls({
        ports: new Map([
          [
            "",
            createCachePort({ actor, scope: "shop", caller: "shop", now: () => stage.clock.ms }),
          ],
        ]),
        callsMax: 1_000,
      }),
    ],
  });
}

async function answerOf(body: string, top = ""): Promise<unknown> {
  const opened = open(`return Response.json(await (async () => { ${body} })());`, top);
  const answer: unknown = JSON.parse(await opened.text());
  opened.generation.abandon();
  return answer;
}

test("a body that breaks off rejects put with what the author threw, and is not stored", async () => {
  const answer = await answerOf(`
    const put = await codeOf(cache.put(url + 1, new Response(large(true))));
    return [put, await cache.match(url + 1) === undefined];`);
  expect(answer).toEqual(["the author's own", true]);
});

test("the source of a response that must not be stored is cancelled", async () => {
  const answer = await answerOf(`
    const headers = { "cache-control": "no-store" };
    const put = await codeOf(cache.put(url + 2, new Response(large(), { headers })));
    return [put, await cache.match(url + 2) === undefined, globalThis.cancelled?.name];`);
  expect(answer).toEqual(["fine", true, "AbortError"]);
});

test("a response that put refuses can still be the reply", async () => {
  const answer = await answerOf(`
    const kept = [];
    for (const init of [{ status: 206 }, { headers: { vary: "a, *" } }]) {
      const response = new Response("kept", init);
      kept.push((await codeOf(cache.put(url, response))).slice(0, 12), await response.text());
    }
    const post = new Response("kept");
    kept.push((await codeOf(cache.put(new Request(url, { method: "POST" }), post))).slice(0, 12));
    kept.push(await post.text(), await codeOf(cache.put(url, "no response")));
    kept.push(await codeOf(cache.put(url, Response.error())));
    return kept;`);
  const refused = ["Cannot cache", "kept"];
  expect(answer).toEqual([
    ...refused,
    ...refused,
    ...refused,
    "put takes a request and a response.",
    "Cannot cache a WebSocket, or an error that is none of HTTP.",
  ]);
});

test("a stored response without a body has none when it is found", async () => {
  const answer = await answerOf(`
    const headers = { "cache-control": "max-age=9", "x-a": "b" };
    await cache.put(url + 3, new Response(null, { status: 204, headers }));
    const found = await cache.match(url + 3);
    const again = new Response(found.body, found);
    return [found.status, found.body, again.headers.get("x-a")];`);
  expect(answer).toEqual([204, null, "b"]);
});

test("a clone is stored while the reply streams, and the next reply is what was stored", async () => {
  const opened = open(`
    const found = await cache.match(request);
    if (found !== undefined) return found;
    const response = new Response(large(), { headers: { "content-type": "text/plain" } });
    ctx.waitUntil(cache.put(request, response.clone()).then(() => console.log("stored")));
    return response;`);
  const first = opened.send("/large");
  expect(await first.text()).toBe("A".repeat(250_000));
  await until("it was stored", () => first.logs.join().includes("stored"));
  const second = opened.send("/large");
  expect(await second.text()).toBe("A".repeat(250_000));
  expect(second.exchange.replied).toContain("\ncf-cache-status\nHIT\n");
  expect(second.exchange.replied).toContain("content-type\ntext/plain\n");
  opened.generation.abandon();
});

test("a found body that nobody reads on is given back", async () => {
  const answer = await answerOf(`
    await cache.put(url + 4, new Response(large()));
    for (let time = 0; time < 100; time++) {
      const found = await cache.match(url + 4);
      if (time % 2 === 0) await found.body.cancel();
      else { const reader = found.body.getReader(); await reader.read(); await reader.cancel(); }
    }
    return (await (await cache.match(url + 4)).arrayBuffer()).byteLength;`);
  expect(answer).toBe(250_000);
});

test("patched prototypes change nothing of what is stored and found", async () => {
  const patches = `
    const fail = () => { throw new Error("patched"); };
    const patch = () => {
      Array.prototype[Symbol.iterator] = RegExp.prototype.exec = RegExp.prototype.test = fail;
      Array.prototype.push = Promise.prototype.then = fail;
      Object.defineProperty(Response.prototype, "status", { get: fail });
      Object.defineProperty(Request.prototype, "method", { get: fail });
    };`;
  const opened = open(
    `const [stored, asked] = [new Response("stored"), new Request("https://x.test/patched")];
     patch();
     await cache.put(asked, stored);
     return await cache.match(asked);`,
    patches,
  );
  expect(await opened.text()).toBe("stored");
  opened.generation.abandon();
});

test("a cache is made by nobody but the platform", async () => {
  const answer = await answerOf(`
    const made = (work) => { try { work(); return "made"; } catch (error) { return error.message; } };
    const forged = Object.create(Cache.prototype);
    return [made(() => new Cache()), made(() => new CacheStorage()), (await codeOf(forged.match(url))).slice(0, 11),
      Object.keys(caches), String(caches), String(cache), (await caches.open("x")) instanceof Cache,
      await codeOf(cache.match("data:,x")), await codeOf(cache.match("not an address"))];`);
  expect(answer).toEqual([
    "Illegal constructor",
    "Illegal constructor",
    "Cannot read",
    [],
    "[object CacheStorage]",
    "[object Cache]",
    true,
    "A cache stores what has an http or https address.",
    expect.any(String),
  ]);
});
