// What WPT's eventsource tests ask of the parser and of the connection, in the platform as it ships.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type GuestHarness, openGuest } from "../../../test/guest/harness.ts";
import { EVENT_CHARS_MAX, EventStreamParser } from "./parser.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await openGuest();
});
beforeEach(() => guest.run(`calls.length = 0;`));
afterAll(() => guest.dispose());

/** Each event as [type, data, id]; retry as ["retry", ms]. In pieces of `size` bytes. */
function parse(text: string, size = 4_096): unknown[] {
  const heard: unknown[] = [];
  const parser = new EventStreamParser(
    {
      event: ({ type, data, lastEventId }) => type !== "" && heard.push([type, data, lastEventId]),
      retry: (ms) => heard.push(["retry", ms]),
    },
    "",
  );
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) {
    if (!parser.take(bytes.slice(at, at + size))) return [...heard, "too long"];
  }
  return heard;
}

test.each<[string, string, unknown[]]>([
  ["lines end in three ways", "data: a\r\ndata: b\rdata: c\n\r\n", [["message", "a\nb\nc", ""]]],
  ["one byte order mark is skipped", "\uFEFFdata:1\n\n\uFEFFdata:2\n\ndata:3\n\n", [["message", "1", ""], ["message", "3", ""]]],
  ["of two byte order marks one is part of a name", "\uFEFF\uFEFFdata:1\n\ndata:2\n\n", [["message", "2", ""]]],
  ["one space after the colon is skipped", "data: a\n\ndata:  b\n\ndata:\tc\n\n", [["message", "a", ""], ["message", " b", ""], ["message", "\tc", ""]]],
  ["comments and unknown fields are skipped", ":data: a\n: x\nfoo: b\n data: c\ndata : d\nData: e\ndata: f\n\n", [["message", "f", ""]]],
  ["a name without a colon has no value", "data\n\ndata\ndata\n\ndata: a\n\n", [["message", "", ""], ["message", "\n", ""], ["message", "a", ""]]],
  ["types are for one event", "event: x\ndata: 1\n\ndata: 2\n\nevent: y\n\ndata: 3\n\nevent\ndata: 4\n\n", [["x", "1", ""], ["message", "2", ""], ["message", "3", ""], ["message", "4", ""]]],
  ["ids last, and none has a null", "id: 1\ndata: a\n\ndata: b\n\nid: x\0y\ndata: c\n\nid\ndata: d\n\n", [["message", "a", "1"], ["message", "b", "1"], ["message", "c", "1"], ["message", "d", ""]]],
  ["an id without data counts", "id: 7\n\ndata: a\n\n", [["message", "a", "7"]]],
  ["a wait is in digits", "retry: 1000\nretry: 03\nretry:2x\nretry:\nretry: -1\nretry:99999999999\n", [["retry", 1_000], ["retry", 3], ["retry", 2_147_483_647]]],
  ["what has no empty line behind it is no event", "data: a\n\ndata: b\n", [["message", "a", ""]]],
  ["text is UTF-8, and what is not is replaced", "data: ok…€😀\n\n", [["message", "ok…€😀", ""]]],
])("%s, in whatever pieces it comes", (_, text, events) => {
  for (const size of [1, 2, 3, 5, 4_096]) expect(parse(text, size)).toEqual(events);
}); // prettier-ignore

test("an event is as long as it may be, and no longer", () => {
  const line = (length: number): string => `data:${"a".repeat(length - "data:".length)}`;
  const outcome = (text: string): unknown =>
    parse(text).map((heard) => (heard === "too long" ? heard : "event"));
  expect(outcome(`${line(EVENT_CHARS_MAX - 1)}\n\n`)).toEqual(["event"]);
  expect(outcome(`${line(EVENT_CHARS_MAX)}\n\n`)).toEqual(["event"]);
  expect(outcome(`${line(EVENT_CHARS_MAX + 1)}\n\n`)).toEqual(["too long"]);
  const half = line(EVENT_CHARS_MAX / 2);
  expect(outcome(`${half}\n${half}\n${half}\n\n`)).toEqual(["too long"]);
  expect(outcome(`:${"a".repeat(EVENT_CHARS_MAX)}`)).toEqual(["too long"]);
});

const STREAM = `
  const stream = (chunks, more) => ({ status: 200, statusText: "OK", url: "http://b.test/s", redirected: true,
    headers: "content-type\\ntext/event-stream;charset=utf-8\\n", body: incoming(chunks.map((text) => new TextEncoder().encode(text))), ...more });
  const log = [];
  const listen = (source, ...types) => {
    for (const type of ["open", "message", "error", ...types]) source.addEventListener(type, (event) => log.push([type, source.readyState, event.data, event.origin, event.lastEventId, event.isTrusted]));
    return source;
  };
  const until = (type, source) => new Promise((resolve) => source.addEventListener(type, resolve));
`;

test("events are dispatched, and a stream that ends is connected to again with the last id", async () => {
  const result = await guest.run<unknown[]>(`${STREAM}
    const streams = [["retry: 0\\nid: ü1\\n", "data: a\\n\\nevent: own\\ndata: b\\n\\n"], ["data: c\\n\\n"]];
    port.reply = () => stream(streams.shift());
    const source = listen(new EventSource("http://A.test/x"), "own");
    await until("error", source);
    await until("message", source);
    source.close();
    const sent = calls.map(({ url, headers, onAbort, ...rest }) => [url, headers, rest]);
    return [source.url, source.readyState, log, sent, source.withCredentials, EventSource.CLOSED, typeof source.onmessage];
  `);
  const rest = { method: "GET", redirect: "follow", body: null, endsWithRequest: true };
  const head = "accept\ntext/event-stream\ncache-control\nno-store\n";
  expect(result).toEqual([
    "http://a.test/x",
    2,
    [
      ["open", 1, undefined, undefined, undefined, true],
      ["message", 1, "a", "http://b.test", "ü1", true],
      ["own", 1, "b", "http://b.test", "ü1", true],
      ["error", 0, undefined, undefined, undefined, true],
      ["open", 1, undefined, undefined, undefined, true],
      ["message", 1, "c", "http://b.test", "ü1", true],
    ],
    [
      ["http://a.test/x", head, rest],
      ["http://a.test/x", `${head}last-event-id\nÃ¼1\n`, rest],
    ],
    false,
    2,
    "object",
  ]);
});

test.each([
  ["another status", `stream([], { status: 204 })`],
  ["another type", `stream([], { headers: "content-type\\ntext/plain\\n" })`],
  ["no type", `stream([], { headers: "" })`],
  ["an event that is too long", `stream(["data:" + "a".repeat(${EVENT_CHARS_MAX})])`],
  ["an address that is refused", `(() => { throw { code: "EGRESS_DENIED", message: "no" }; })()`],
  ["too many subrequests", `(() => { throw { code: "SUBREQUEST_LIMIT", message: "no" }; })()`],
])("%s ends it for good", async (_, reply) => {
  const result = await guest.run<unknown[]>(`${STREAM}
    port.reply = () => ${reply};
    const source = new EventSource("http://a.test/");
    await until("error", source);
    await new Promise((resolve) => setTimeout(resolve, 0));
    return [source.readyState, calls.length];
  `);
  expect(result).toEqual([2, 1]);
});

test("a listener that closes it hears nothing more, and the stream is let go", async () => {
  const result = await guest.run<unknown[]>(`${STREAM}
    const answer = stream(["data: a\\n\\ndata: b\\n\\n", "data: c\\n\\n"]);
    port.reply = () => answer;
    const source = listen(new EventSource("http://a.test/"));
    source.onmessage = () => source.close();
    await until("message", source);
    await new Promise((resolve) => setTimeout(resolve, 0));
    return [log.map(([type]) => type), answer.body.cancelled, answer.body.pulls, calls.length];
  `);
  expect(result).toEqual([["open", "message"], true, 1, 1]);
});

test("one that is closed before the answer gives the request up", async () => {
  const result = await guest.run<unknown[]>(`${STREAM}
    let given = 0;
    port.reply = ({ onAbort }) => { onAbort(() => given++); return new Promise(() => {}); };
    const source = listen(new EventSource("http://a.test/"));
    source.close();
    source.close();
    return [given, source.readyState, log];
  `);
  expect(result).toEqual([1, 2, []]);
});

test("arguments that are wrong throw what the standard says", async () => {
  const result = await guest.run<unknown[]>(`
    const thrown = (run) => { try { run(); } catch (error) { return error.name; } };
    return [thrown(() => new EventSource()), thrown(() => new EventSource("http://a b/")), thrown(() => EventSource("http://a.test/"))];
  `);
  expect(result).toEqual(["TypeError", "SyntaxError", "TypeError"]);
});
