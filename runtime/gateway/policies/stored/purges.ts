// What an operator has said is of the past: replies of a route that were asked for before. They stay where they are and
// are not found any more. All workers of a node read the same marks, each time they look for a reply.

import { hash } from "node:crypto";
import type { Purge } from "../../../../sdk/gateway/purge.ts";
import { packRecord, unpackRecord, type ReplyStore } from "../../shared/reply-store.ts";

/** Of a route; what is more is taken together, and the whole route begins anew. */
export const PURGES_MAX = 64;
/** Longer than any reply says that it may be kept. */
const MARK_MS = 3_650 * 86_400_000;

type Mark = Omit<Purge, "route">;

export interface Kept {
  readonly host: string;
  /** Path and query. */
  readonly url: string;
  /** When it was asked for. */
  readonly askedMs: number;
}

export async function addPurge(store: ReplyStore, { route, ...mark }: Purge): Promise<void> {
  // What is within the new one is said by it too.
  const before = (await marksOf(store, route)).filter(
    ({ host, prefix }) =>
      (mark.host !== "" && mark.host !== host) || !prefix.startsWith(mark.prefix),
  );
  const all = before.length < PURGES_MAX ? [...before, mark] : [{ ...mark, host: "", prefix: "/" }];
  const value = packRecord(all, Buffer.alloc(0));
  await store.set("cache", keyOf(route), { value, ttlMs: MARK_MS });
}

export async function isPurged(store: ReplyStore, route: string, kept: Kept): Promise<boolean> {
  const marks = await marksOf(store, route);
  return marks.some(
    ({ host, prefix, atMs }) =>
      kept.askedMs <= atMs && (host === "" || host === kept.host) && kept.url.startsWith(prefix),
  );
}

async function marksOf(store: ReplyStore, route: string): Promise<readonly Mark[]> {
  const bytes = await store.get("cache", keyOf(route));
  return bytes === null ? [] : (unpackRecord(bytes).head as Mark[]);
}

function keyOf(route: string): string {
  return hash("sha256", `purges\n${route}`, "base64url");
}
