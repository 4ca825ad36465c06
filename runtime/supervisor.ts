// Composition root of the control plane, and the first process of a node: takes its folder, starts the workers, and
// only then loads what it needs itself (supervisor/start/node.ts).

import { join } from "node:path";
import { openDataFolder } from "../control/data-folder.ts";
import { verifyRegistry } from "../control/registry/verification.ts";
import type { ServeOptions } from "../sdk/serve.ts";
import { diskFault } from "./link/disk-fault.ts";
import { RELEASE } from "./link/places.ts";
import { narrowInheritance } from "./supervisor/environment.ts";
import { findAccount } from "./supervisor/rights/confinement.ts";
import { checkBeforehand } from "./supervisor/start/beforehand.ts";
import { startEarly } from "./supervisor/start/early.ts";
import type { ServeEnvironment } from "./supervisor/start/node.ts";

/** Resolves when the node has drained and ended. Rejects when it cannot start. */
export async function serve(
  options: ServeOptions,
  environment: ServeEnvironment = {
    release: RELEASE,
    print: (line) => process.stdout.write(`${line}\n`),
  },
): Promise<void> {
  const variables = narrowInheritance();
  const account = options.user === undefined ? null : findAccount(options.user);
  await checkBeforehand(options, { account, variables });
  const folder = await openDataFolder(options.data);
  try {
    // With an account all this waits until the folder is shared with it.
    const verified = account === null ? verifyRegistry(join(folder.path, "registry")) : null;
    // Told when the registry is opened, unless the start has failed before.
    verified?.catch(() => undefined);
    const early = account === null ? await startEarly(folder.path, options.workers) : null;
    try {
      const { serveIn } = await import("./supervisor/start/node.ts");
      await serveIn({ folder, account, variables, early, verified }, options, environment);
    } finally {
      early?.end();
    }
  } catch (error) {
    throw diskFault(error, folder.path);
  } finally {
    await folder.close();
  }
}
