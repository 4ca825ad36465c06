// Runs as a child process: reads a whole registry and says whether it can be trusted. A damaged LMDB file
// kills whoever maps it, so somebody expendable goes first. Prints one line of JSON: an error as data, or null.

import { argv, stdout } from "node:process";
import { errorData } from "../../sdk/errors.ts";
import { asRegistryError, openStore } from "./lmdb.ts";

const [, , dir = ""] = argv;

try {
  const store = openStore({ dir, readOnly: true });
  store.verify();
  await store.close();
  stdout.write("null\n");
} catch (error) {
  stdout.write(`${JSON.stringify(errorData(asRegistryError(error)))}\n`);
}
