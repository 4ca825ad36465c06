// A checker over real children, for tests.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleSource, hashBundle } from "../../compiler/bundle.ts";
import { createChecker } from "../../compiler/check.ts";
import type { PlatformChecker } from "../../compiler/check.ts";
import { buildGuest } from "../../compiler/guest.ts";
import { openJails, type Jails, type SpawnJail } from "../../compiler/jails.ts";
import { openSnapshotStore } from "../../compiler/snapshot-store.ts";
import type { SnapshotBasis, SnapshotStore } from "../../compiler/snapshot-store.ts";
import { engineVersion } from "../../runtime/isolate/engine.ts";
import type { CheckResult, HandlerNeed } from "../../sdk/node.ts";
import { cacheFolder, PACKAGE_VARIABLE } from "../platform.ts";
import { temporary } from "../temporary.ts";

export interface Checking {
  readonly checker: PlatformChecker;
  readonly store: SnapshotStore;
  readonly storeDir: string;
  readonly basis: SnapshotBasis;
  /** Bundles the source and checks it. */
  check(code: string, needs?: readonly HandlerNeed[]): Promise<CheckResult>;
  close(): void;
}

/** At top level: worth a snapshot, ten times over. */
export const SLOW = "for (let i = 0; i < 4e6; i++) globalThis.i = i;";
const STAND_IN: string = fileURLToPath(new URL("stand-in-guest.ts", import.meta.url));
const PACKAGE: string | undefined = process.env[PACKAGE_VARIABLE];
/** Where the run has it bundled, that one: it starts in half the time. */
const JAIL: string =
  PACKAGE === undefined
    ? fileURLToPath(new URL("../../runtime/jail.ts", import.meta.url))
    : join(PACKAGE, "dist/runtime/jail.js");

export interface CheckingOptions {
  readonly spawn?: SpawnJail;
  /** Of each job, in place of the checker's own. */
  readonly wallMs?: number;
}

export async function openChecking(
  guestEntry: string = STAND_IN,
  { spawn, wallMs }: CheckingOptions = {},
): Promise<Checking> {
  const folder = temporary();
  const guest = await buildGuest({ entry: guestEntry, cacheDir: cacheFolder() });
  const basis = { engine: engineVersion(), v8Flags: [], guestHash: guest.hash };
  const storeDir = join(folder.path, "snapshots");
  const store = openSnapshotStore(storeDir);
  const compileCacheDir = cacheFolder();
  const started = spawn === undefined ? {} : { spawn };
  const jails = openJails({ ...started, main: JAIL, v8Flags: [], compileCacheDir, standby: 2 });
  const run: Jails["run"] = (job, limits) =>
    jails.run(job, wallMs === undefined ? limits : { ...limits, wallMs });
  const checker = createChecker({ guest, basis, store, jails: { ...jails, run } });
  await checker.preparePlatform();
  return {
    checker,
    store,
    storeDir,
    basis,
    async check(code, needs = []) {
      const bundle = await bundleSource({ code, filename: "index.ts" });
      const { format, map } = bundle;
      const bundleHash = hashBundle(bundle.code);
      return await checker.check({ format, code: bundle.code, bundleHash, map, needs });
    },
    close() {
      jails.close();
      folder[Symbol.dispose]();
    },
  };
}
