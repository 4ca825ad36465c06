// A process to be killed: puts objects, and replaces and deletes them, until it is. Prints what was acknowledged.
//
//   node storage-writer.ts FOLDER NAME

import { flushCompileCache } from "node:module";
import { openDisk } from "../../services/storage/disk.ts";
import { noise, putOf, streamOf } from "../contracts/storage.ts";

// Whoever is killed keeps nothing at its end of what it has compiled.
flushCompileCache();

const [, , folder = "", name = ""] = process.argv;
const never = new AbortController().signal;
const storage = await openDisk({ folder, presign: () => "/" });
process.stdout.write("ready\n");
for (let at = 0; ; at++) {
  const key = `${name}/${at % 7}`;
  // The size tells which of them it is; some content is that of the other process.
  const size = 1_000 * (1 + (at % 50)) + 4;
  await storage.put("kept", putOf(key, streamOf(noise(size))), never);
  process.stdout.write(`put ${key} ${size}\n`);
  if (at % 5 !== 4) continue;
  const gone = `${name}/${(at + 3) % 7}`;
  process.stdout.write(`deleting ${gone}\n`);
  await storage.delete("kept", [gone], never);
  process.stdout.write(`deleted ${gone}\n`);
}
