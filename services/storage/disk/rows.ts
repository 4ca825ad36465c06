// The rows of the embedded storage's index, in LMDB: in the order of their keys' bytes, read and written by every
// worker of the node. Writes are for within `change`.

import { openEnvironment } from "../../lmdb.ts";

export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface Rows {
  get(key: Buffer): Buffer | null;
  /** `from` is inclusive, `to` is not. */
  range(from: Buffer, to: Buffer): Iterable<Row>;
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
  /** Makes reads that follow see what every process has written until now. */
  refresh(): void;
  /**
   * Reads and writes as one step: nobody writes meanwhile. On the disk when it resolves. What `work` has written when
   * it throws stays written, so that it has to throw before.
   */
  change<T>(work: () => T): Promise<T>;
  close(): Promise<void>;
}

export async function openRows(folder: string): Promise<Rows> {
  const { environment, opening } = await openEnvironment(folder);
  // Making it is a write.
  const table = opening.update(() =>
    environment.openDB<Buffer, Buffer>({
      name: "storage",
      keyEncoding: "binary",
      encoding: "binary",
    }),
  );
  return {
    get: (key) => table.get(key) ?? null,
    range: (start, end) => table.getRange({ start, end }),
    put: (key, value) => {
      table.putSync(key, value);
    },
    remove: (key) => {
      table.removeSync(key);
    },
    refresh: () => environment.resetReadTxn(),
    async change(work) {
      const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof work>>();
      // It rejects only to whoever awaits the commit first.
      promise.catch(() => undefined);
      await opening.commit(async () => {
        await environment.transaction(() => {
          try {
            resolve(work());
          } catch (error) {
            reject(error);
          }
        });
        await environment.flushed;
      });
      return promise;
    },
    async close() {
      await environment.close();
      opening.close();
    },
  };
}
