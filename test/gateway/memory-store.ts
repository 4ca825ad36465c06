// The node's shared rows for tests of one process, in its memory.

import type { NodeStore, RowTable } from "../../runtime/gateway/shared/store.ts";

export function createMemoryStore(): NodeStore {
  return {
    servers: memoryTable(),
    limits: memoryTable(),
    open: memoryTable(),
    close: () => Promise.resolve(),
  };
}

function memoryTable<K>(): RowTable<K> {
  const rows = new Map<K, Float64Array>();
  const fill = (key: K, row: Float64Array): void => {
    const stored = rows.get(key);
    if (stored === undefined) row.fill(0);
    else row.set(stored);
  };
  return {
    read: fill,
    update(key, row, change) {
      fill(key, row);
      const wanted = change();
      if (wanted === "remove") rows.delete(key);
      else if (wanted) rows.set(key, row.slice());
    },
  };
}
