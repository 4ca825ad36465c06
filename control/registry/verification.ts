// Whether a registry's file can be read without harm: LMDB dies of some damage, so a child process reads it first.
// Imports nothing of LMDB: a node that starts begins with this (runtime/supervisor.ts).

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { EdgeError, isCode } from "../../sdk/errors.ts";
import { checkFile, corrupt, DATA_FILE } from "./file.ts";

/** Reading ten thousand changes takes well under a second; a child that hangs on damage is killed. */
const VERIFY_TIMEOUT_MS = 20_000;

/** The caller holds the data folder's lock. Throws what is wrong with it; nothing where there is none yet. */
export async function verifyRegistry(dir: string): Promise<void> {
  if (!existsSync(join(dir, DATA_FILE))) return;
  checkFile(dir);
  await verifyApart(dir);
}

async function verifyApart(dir: string): Promise<void> {
  // The extension follows this file's: sources run as .ts, the published package as .js.
  const script = new URL(`./verify${extname(import.meta.url)}`, import.meta.url);
  const child = spawn(process.execPath, [fileURLToPath(script), dir], {
    stdio: ["ignore", "pipe", "ignore"],
    timeout: VERIFY_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const ended = new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (_code, signal) => resolve(signal));
  });
  const [answer, signal] = await Promise.all([text(child.stdout), ended]);
  if (answer.trim() === "null") return;
  throw parseVerdict(answer, signal);
}

function parseVerdict(answer: string, signal: NodeJS.Signals | null): EdgeError {
  if (answer.trim() === "") return corrupt(`reading it ends in ${signal ?? "a crash"}`);
  const verdict: unknown = JSON.parse(answer);
  const isError = typeof verdict === "object" && verdict !== null && "code" in verdict;
  if (!isError || !isCode(verdict.code)) return corrupt("the check gave no verdict");
  const message = "message" in verdict ? String(verdict.message) : undefined;
  return new EdgeError(verdict.code, message);
}
