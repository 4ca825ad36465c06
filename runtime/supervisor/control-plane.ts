// Joins the parts of the control plane: registry, blobs, compiler, admin API.

import { join } from "node:path";
import { createAdminApi } from "../../admin-api/app.ts";
import { listenAdmin, type AdminServer } from "../../admin-api/listen.ts";
import { bundleSource, stopEsbuild } from "../../compiler/bundle.ts";
import { createChecker, type PlatformChecker } from "../../compiler/check.ts";
import { buildGuest } from "../../compiler/guest.ts";
import { openJails } from "../../compiler/jails.ts";
import { openSnapshotStore, snapshotKey } from "../../compiler/snapshot-store.ts";
import { openBlobs } from "../../control/blobs.ts";
import { systemClock } from "../../control/clock.ts";
import { createControl, type Control } from "../../control/control.ts";
import { openRegistry } from "../../control/registry/registry.ts";
import type { Fleet, RegistryWriter } from "../../sdk/node.ts";
import type { ServeOptions } from "../../sdk/serve.ts";
import { compileRoutes } from "../gateway/route/table.ts";
import { engineVersion } from "../isolate/engine.ts";
import { GUEST_ENTRY, JAIL_MAIN, V8_FLAGS } from "../link/places.ts";
import type { Log } from "../observe/log.ts";

/** A check uses one child for the dry run and the snapshot, one for the probe. */
const JAILS_STANDING_BY = 2;

export interface ControlPlaneOptions {
  readonly options: ServeOptions;
  /** Folder for code that can be made again. */
  readonly cache: string;
  readonly fleet: Fleet;
  readonly log: Log;
  readonly release: string;
  readonly gatewayUrl: () => string;
  readonly workersReady: () => number;
}

export interface ControlPlane {
  readonly registry: RegistryWriter;
  readonly control: Control;
  readonly bundleSource: typeof bundleSource;
  listen(token: string): Promise<AdminServer>;
  /** After the node answers: what makes publishes and cold starts quick but is not needed to serve. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

export async function openControlPlane(parts: ControlPlaneOptions): Promise<ControlPlane> {
  const { options, fleet, log } = parts;
  const { data } = options;
  const registry = await openRegistry({ dir: join(data, "registry"), clock: systemClock });
  const guest = await buildGuest({ entry: GUEST_ENTRY, cacheDir: parts.cache });
  const store = openSnapshotStore(join(data, "snapshots"));
  const basis = { engine: engineVersion(), v8Flags: V8_FLAGS, guestHash: guest.hash };
  const jails = openJails({
    main: JAIL_MAIN,
    v8Flags: V8_FLAGS,
    compileCacheDir: process.env["NODE_COMPILE_CACHE"] ?? null,
    standby: JAILS_STANDING_BY,
  });
  const checker = createChecker({ guest, basis, store, jails });
  const blobs = openBlobs(join(data, "blobs"));
  const control = createControl({
    registry,
    blobs,
    checker,
    fleet,
    clock: systemClock,
    checkRoutes: compileRoutes,
    bundleSource,
    gatewayUrl: parts.gatewayUrl,
  });

  async function rebuildStale(): Promise<void> {
    for (const { versions } of registry.all()) {
      for (const version of versions) {
        if (version.start.kind !== "full") continue;
        if (store.read(snapshotKey(basis, version.bundle)) !== null) continue;
        await rebuild(checker, version.bundle, Buffer.from(blobs.read(version.bundle)).toString());
      }
    }
  }

  return {
    registry,
    control,
    bundleSource,
    listen(token) {
      const app = createAdminApi({
        control,
        registry,
        blobs,
        fleet,
        clock: systemClock,
        token,
        version: parts.release,
        workersReady: parts.workersReady,
        gatewayUrl: parts.gatewayUrl,
        host: options.adminHost,
        report: (error, requestId) =>
          log.write(
            "error",
            error instanceof Error ? (error.stack ?? error.message) : String(error),
            {
              request: requestId,
            },
          ),
      });
      return listenAdmin({ host: options.adminHost, port: options.adminPort, app });
    },
    async warm() {
      await checker.preparePlatform();
      await rebuildStale();
    },
    async close() {
      jails.close();
      await stopEsbuild();
      await registry.close();
    },
  };
}

/** A snapshot of another engine or release: workers start that version more slowly until it is made anew. */
async function rebuild(checker: PlatformChecker, bundleHash: string, code: string): Promise<void> {
  await checker.check({ format: "script", code, bundleHash });
}
