// The same handlers on both lanes, by every way of starting: replies must not depend on where code ran.

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CallService } from "../../runtime/isolate/call.ts";
import { createCryptoCalls } from "../../runtime/isolate/crypto-calls.ts";
import { EARN_SLICES } from "../../runtime/isolate/slice/lane.ts";
import { CALLS } from "../../sdk/bridge.ts";
import {
  earnInline,
  isInline,
  openWorkshop,
  type Opened,
  type StartKind,
  type Workshop,
} from "./instances.ts";
import type { RequestInput } from "./memory-exchange.ts";

const SOURCE = `
const handlers = {
  ok: () => new Response("ok"),
  text: () => new Response("grüße 😀"),
  json: () => Response.json({ a: [1, "ä"] }, { status: 201 }),
  bytes: () => new Response(new Uint8Array([0, 1, 254, 255])),
  view: () => new Response(new Uint8Array(8).fill(7).subarray(2, 5)),
  empty: () => new Response(null),
  emptyString: () => new Response(""),
  noContent: () => new Response(null, { status: 204 }),
  cookies: () => {
    const headers = new Headers({ "x-a": "1" });
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2");
    return new Response("c", { headers });
  },
  throws: () => { throw new RangeError("no"); },
  throwsString: () => { throw "just text"; },
  throwsNull: () => { throw null; },
  rejects: () => Promise.reject(new Error("later")),
  rejectsUndefined: async () => { throw undefined; },
  nothing: () => undefined,
  plain: () => ({ status: 200 }),
  number: async () => 7,
  used: async () => { const r = new Response("x"); await r.text(); return r; },
  twice: async () => shared ??= new Response("once"),
  echoText: async (request) => new Response(await request.text()),
  echoBytes: async (request) => new Response(await request.arrayBuffer()),
  echoStream: (request) => new Response(request.body),
  echoJson: async (request) => Response.json(await request.json()),
  ignoreBody: () => new Response("ignored"),
  head: (request) => new Response(request.method + " " + request.url + " " + request.headers.get("x-one")),
  stream: () => new Response(new ReadableStream({
    start(controller) {
      for (const part of ["a", "b", "c"]) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  })),
  slowStream: () => {
    let n = 0;
    return new Response(new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (++n > 3) controller.close();
        else controller.enqueue(new Uint8Array([48 + n]));
      },
    }));
  },
  brokenStream: () => new Response(new ReadableStream({
    start(controller) { controller.enqueue(new Uint8Array([65])); },
    pull(controller) { controller.error(new Error("mid-way")); },
  })),
  endless: () => new Response(new ReadableStream({
    pull(controller) { controller.enqueue(new Uint8Array(1024)); },
    cancel(reason) { cancelled = reason; },
  }), { headers: { "content-length": "9" } }),
  cancelled: () => new Response(cancelled),
  timer: async () => { await new Promise((resolve) => setTimeout(resolve, 2)); return new Response("late"); },
  interval: () => new Promise((resolve) => {
    let n = 0;
    const id = setInterval(() => { if (++n === 3) { clearInterval(id); resolve(new Response("3")); } }, 1);
  }),
  background: (request, env, ctx) => {
    ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 2)));
    return new Response("answered");
  },
  rejectedBackground: (request, env, ctx) => {
    ctx.waitUntil(Promise.reject(new Error("unseen")));
    return new Response("fine");
  },
  unhandled: () => { Promise.reject(new Error("alone")); return new Response("ok"); },
  unhandledLater: () => {
    (async () => { await null; throw { not: "an error" }; })();
    return new Response("ok");
  },
  fetches: async () => new Response("got " + await (await fetch("http://b.test/x", { headers: { "x-q": "1" } })).text()),
  fetchFails: async () => {
    try { await fetch("http://b.test/fail"); } catch (error) { return new Response(error.name + " " + error.message); }
  },
  parallel: async () => {
    const all = await Promise.all([1, 2, 3, 4].map((n) => fetch("http://b.test/" + n).then((r) => r.text())));
    return new Response(all.join());
  },
  digest: async () => new Response(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("abc"))),
  environment: (request, env) => Response.json(env),
  thenable: () => ({ then(resolve) { resolve(new Response("thenable")); } }),
  manyTurns: async () => { for (let i = 0; i < 100; i++) await null; return new Response("100"); },
};
let shared, cancelled;
export default {
  fetch(request, env, ctx) {
    return handlers[new URL(request.url).pathname.slice(1)](request, env, ctx);
  },
};
`;

/** Answers every fetch with its own arguments, one turn of the loop later. */
function fakeFetch(): CallService {
  return {
    call(name, call) {
      const answer = (): void => {
        if (name === CALLS.FETCH) {
          const url = call.args.split("\n")[1] ?? "";
          if (url.endsWith("/fail")) call.fail("FETCH_FAILED", "It did not work.");
          else call.ok(`200\nOK\n${url}\n0\n3\ncontent-type\ntext/plain\n`);
        } else call.ok("from the host");
      };
      if (name !== CALLS.FETCH && name !== CALLS.FETCH_TEXT) return false;
      setImmediate(answer);
      return true;
    },
    cancel: () => undefined,
    ownerDone: () => undefined,
    close: () => undefined,
  };
}

const bytes = new Uint8Array(70_000).map((_, index) => index % 251);
const PLAIN = "content-type\ntext/plain;charset=UTF-8\n";

interface Expected {
  readonly outcome?: string;
  readonly status?: number;
  readonly replied?: string;
  readonly text?: string;
  readonly bytes?: readonly number[] | Uint8Array;
  readonly state?: string;
  readonly logs?: readonly string[];
}
const failed = (log: string, outcome = "HANDLER_EXCEPTION"): Expected => ({
  outcome,
  status: 500,
  logs: [log],
});
const badResponse = (what: string): Expected =>
  failed(`error The handler returned ${what}, not a Response.`, "HANDLER_BAD_RESPONSE");

// oxfmt-ignore
const CASES: readonly (readonly [RequestInput & { readonly url: string }, Expected])[] = [
  [{ url: "/ok" }, { text: "ok", replied: PLAIN }],
  [{ url: "/text" }, { text: "grüße 😀" }],
  [{ url: "/json" }, { status: 201, text: '{"a":[1,"ä"]}', replied: "content-type\napplication/json\n" }],
  [{ url: "/bytes" }, { bytes: [0, 1, 254, 255], replied: "" }],
  [{ url: "/view" }, { bytes: [7, 7, 7] }],
  [{ url: "/empty" }, { bytes: [], replied: "" }],
  [{ url: "/emptyString" }, { bytes: [] }],
  [{ url: "/noContent" }, { status: 204, bytes: [] }],
  [{ url: "/cookies" }, { replied: `x-a\n1\nset-cookie\na=1; Path=/\nset-cookie\nb=2\n${PLAIN}` }],
  [{ url: "/throws" }, failed("error RangeError: no")],
  [{ url: "/throwsString" }, failed("error Error: just text")],
  [{ url: "/throwsNull" }, failed("error Error: null")],
  [{ url: "/rejects" }, failed("error Error: later")],
  [{ url: "/rejectsUndefined" }, failed("error Error: undefined")],
  [{ url: "/nothing" }, badResponse("undefined")],
  [{ url: "/plain" }, badResponse("object")],
  [{ url: "/number" }, badResponse("number")],
  [{ url: "/used" }, failed("error TypeError: The body has been used already.")],
  [{ url: "/stream" }, { text: "abc" }],
  [{ url: "/slowStream" }, { text: "123" }],
  [{ url: "/brokenStream" }, { text: "A", state: "gone", logs: ["error The reply's stream failed: mid-way"] }],
  [{ url: "/endless", method: "HEAD" }, { bytes: [], replied: "content-length\n9\n" }],
  [{ url: "/cancelled" }, { text: "AbortError: A HEAD request's reply has no body." }],
  [{ url: "/timer" }, { text: "late" }],
  [{ url: "/interval" }, { text: "3" }],
  [{ url: "/background" }, { text: "answered" }],
  [{ url: "/rejectedBackground" }, { text: "fine" }],
  [{ url: "/unhandled" }, { text: "ok" }],
  [{ url: "/unhandledLater" }, { text: "ok" }],
  [{ url: "/fetches" }, { text: "got from the host" }],
  [{ url: "/fetchFails" }, { text: "TypeError It did not work." }],
  [{ url: "/parallel" }, { text: "from the host,from the host,from the host,from the host" }],
  [{ url: "/digest" }, { bytes: createHash("sha256").update("abc").digest() }],
  [{ url: "/environment" }, { text: '{"NAME":"value","N":{"deep":[1]}}' }],
  [{ url: "/thenable" }, { text: "thenable" }],
  [{ url: "/manyTurns" }, { text: "100" }],
  [{ url: "/head?a=%20b", method: "HEAD", headers: "x-one\n1\nx-two\n2\n" }, { text: "HEAD http://a.test/head?a=%20b 1" }],
  [{ url: "/head", headers: "x-one\n1\nx-one\n2\n" }, { text: "GET http://a.test/head 1, 2" }],
  [{ url: "/echoText", method: "POST", body: "grüße" }, { text: "grüße" }],
  [{ url: "/echoText", method: "POST", body: "" }, { text: "" }],
  [{ url: "/echoText", method: "POST", body: new Uint8Array([0xff, 0xfe, 0x41]) }, { text: "\ufffd\ufffdA" }],
  [{ url: "/echoText", method: "POST", body: "\ufeffbom" }, { bytes: [98, 111, 109] }],
  [{ url: "/echoBytes", method: "POST", body: bytes }, { bytes }],
  [{ url: "/echoBytes", method: "POST", body: "\ufeffb\0n" }, { bytes: [0xef, 0xbb, 0xbf, 98, 0, 110] }],
  [{ url: "/echoStream", method: "PUT", body: bytes }, { bytes }],
  [{ url: "/echoStream", method: "PUT", body: "text" }, { text: "text" }],
  [{ url: "/echoJson", method: "POST", body: '{"a":1}' }, { text: '{"a":1}' }],
  [{ url: "/echoJson", method: "POST", body: "{" }, failed("error SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)")],
  [{ url: "/ignoreBody", method: "POST", body: bytes }, { text: "ignored" }],
];

let workshop: Workshop;
const instances = new Map<string, Opened>();

beforeAll(async () => {
  workshop = await openWorkshop();
  for (const start of STARTS) {
    for (const trust of ["own", "untrusted"] as const) {
      const env = '{"vars":{"NAME":"value","N":{"deep":[1]}}}';
      const services = () => [fakeFetch(), createCryptoCalls()];
      const opened = workshop.open({ source: SOURCE, start, trust, env, services });
      if (trust === "own") await earnInline(opened);
      instances.set(`${start} ${trust}`, opened);
    }
  }
});
afterAll(() => workshop.close());

const STARTS = ["full", "platform", "bare", "module"] as const satisfies StartKind[];
const PLACES = STARTS.flatMap((start) => [`${start} own`, `${start} untrusted`]);

describe.each(PLACES)("a %s instance", (place) => {
  test.each(CASES.map(([input, expected], n) => ({ n, input, expected, url: input.url })))(
    "answers $url ($n)",
    async ({ input, expected }) => {
      const opened = instances.get(place);
      if (opened === undefined) throw new Error(place);
      const sent = opened.send({ ...input, requestId: "same" });
      const { outcome = "ok", status = 200, state = "done", logs = [], replied, text } = expected;
      expect(await sent.ended()).toBe(outcome);
      const { exchange } = sent;
      expect(exchange).toMatchObject({ status, state });
      // A stack follows the first line; what background work logs comes after the reply.
      const first = sent.logs.filter((line) => !/waitUntil|Unhandled/.test(line));
      expect(first.map((line) => line.split("\n")[0])).toEqual(logs);
      if (replied !== undefined) expect(exchange.replied).toBe(replied);
      if (text !== undefined) expect(exchange.text).toBe(text);
      if (expected.bytes !== undefined) expect([...exchange.body]).toEqual([...expected.bytes]);
      expect(sent.decisions).toBeLessThanOrEqual(state === "gone" ? 2 : 1);
    },
  );

  test("runs where its trust allows", async () => {
    const opened = instances.get(place);
    if (opened === undefined) throw new Error(place);
    if (place.endsWith("own")) await earnInline(opened);
    else for (let i = 0; i < 2 * EARN_SLICES; i++) expect(await isInline(opened)).toBe(false);
  });

  test("tells in its log of a promise that was rejected and not handled", async () => {
    const opened = instances.get(place);
    if (opened === undefined) throw new Error(place);
    if (!(await isInline(opened))) return;
    const sent = opened.send({ url: "/unhandled" });
    await sent.ended();
    expect(sent.logs[0]).toMatch(/^error Unhandled rejection: Error: alone\n +at .+/);
  });

  test("is still the one that was loaded first", () => {
    expect(instances.get(place)?.loads()).toBe(1);
  });
});
