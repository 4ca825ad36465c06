// The warm-up of a snapshot: V8 runs it in a second context, beside the one that is kept, and throws that context
// away. What stays of it is compiled code: functions of the platform that it has called need not be compiled by
// every isolate again. So it does with the platform what handlers usually do, once, over a bridge of its own.
//
// The second context has run the author's module as well, as the first; its handler is never called. The module
// may have patched whatever is used here. That can only make the warm-up fail, and then it was for nothing.

import { BODY, CELL, ENTER, pack } from "../sdk/bridge.ts";
import { GUEST_NAME } from "./script.ts";

/** Where the warm-up leaves what it was answered, in the context that is thrown away: for its test. */
export const ANSWERS_NAME = "__warmUpAnswers";

/** Promise turns to wait for a slice's report; what takes longer is not warmed. */
const TURNS_MAX = 1_000;

const ORIGIN = "http://warm-up.test";
const HEADERS =
  "host\nwarm-up.test\nuser-agent\nwarm-up\naccept\n*/*\ncontent-type\napplication/json\n";

function request(id: number, method: string, path: string, text: string | null): string {
  const kind = text === null ? BODY.NONE : BODY.TEXT;
  const body = text === null ? "" : `\0${text}`;
  return pack(ENTER.REQUEST, id, `${method}\n${ORIGIN}${path}\n${kind}\nid\n${HEADERS}${body}`);
}

/** What the host would send: requests, then answers to the calls that the first of them makes, one at a time. */
const BATCHES: readonly string[] = [
  request(1, "POST", "/a/b?c=d", '{"e":1}') + request(2, "GET", "/throw", null),
  request(3, "GET", "/", null),
  pack(ENTER.CALL_OK, 1, `200\nOK\n${ORIGIN}/\n0\n${BODY.STREAM}\ncontent-type\ntext/plain\n`),
  pack(ENTER.CALL_OK, 2, "text"),
  pack(ENTER.TIMER, 1, ""),
];

/** What handlers do; the platform's side of it is what gets compiled. */
const HANDLER = `{
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/throw") throw new TypeError("warm-up");
    if (request.method === "POST") {
      url.searchParams.get("c");
      request.headers.get("user-agent");
      const body = await request.json();
      const made = Response.json({ body }, { status: 201, headers: { "x-a": "b" } });
      made.headers.append("x-c", "d");
      const again = new Response(made.body, made);
      again.headers.set("x-a", "c");
      again.headers.has("x-a");
      again.headers.delete("x-a");
      for (const [name, value] of again.headers) void (name + value);
      return again;
    }
    const { log } = console;
    log("warm-up", { list: [1] });
    ctx.waitUntil(Promise.resolve());
    const { signal } = request;
    const init = { method: "POST", headers: { "x-a": "b" }, body: "text", signal };
    const answer = await fetch("${ORIGIN}/", init);
    const text = answer.ok ? await answer.text() : "";
    await new Promise((resolve) => setTimeout(resolve, 1));
    new TextDecoder().decode(new TextEncoder().encode(text));
    crypto.randomUUID();
    Date.now();
    return new Response(text, { headers: new Headers([["x-a", "b"]]) });
  },
}`;

export const WARM_UP: string = `void (async () => {
  "use strict";
  const answers = (globalThis.${ANSWERS_NAME} = []);
  let reported = 0;
  const leave = (slice, settled, packed) => {
    if (slice !== 0) reported = slice;
    answers.push(packed);
  };
  class ExternalCopy { release() {} }
  // There is no SharedArrayBuffer while a snapshot is made. More than the bridge has cells.
  const cells = new Int32Array(16_384);
  cells[${CELL.TIMERS_MAX}] = 1;
  try {
    ${GUEST_NAME}.register(() => ({ default: ${HANDLER} }));
    const enter = ${GUEST_NAME}.boot({
      __proto__: null,
      cells: cells.buffer,
      leaveInline: leave,
      leavePool: leave,
      ExternalCopy,
      seed: new Uint8Array(32),
      env: "{}",
      now: 0,
    });
    let slice = 0;
    for (const batch of ${JSON.stringify(BATCHES)}) {
      enter(slice % 2, ++slice, 0, batch);
      for (let turn = 0; turn < ${TURNS_MAX} && reported !== slice; turn++) await undefined;
    }
  } catch (error) {
    answers.push(String(error));
  }
})();`;
