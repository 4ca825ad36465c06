// Nodes under test: `bin/edge serve` as shipped (access log, request ids, router, registry), with one worker
// unless said otherwise, in a data folder of their own.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { App } from "./apps.ts";
import { ask } from "./contender.ts";
import type { Contender, Server } from "./contender.ts";
import { start } from "./processes.ts";

const EDGE = join(import.meta.dirname, "..", "..", "bin", "edge");
const TOKEN = "bench-token-0123456789-0123456789";
const READY_MS_MAX = 30_000;
const POLL_MS = 2;
const OUTPUT_BYTES_MAX: number = 16 * 1024 * 1024;
const run = promisify(execFile);

export interface NodeOptions {
  readonly data: string;
  readonly flags?: readonly string[];
  /** Default 1. */
  readonly workers?: number;
}

export interface IsletNode {
  readonly pid: number;
  readonly port: number;
  readonly adminUrl: string;
  /** From starting the process to its ready file. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

export interface Published {
  readonly wallMs: number;
  /** `timingsMs` of the answer. */
  readonly timingsMs: Readonly<Record<string, number>>;
}

export async function startNode(options: NodeOptions): Promise<IsletNode> {
  mkdirSync(options.data, { recursive: true });
  const ready = join(options.data, "ready.json");
  rmSync(ready, { force: true });
  const startedAt = performance.now();
  const started = start(
    [
      EDGE,
      "serve",
      "--port",
      "0",
      "--admin-port",
      "0",
      "--host",
      "127.0.0.1",
      "--no-demo",
      "--workers",
      `${options.workers ?? 1}`,
      "--data",
      options.data,
      "--ready-file",
      ready,
      ...(options.flags ?? []),
    ],
    { env: { EDGE_ADMIN_TOKEN: TOKEN } },
  );
  while (!existsSync(ready)) {
    if (started.exited() || performance.now() - startedAt > READY_MS_MAX) {
      await started.stop();
      throw new Error(`the node does not start: ${started.output().slice(-400)}`);
    }
    await sleep(POLL_MS);
  }
  const readyMs = performance.now() - startedAt;
  const facts = JSON.parse(readFileSync(ready, "utf8")) as { port: number; adminPort: number };
  return {
    pid: started.pid,
    port: facts.port,
    adminUrl: `http://127.0.0.1:${facts.adminPort}`,
    readyMs,
    stop: () => started.stop(),
  };
}

/** With the command line, as an author would. */
export async function publishByCli(
  node: IsletNode,
  { entry, name, route }: { entry: string; name: string; route: string },
): Promise<Published> {
  const startedAt = performance.now();
  const { stdout } = await run(
    EDGE,
    ["publish", entry, "--name", name, "--route", route, "--admin", node.adminUrl, "--json"],
    { env: { ...process.env, EDGE_ADMIN_TOKEN: TOKEN }, maxBuffer: OUTPUT_BYTES_MAX },
  );
  const wallMs = performance.now() - startedAt;
  return { wallMs, timingsMs: timingsOf(JSON.parse(stdout)) };
}

/** With one call of the admin API, the bundle made before. */
export async function publishByApi(node: IsletNode, body: object): Promise<Published> {
  const startedAt = performance.now();
  const answer = await sendToAdmin(node, "/api/publish", body);
  return { wallMs: performance.now() - startedAt, timingsMs: timingsOf(answer) };
}

export async function sendToAdmin(
  { adminUrl }: IsletNode,
  path: string,
  body: object = {},
): Promise<unknown> {
  const response = await fetch(`${adminUrl}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 400)}`);
  return JSON.parse(text) as unknown;
}

function timingsOf(answer: unknown): Record<string, number> {
  const data = (answer as { data?: { timingsMs?: Record<string, number> } }).data;
  if (data?.timingsMs === undefined) throw new Error("publish answered without timings");
  return data.timingsMs;
}

/** Lines are written in blocks; a moment after a load of thousands of requests the file cannot be empty. */
export function hasAccessLog(data: string): boolean {
  const path = join(data, "logs", "access-1.log");
  return existsSync(path) && statSync(path).size > 0;
}

export function isletContender(
  name: string,
  folder: string,
  flags: readonly string[] = [],
): Contender {
  let count = 0;
  return {
    name,
    async start(app: App): Promise<Server> {
      const startedAt = performance.now();
      const data = join(folder, `${name}-${++count}`);
      const node = await startNode({ data, flags });
      try {
        await publishByCli(node, { entry: app.entry, name: app.name, route: app.route });
        await ask(node.port, app.call);
      } catch (error) {
        await node.stop();
        throw error;
      }
      return {
        name,
        pid: node.pid,
        port: node.port,
        readyMs: performance.now() - startedAt,
        async stop() {
          await node.stop();
          const logged = hasAccessLog(data);
          rmSync(data, { recursive: true, force: true });
          if (!logged)
            throw new Error(`${name} has written no access log: not the shipped defaults`);
        },
      };
    },
  };
}
