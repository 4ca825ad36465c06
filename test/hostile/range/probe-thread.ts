// Asks the honest neighbour on one kept-alive connection, in a thread of its own so that nothing the test does
// counts as silence of the node. Commands: "begin" starts a stretch, "end" answers with what it was like.

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

export interface ProbeData {
  readonly port: number;
  readonly path: string;
  /** The reply's body. */
  readonly answer: string;
  readonly everyMs: number;
}

export interface Stretch {
  /** The longest time between two answers. */
  readonly gapMs: number;
  /** When it began, counted from the beginning of the stretch. */
  readonly gapAtMs: number;
  /** How late this thread itself was in it, because the machine was busy. */
  readonly lateMs: number;
  readonly answers: number;
  /** Answers that were not the neighbour's. */
  readonly wrong: number;
  /** Questions whose connection broke, or could not be made. */
  readonly lost: number;
}

assert(parentPort !== null);
const port = parentPort;
const data = workerData as ProbeData;
const question = `GET ${data.path} HTTP/1.1\r\nHost: a.test\r\n\r\n`;
/** After a connection broke; asking at once for ever would be an attack of its own. */
const RECONNECT_MS = 5;

let socket: Socket | null = null;
let received = "";
let waiting = false;
let begunMs = performance.now();
let lastAnswerMs = begunMs;
let expectedMs = begunMs;
let lateNowMs = 0;
let best = { gapMs: 0, gapAtMs: 0, lateMs: 0 };
let answers = 0;
let wrong = 0;
let lost = 0;

function closeGap(now: number): void {
  if (now - lastAnswerMs > best.gapMs) {
    const gapAtMs = lastAnswerMs - begunMs;
    best = { gapMs: now - lastAnswerMs, gapAtMs, lateMs: lateNowMs };
  }
}

function answered(): void {
  const now = performance.now();
  closeGap(now);
  lastAnswerMs = now;
  lateNowMs = 0;
  answers++;
}

/** The reply is whole when its body, of a length known beforehand, has come. */
function take(text: string): void {
  received += text;
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return;
  const length = Number(/^content-length: (\d+)/im.exec(received)?.[1] ?? 0);
  if (received.length < end + 4 + length) return;
  const right = received.startsWith("HTTP/1.1 200") && received.slice(end + 4) === data.answer;
  const closes = /^connection: close/im.test(received);
  received = "";
  waiting = false;
  // Its end may come a turn after its reply: what was asked in between would be nobody's fault but ours.
  if (closes) {
    socket?.destroy();
    socket = null;
  }
  if (right) answered();
  else wrong++;
}

function open(): void {
  received = "";
  waiting = false;
  const opened = connect(data.port, "127.0.0.1");
  socket = opened;
  opened.setNoDelay(true).setEncoding("latin1");
  opened.on("data", take);
  opened.on("error", () => {});
  opened.on("close", () => {
    if (waiting || opened.bytesRead === 0) lost++;
    socket = null;
    setTimeout(open, RECONNECT_MS);
  });
}

function tick(): void {
  const now = performance.now();
  lateNowMs = Math.max(lateNowMs, now - expectedMs);
  expectedMs = now + data.everyMs;
  setTimeout(tick, data.everyMs);
  if (waiting || socket === null) return;
  waiting = true;
  socket.write(question);
}

port.on("message", (command: "begin" | "end") => {
  const now = performance.now();
  if (command === "begin") {
    begunMs = now;
    // A silence that began before belongs to what went before.
    lastAnswerMs = Math.max(lastAnswerMs, now - data.everyMs);
    best = { gapMs: 0, gapAtMs: 0, lateMs: 0 };
    answers = 0;
    wrong = 0;
    lost = 0;
    return;
  }
  closeGap(now);
  const stretch: Stretch = { ...best, answers, wrong, lost };
  port.postMessage(stretch);
});

open();
tick();
