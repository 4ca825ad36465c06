// What happens before the first answer.
//
// - fresh isolate: a node with many endpoints is restarted, so that nothing is loaded; then each endpoint gets
//   its first request and a second one, one after the other on one connection. The first takes an isolate, runs the
//   bundle in it and answers; the second shows what a request costs from here anyway. Back to back each first one
//   also waits for what the one before it has left to be made; apart it is what somebody sees who asks an endpoint
//   that nobody has asked for long.
// - restart: from starting the process to its ready file, with all these endpoints in the registry.
// - endpoints: load spread over all of them, each in an isolate of its own.

import { createHash } from "node:crypto";
import { Agent } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bundle } from "../../compiler/bundle.ts";
import { HELLO, HONO } from "./apps.ts";
import type { App } from "./apps.ts";
import { ask } from "./contender.ts";
import type { Contender } from "./contender.ts";
import { publishByApi, startNode } from "./islet.ts";
import type { IsletNode } from "./islet.ts";
import { memoryOf } from "./processes.ts";
import { quantile } from "../statistics.ts";

/** By then a worker with nothing to do has made an isolate ahead: it looks once a second. */
const APART_MS = 1_100;

/** As many publishes at once as the machine has cores to check them; beyond it they only wait. */
const PUBLISHES_AT_ONCE = 2;

export interface FirstAnswers {
  readonly app: string;
  readonly count: number;
  readonly firstMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly secondMs: { readonly p50: number; readonly p99: number };
}

export interface ColdResult {
  readonly endpoints: number;
  readonly restartMs: number;
  readonly answers: readonly FirstAnswers[];
  /** PSS of the whole node before and after all isolates were loaded. */
  readonly memoryBytes: { readonly before: number; readonly after: number };
}

/** The body of POST /api/publish. */
export async function publishBody(app: App, name: string, route: string): Promise<object> {
  const { format, code, map } = await bundle({ entry: app.entry, cwd: join(app.entry, "..") });
  return {
    name,
    routes: [{ host: "*", path: route, methods: [] }],
    vars: {},
    limits: {},
    ...bundleFields(code),
    format,
    map,
  };
}

export function bundleFields(code: string): { code: string; codeSha256: string } {
  return { code, codeSha256: createHash("sha256").update(code).digest("hex") };
}

async function publishMany(node: IsletNode, bodies: readonly object[]): Promise<void> {
  const waiting = bodies.values();
  const work = async (): Promise<void> => {
    for (const body of waiting) await publishByApi(node, body);
  };
  await Promise.all(Array.from({ length: PUBLISHES_AT_ONCE }, work));
}

export async function measureCold(folder: string, endpoints: number): Promise<ColdResult> {
  const data = join(folder, "cold");
  const half = Math.floor(endpoints / 2);
  const bodies: object[] = [];
  for (let index = 0; index < half; index++) {
    bodies.push(await publishBody(HELLO, `hello-${index}`, `/hello-${index}`));
    bodies.push(await publishBody(HONO, `hono-${index}`, `/${index}/*`));
  }
  const first = await startNode({ data });
  try {
    await publishMany(first, bodies);
  } finally {
    await first.stop();
  }
  const node = await startNode({ data });
  try {
    const before = memoryOf(node.pid);
    const all = [...Array<unknown>(half).keys()];
    const hello = all.map((index) => `/hello-${index}`);
    // The app knows only its own paths: a 404 of the app is an answer of the app as well.
    const hono = all.map((index) => `/${index}/api`);
    const answers = [
      await firstAnswers(node, "hello, back to back", hello, 0),
      await firstAnswers(node, "hono, back to back", hono.slice(half / 2), 0),
      await firstAnswers(node, "hono, apart", hono.slice(0, half / 2), APART_MS),
    ];
    const memoryBytes = { before, after: memoryOf(node.pid) };
    return { endpoints: half * 2, restartMs: node.readyMs, answers, memoryBytes };
  } finally {
    await node.stop();
  }
}

async function firstAnswers(
  node: IsletNode,
  app: string,
  paths: readonly string[],
  pauseMs: number,
): Promise<FirstAnswers> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const wanted = app.startsWith("hello") ? /^Hello World \d+$/ : /^404 Not Found$/;
  const first: number[] = [];
  const second: number[] = [];
  // Opens the connection and warms the client, with an address that no endpoint has.
  for (let i = 0; i < 20; i++) await ask(node.port, { path: "/nobody", body: null }, agent);
  for (const path of paths) {
    if (pauseMs > 0) await sleep(pauseMs);
    for (const times of [first, second]) {
      const answer = await ask(node.port, { path, body: null }, agent);
      if (!wanted.test(answer.text)) throw new Error(`wrong answer: ${answer.text.slice(0, 200)}`);
      times.push(answer.ms);
    }
  }
  agent.destroy();
  return {
    app,
    count: paths.length,
    firstMs: { p50: quantile(first, 0.5), p99: quantile(first, 0.99), max: Math.max(...first) },
    secondMs: { p50: quantile(second, 0.5), p99: quantile(second, 0.99) },
  };
}

/** A node with `endpoints` hello endpoints, as one contender. */
export function manyEndpoints(
  name: string,
  { folder, endpoints, flags }: { folder: string; endpoints: number; flags: readonly string[] },
): Contender {
  return {
    name,
    async start() {
      const node = await startNode({
        data: join(folder, `many-${name.replaceAll(" ", "-")}`),
        flags,
      });
      try {
        const bodies: object[] = [];
        for (let index = 0; index < endpoints; index++) {
          bodies.push(await publishBody(HELLO, `endpoint-${index}`, `/endpoint-${index}`));
        }
        await publishMany(node, bodies);
      } catch (error) {
        await node.stop();
        throw error;
      }
      return { ...node, name };
    },
  };
}
