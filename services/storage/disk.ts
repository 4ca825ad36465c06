// The embedded storage: contents in files, all else in an index, in one folder that every worker of the node uses at
// once. Nothing is half there: content is on the disk (fdatasync, and its folder) before the transaction that names it,
// which is on the disk before `put` resolves. Content that nobody uses goes with the last object that did, or, after a
// crash, when a storage is next opened.

import { join } from "node:path";
import type { StorageBackend } from "../../sdk/services/storage.ts";
import { BlobFolder } from "./disk/blob-folder.ts";
import { DiskIndex } from "./disk/disk-index.ts";
import { listObjects } from "./disk/listing.ts";
import { openRows } from "./disk/rows.ts";
import { DiskStorage } from "./disk/disk-storage.ts";

export interface DiskOptions {
  /** Made if it is not there. */
  readonly folder: string;
  /** Makes an address of the object (disk/address.ts). */
  readonly presign: (...args: Parameters<StorageBackend["presign"]>) => string;
  /** The wall clock. */
  readonly now?: () => number;
}

export async function openDisk({
  folder,
  presign,
  now = Date.now,
}: DiskOptions): Promise<StorageBackend> {
  const rows = await openRows(join(folder, "index"));
  const blobs = new BlobFolder(folder);
  await blobs.prepare();
  const index = new DiskIndex(rows);
  const storage = new DiskStorage({ blobs, index, now });
  await storage.tidyUp();
  return {
    probe: async () => ({ version: "embedded" }),
    close: () => rows.close(),
    head: async (scope, key) => storage.head({ scope, key }),
    get: (scope, { key, range, conditions }) => storage.get({ scope, key }, { range, conditions }),
    put: (scope, put, signal) => storage.put(scope, put, signal),
    delete: (scope, keys) => storage.delete(scope, keys),
    list: async (scope, query) => listObjects(index, scope, query),
    createUpload: (scope, head) => storage.createUpload(scope, head),
    uploadPart: (scope, { key, id }, part, signal) =>
      storage.uploadPart({ scope, key, id }, part, signal),
    completeUpload: (scope, { key, id }, parts) => storage.complete({ scope, key, id }, parts),
    abortUpload: (scope, { key, id }) => storage.abort({ scope, key, id }),
    presign: async (...args) => presign(...args),
  };
}
