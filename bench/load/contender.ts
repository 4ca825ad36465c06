// What is measured side by side: each contender is one server process (Islet: a node with one worker) that is
// started for an app, verified, and left idle while it is another's turn.

import type { Agent } from "node:http";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { App, Call } from "./apps.ts";
import type { Started } from "./processes.ts";

export interface Server {
  readonly name: string;
  /** Root of its process tree. */
  readonly pid: number;
  readonly port: number;
  /** From starting the process to its first right answer. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  /** Rejects with the reason when it does not run here. */
  start(app: App): Promise<Server>;
}

/** Peers answer within a second; a busy machine takes its time. */
const READY_MS_MAX = 20_000;
const POLL_MS = 2;
const REQUEST_MS_MAX = 10_000;

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

/** One request, and how long it took on a connection that is open already when `agent` keeps one. */
export function ask(port: number, call: Call, agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const outgoing = request(
      {
        host: "127.0.0.1",
        port,
        path: call.path,
        method: call.body === null ? "GET" : "POST",
        agent: agent ?? false,
        timeout: REQUEST_MS_MAX,
        headers: call.body === null ? {} : { "content-type": "application/json" },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({
            status: incoming.statusCode ?? 0,
            text: Buffer.concat(chunks).toString(),
            ms: performance.now() - started,
          }),
        );
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer")));
    outgoing.on("error", reject);
    outgoing.end(call.body ?? undefined);
  });
}

/** Two answers, both right, the second with a higher counter. */
export async function verify(port: number, app: App, call: Call = app.call): Promise<void> {
  const counters: number[] = [];
  for (let i = 0; i < 2; i++) {
    const answer = await ask(port, call);
    if (answer.status !== 200) throw new Error(`status ${answer.status}: ${answer.text}`);
    counters.push(app.counterOf(answer.text, call));
  }
  const [first = 0, second = 0] = counters;
  if (second <= first) throw new Error(`the counter stands still at ${second}`);
}

/** Waits until the process answers; returns milliseconds since `startedAt`. */
export async function untilAnswer(
  started: Started,
  { port, call, startedAt }: { port: number; call: Call; startedAt: number },
): Promise<number> {
  while (performance.now() - startedAt < READY_MS_MAX) {
    if (started.exited()) break;
    try {
      const { status } = await ask(port, call);
      if (status === 200) return performance.now() - startedAt;
    } catch {
      // Not listening yet.
    }
    await sleep(POLL_MS);
  }
  await started.stop();
  throw new Error(`does not answer: ${started.output().slice(-400) || "no output"}`);
}
