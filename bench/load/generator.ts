// The load itself: wrk with one thread where it is installed, else autocannon. Any failed request fails the
// measurement: speed of wrong answers is no speed.

import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Not of this package: whatever the system has. */
const WRK = "wrk";
const SCRIPT = join(import.meta.dirname, "wrk.lua");
const SPREAD_SCRIPT = join(import.meta.dirname, "wrk-spread.lua");
const AUTOCANNON = join(import.meta.dirname, "../peers/node_modules/autocannon/autocannon.js");
/** Beyond its own duration, before a generator counts as hung. */
const SLACK_MS = 20_000;
const US_PER_MS = 1_000;

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly body: string | null;
  readonly connections: number;
  readonly seconds: number;
  /** Spread over /endpoint-0 … instead of `path`. */
  readonly endpoints?: number;
}

export interface Measured {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface Generator {
  readonly name: string;
  measure(load: Load): Promise<Measured>;
}

export function findGenerator(folder: string): Generator {
  if (hasWrk()) return { name: "wrk", measure: (load) => wrk(load, folder) };
  if (existsSync(AUTOCANNON)) return { name: "autocannon", measure: autocannon };
  throw new Error("no load generator: install wrk, or let the bench install its peers");
}

function hasWrk(): boolean {
  try {
    execFileSync(WRK, ["--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    // It prints its version and exits 1.
    return (error as { status?: unknown }).status === 1;
  }
}

async function wrk(load: Load, folder: string): Promise<Measured> {
  const { port, path, body, connections, seconds } = load;
  let file = "-";
  if (body !== null) {
    mkdirSync(folder, { recursive: true });
    file = join(folder, `body-${body.length}.json`);
    if (!existsSync(file)) writeFileSync(file, body);
  }
  const script = load.endpoints === undefined ? SCRIPT : SPREAD_SCRIPT;
  const { stdout } = await run(
    WRK,
    [
      "-t1",
      `-c${connections}`,
      `-d${seconds}s`,
      "--latency",
      "-s",
      script,
      `http://127.0.0.1:${port}${path}`,
      "--",
      file,
      `${load.endpoints ?? 0}`,
    ],
    { timeout: seconds * 1_000 + SLACK_MS },
  );
  const line = stdout.trim().split("\n").at(-1) ?? "";
  const found = JSON.parse(line) as Record<"requests" | "us" | "p50" | "p99" | "bad", number>;
  refuse(found.bad, found.requests);
  return {
    requests: found.requests,
    perSecond: found.requests / (found.us / 1e6),
    p50Us: found.p50,
    p99Us: found.p99,
  };
}

async function autocannon(load: Load): Promise<Measured> {
  const { port, path, body, connections, seconds } = load;
  if (load.endpoints !== undefined) throw new Error("requests are spread by wrk only");
  const post = ["-m", "POST", "-H", "content-type=application/json", "-b", body ?? ""];
  const { stdout } = await run(
    process.execPath,
    [
      AUTOCANNON,
      "-j",
      "-c",
      `${connections}`,
      "-d",
      `${seconds}`,
      ...(body === null ? [] : post),
      `http://127.0.0.1:${port}${path}`,
    ],
    { timeout: seconds * 1_000 + SLACK_MS },
  );
  const found = JSON.parse(stdout) as {
    requests: { total: number };
    duration: number;
    latency: { p50: number; p99: number };
    errors: number;
    non2xx: number;
  };
  refuse(found.errors + found.non2xx, found.requests.total);
  return {
    requests: found.requests.total,
    perSecond: found.requests.total / found.duration,
    p50Us: found.latency.p50 * US_PER_MS,
    p99Us: found.latency.p99 * US_PER_MS,
  };
}

function refuse(bad: number, requests: number): void {
  if (bad > 0) throw new Error(`${bad} of ${requests} requests failed`);
  if (requests === 0) throw new Error("not one request was answered");
}
