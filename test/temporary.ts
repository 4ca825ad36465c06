// Folders for tests, in the folder of the run (see run-folder.ts).

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Temporary = Disposable & { readonly path: string };

/** Gone when its scope is: `using folder = temporary()`. */
export function temporary(): Temporary {
  const path = mkdtempSync(join(tmpdir(), "islet-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
