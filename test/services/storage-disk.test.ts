import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDisk } from "../../services/storage/disk.ts";
import { describeStorageContract } from "../contracts/storage.ts";

describeStorageContract("disk", async () => {
  const folder = mkdtempSync(join(tmpdir(), "islet-storage-"));
  const backend = await openDisk({ folder });
  return {
    backend,
    presigns: false,
    async [Symbol.asyncDispose]() {
      await backend.close();
      rmSync(folder, { recursive: true });
    },
  };
});
