import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeStorageContract } from "../contracts/storage.ts";
import { serveAddresses } from "./address-stage.ts";
import { createStorageStage, openStageDisk } from "./storage-stage.ts";

describeStorageContract("disk", async () => {
  const folder = mkdtempSync(join(tmpdir(), "islet-storage-"));
  const backend = await openStageDisk(folder);
  const stage = createStorageStage({ open: () => openStageDisk(folder) });
  const addresses = await serveAddresses(stage.actor);
  return {
    backend,
    origin: addresses.origin,
    async [Symbol.asyncDispose]() {
      await addresses[Symbol.asyncDispose]();
      await stage[Symbol.asyncDispose]();
      await backend.close();
      rmSync(folder, { recursive: true });
    },
  };
});
