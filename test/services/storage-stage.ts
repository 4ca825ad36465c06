// A storage binding on the embedded storage, for tests of its calls and of the face that handlers see.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { ServicePort } from "../../sdk/services/service.ts";
import type { StorageBackend } from "../../sdk/services/storage.ts";
import { ServiceActor } from "../../services/actor.ts";
import { openDisk } from "../../services/storage/disk.ts";
import { createPresign } from "../../services/storage/disk/address.ts";
import { createStoragePort } from "../../services/storage/port.ts";
import { ADDRESS_KEY, ADDRESSED } from "./address-stage.ts";

/** Calls that wait; half of them of one endpoint. */
export const STAGE_QUEUE = 100;

export interface StorageStage extends AsyncDisposable {
  readonly folder: string;
  readonly actor: ServiceActor<StorageBackend>;
  readonly port: ServicePort;
}

/** Gives addresses that serveAddresses knows. */
export function openStageDisk(folder: string): Promise<StorageBackend> {
  const presign = createPresign(ADDRESS_KEY, { service: ADDRESSED, now: Date.now });
  return openDisk({ folder, presign });
}

export function createStorageStage({
  concurrency = 10,
  open = openStageDisk,
}: {
  readonly concurrency?: number;
  readonly open?: (folder: string) => Promise<StorageBackend>;
} = {}): StorageStage {
  const folder = mkdtempSync(join(tmpdir(), "islet-storage-"));
  const actor = new ServiceActor<StorageBackend>("files", {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: (error) => expect.fail(String(error)),
  });
  actor.start({
    limits: { concurrency, queue: STAGE_QUEUE, timeoutMs: 30_000 },
    open: () => open(folder),
  });
  return {
    folder,
    actor,
    port: createStoragePort({ actor, bucket: "shop/files", caller: "shop" }),
    async [Symbol.asyncDispose]() {
      await actor.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
