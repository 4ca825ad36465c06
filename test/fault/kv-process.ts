// The process that kv-kills.ts kills: writes keys for ever, small values and large ones, new keys and old, and says
// which puts were acknowledged.

import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { argv } from "node:process";
import { openLmdbKv } from "../../services/kv/lmdb.ts";
import { NAMESPACE, valueOf } from "./kv-kills.ts";

// Whoever is killed keeps nothing at its end of what it has compiled.
flushCompileCache();

const [, , folder = "", prefix = ""] = argv;
const kv = await openLmdbKv({ places: { folder } });
const forever = new AbortController().signal;
/** Keys of one process: most puts replace a value. */
const KEYS = 5;

writeSync(1, "running\n");
for (let at = 1; ; at++) {
  const key = `${prefix}-${at % KEYS}`;
  const put = { key, value: valueOf(at), metadata: `${at}`, expiresAtMs: null };
  await kv.put(NAMESPACE, put, forever);
  // Synchronously: what the reader of the pipe has seen was done before.
  writeSync(1, `${key} ${at}\n`);
}
