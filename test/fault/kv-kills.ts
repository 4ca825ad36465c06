// Processes that write one KV namespace are killed (SIGKILL) at any moment, over and over. A put that was acknowledged is
// read back, whole, unless a later one has replaced it.

import { fileURLToPath } from "node:url";
import { openLmdbKv } from "../../services/kv/lmdb.ts";
import { runAndKill } from "./run-and-kill.ts";

export const NAMESPACE = "soak";
const LANES = 3;
const LARGE_BYTES = 100_000;
const FOREVER = new AbortController().signal;
const PROCESS = fileURLToPath(new URL("./kv-process.ts", import.meta.url));

export interface KvKillReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly keys: number;
  /** Acknowledged, and neither there nor replaced by a later put. */
  readonly lost: readonly string[];
  /** There, but not as anybody has put it. */
  readonly torn: readonly string[];
}

/** Every third is large enough to lie in a file. */
export function valueOf(at: number): Uint8Array {
  return Buffer.alloc(at % 3 === 0 ? LARGE_BYTES : 20, `${at};`);
}

export async function killKvOverAndOver(folder: string, kills: number): Promise<KvKillReport> {
  const lines: string[] = [];
  let left = kills;
  let started = 0;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await runAndKill([PROCESS, folder, `p${++started}`], lines);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const newest = new Map<string, number>();
  for (const line of lines) {
    const [key = "", at] = line.split(" ");
    newest.set(key, Number(at));
  }
  const lost: string[] = [];
  const torn: string[] = [];
  const kv = await openLmdbKv({ places: { folder } });
  for (const [key, at] of newest) {
    const [entry] = await kv.get(NAMESPACE, [key], FOREVER);
    const found = Number(entry?.metadata ?? 0);
    const value = entry?.value ?? new Uint8Array(0);
    if (found < at) lost.push(`${key} ${at}, found ${found}`);
    else if (!Buffer.from(valueOf(found)).equals(value)) torn.push(key);
  }
  await kv.close();
  return { kills, acknowledged: lines.length, keys: newest.size, lost, torn };
}
