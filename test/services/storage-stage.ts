// A storage binding on the embedded storage, for tests of its calls and of the face that handlers see.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { ServicePort } from "../../sdk/services/service.ts";
import type { StorageBackend } from "../../sdk/services/storage.ts";
import { ServiceActor } from "../../services/actor.ts";
import { openDisk } from "../../services/storage/disk.ts";
import { createStoragePort } from "../../services/storage/port.ts";

export interface StorageStage extends AsyncDisposable {
  readonly folder: string;
  readonly actor: ServiceActor<StorageBackend>;
  readonly port: ServicePort;
}

export function createStorageStage(concurrency: number = 10): StorageStage {
  const folder = mkdtempSync(join(tmpdir(), "islet-storage-"));
  const actor = new ServiceActor<StorageBackend>("files", {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: (error) => expect.fail(String(error)),
  });
  actor.start({
    limits: { concurrency, queue: 100, timeoutMs: 30_000 },
    open: () => openDisk({ folder }),
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
