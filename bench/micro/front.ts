// What the host does with every request besides routing and crossing: its id, the checks of its head, the head
// of the reply, the line of the access log, the counters.

import { refuseHead } from "../../runtime/http/guards.ts";
import type { Framing } from "../../runtime/http/guards.ts";
import { readReplyHead } from "../../runtime/http/reply-head.ts";
import type { ReplyHead } from "../../runtime/http/reply-head.ts";
import { nextRequestId } from "../../runtime/http/request-id.ts";
import { createAccessLine } from "../../runtime/observe/access-log.ts";
import type { AccessRecord } from "../../runtime/observe/access-log.ts";
import { RequestMetrics } from "../../runtime/observe/metrics.ts";
import { runTasks } from "./harness.ts";

const TIME = "2026-01-01T00:00:00.000Z";
const HEADERS =
  "host\nexample.com\nuser-agent\nMozilla/5.0 (X11; Linux x86_64)\naccept\n*/*\n" +
  "accept-encoding\ngzip, br\ncookie\nsession=0123456789abcdef0123456789abcdef\n";
const REPLY = "content-type\ntext/plain;charset=UTF-8\ncache-control\nno-store\n";
const line = createAccessLine();
const record: AccessRecord = {
  requestId: nextRequestId(),
  method: "GET",
  host: "example.com",
  path: "/hello/world",
  status: 200,
  outcome: "OK",
  endpoint: "hello",
  consumer: "",
  us: 123,
  bytes: 13,
};
const framing: Framing = {
  host: "example.com",
  contentLength: null,
  transferEncoding: null,
  connection: null,
};
const head: ReplyHead = { length: -1, lines: "", odd: null };
const metrics = new RequestMetrics();

await runTasks("Host, per request", [
  { name: "request id", run: () => nextRequestId() },
  { name: "checks of the head", run: () => refuseHead("GET", "/hello/world", HEADERS, framing) },
  { name: "reply head", run: () => readReplyHead(REPLY, head) },
  { name: "access line", run: () => line(record, TIME) },
  { name: "access line by JSON.stringify", run: () => JSON.stringify({ time: TIME, ...record }) },
  { name: "counters", run: () => metrics.ended("hello", "OK", 200, 0.123, 13) },
]);
