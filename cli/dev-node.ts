// A node of one's own for `edge dev`: a child with a data folder that lives as long as it does.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EdgeError } from "../sdk/errors.ts";
import type { Json } from "../sdk/errors.ts";
import { field, textOf } from "./json.ts";

export interface DevNode {
  readonly url: string;
  readonly adminUrl: string;
  readonly token: string;
  /** Resolves when the node has ended, however it came to that. */
  readonly ended: Promise<number>;
  /** Lets it drain; resolves when it is gone and its folder removed. Idempotent. */
  stop(): Promise<void>;
}

/** Longer than the node's own limit for reporting that it cannot start. */
const START_TIMEOUT_MS = 30_000;
const READY_FILE = "ready.json";

export async function startDevNode(options: {
  readonly port: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Promise<DevNode> {
  const folder = mkdtempSync(join(tmpdir(), "edge-dev-"));
  const token = randomBytes(24).toString("base64url");
  const readyFile = join(folder, READY_FILE);
  const flags = ["--host", "127.0.0.1", "--port", options.port, "--admin-port", "0"];
  const paths = ["--data", join(folder, "data"), "--ready-file", readyFile];
  const script = fileURLToPath(new URL(import.meta.url)).replace(/dev-node\.(ts|js)$/, "edge.$1");
  const args = [script, "serve", ...flags, ...paths, "--workers", "1", "--no-demo", "--dev"];
  // Whose node it is and whose handler is one person here.
  args.push("--egress-may-be-private");
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    env: { ...options.env, EDGE_ADMIN_TOKEN: token },
    // The node's own chatter would hide what dev has to say; its errors must be seen.
    stdio: ["ignore", "ignore", "inherit"],
    // Ctrl-C is dev's to handle.
    detached: true,
  });
  const ended = endOf(child);
  void ended.then(() => rmSync(folder, { recursive: true, force: true }));
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  // Dev may die by an exception; its node must not stay behind.
  process.once("exit", () => child.kill("SIGTERM"));
  try {
    const ready = await readyOf({ folder, readyFile, ended });
    const at = (name: string): string => `http://127.0.0.1:${textOf(field(ready, name))}`;
    return { url: at("port"), adminUrl: at("adminPort"), token, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function endOf(child: ChildProcess): Promise<number> {
  const event = once(child, "exit");
  const [code] = (await event.catch(() => [1])) as [number | null];
  return code ?? 1;
}

async function readyOf(options: {
  readonly folder: string;
  readonly readyFile: string;
  readonly ended: Promise<number>;
}): Promise<Json> {
  const { folder, readyFile, ended } = options;
  let settle = (_value: Json | Error): void => undefined;
  const settled = new Promise<Json | Error>((done) => (settle = done));
  const look = (): void => {
    const ready = existsSync(readyFile) ? wholeJson(readFileSync(readyFile, "utf8")) : null;
    if (ready !== null) settle(ready);
  };
  const watcher = watch(folder, look);
  const timer = setTimeout(() => {
    settle(new EdgeError("NODE_UNREACHABLE", "The development node did not get ready"));
  }, START_TIMEOUT_MS);
  void ended.then(() => {
    settle(new EdgeError("NODE_UNREACHABLE", "The development node ended while it started"));
  });
  look();
  try {
    const value = await settled;
    if (value instanceof Error) throw value;
    return value;
  } finally {
    watcher.close();
    clearTimeout(timer);
  }
}

/** null while it is still being written. */
function wholeJson(text: string): Json | null {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}
