// Servers of an upstream that are killed and come back under load: with retries on, no client sees anything of it.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startNode } from "../node.ts";
import { temporary } from "../temporary.ts";

const CONNECTIONS = 32;
const SERVERS = 3;
const WORKERS = 2;
/** Between a server's death and its return, and from then to the next death. */
const DEAD_MS = 500;
const WELL_MS = 1_000;
/** Every fifth; servers see it as often as they have to. */
const PUT_EVERY = 5;

interface Origin {
  readonly child: ChildProcess;
  readonly port: number;
}

async function startOrigin(port: number): Promise<Origin> {
  const file = join(import.meta.dirname, "origin.ts");
  const child = spawn(process.execPath, [file, String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return { child, port: Number(String(said)) };
}

async function killed({ child }: Origin): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

export async function proxy(seconds: number, print: (line: string) => void): Promise<void> {
  using folder = temporary();
  const origins = await Promise.all(Array.from({ length: SERVERS }, () => startOrigin(0)));
  const file = join(folder.path, "edge.yaml");
  writeFileSync(file, configuration(origins.map(({ port }) => port)));
  try {
    await using node = await startNode({
      standby: true,
      workers: WORKERS,
      args: ["--config", file],
    });
    const tally: Tally = { whole: 0, failed: new Map() };
    const untilMs = performance.now() + seconds * 1_000;
    const load = Promise.all(
      Array.from({ length: CONNECTIONS }, () => askUntil(node.port, untilMs, tally)),
    );
    let kills = 0;
    while (performance.now() < untilMs) {
      const at = kills++ % SERVERS;
      const origin = origins[at];
      assert.ok(origin !== undefined);
      await killed(origin);
      await delay(DEAD_MS);
      origins[at] = await startOrigin(origin.port);
      await delay(WELL_MS);
    }
    await load;
    const failed = [...tally.failed.values()].reduce((sum, count) => sum + count, 0);
    const what = [...tally.failed].map(([status, count]) => `${count} × ${status}`).join(", ");
    print(
      `${kills} kills of one of ${SERVERS} servers in ${seconds} s under ${CONNECTIONS} connections: ` +
        `${tally.whole} requests answered whole, ${failed} failed${what === "" ? "" : ` (${what})`}`,
    );
    assert.equal(failed, 0, "a request failed though another server could have answered it");
  } finally {
    await Promise.all(origins.map(killed));
  }
}

/** All may be tried again at once: half of a server's requests die with it. */
function configuration(ports: readonly number[]): string {
  const servers = ports.map((port) => `"http://127.0.0.1:${port}"`).join(", ");
  return `
upstreams:
  origins:
    servers: [ ${servers} ]
    breaker: { failures: 3, openFor: 200ms }
    retry: { attempts: 3, budget: 1 }
routes: [ { match: { path: "/*" }, target: { upstream: origins } } ]
`;
}

interface Tally {
  whole: number;
  readonly failed: Map<string, number>;
}

/** One request after the other on a connection of its own. */
async function askUntil(port: number, untilMs: number, tally: Tally): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let turn = 0; performance.now() < untilMs; turn++) {
    const outcome = await ask(port, agent, turn % PUT_EVERY === 0 ? "PUT" : "GET");
    if (outcome === "200, 1024 bytes") tally.whole++;
    else tally.failed.set(outcome, (tally.failed.get(outcome) ?? 0) + 1);
  }
  agent.destroy();
}

function ask(port: number, agent: Agent, method: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const sent = request({ port, host: "127.0.0.1", path: "/", method, agent }, (response) => {
    let bytes = 0;
    response.on("data", (chunk: Buffer) => (bytes += chunk.length));
    response.on("end", () => resolve(`${response.statusCode}, ${bytes} bytes`));
    response.on("error", (error) => resolve(error.message));
  });
  sent.on("error", (error) => resolve(error.message));
  sent.end(method === "PUT" ? "body" : undefined);
  return promise;
}
