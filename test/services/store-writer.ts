// A process of test/services/store.test.ts: adds to a counter in the given store until it is killed.

import { Buffer } from "node:buffer";
import { flushCompileCache } from "node:module";
import { openStore } from "../../services/lmdb.ts";

// Whoever is killed keeps nothing at its end of what it has compiled.
flushCompileCache();

const [, , folder = "", count = "Infinity"] = process.argv;
const env = await openStore({ folder, survives: "kills" });
const table = env.table("counters");
const key = Buffer.from("n");
for (let at = 0; at < Number(count); at++) {
  env.update(() => table.put(key, Buffer.from(String(Number(table.get(key) ?? 0) + 1))));
  if (at === 0) process.stdout.write("begun");
}
await env.close();
