// What the disk answers a node that starts, when it is not the node's fault.

import { EdgeError } from "../../sdk/errors.ts";

const OF_THE_DISK: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO"]);
const OF_RIGHTS: ReadonlySet<unknown> = new Set(["EACCES", "EPERM"]);
/** LMDB has numbers. */
const OF_LMDB: ReadonlySet<unknown> = new Set([5, 13, 28, 30, 122]);

/** DATA_UNWRITABLE with the reason; what has nothing to do with the disk as it is. */
export function diskFault(cause: unknown, folder: string): unknown {
  if (!(cause instanceof Error) || cause instanceof EdgeError) return cause;
  const code: unknown = Reflect.get(cause, "code");
  const path: unknown = Reflect.get(cause, "path");
  const isBelow = typeof path === "string" && path.startsWith(folder);
  const isDisk = OF_THE_DISK.has(code) || OF_LMDB.has(code) || (isBelow && OF_RIGHTS.has(code));
  if (!isDisk) return cause;
  const message = `${folder} cannot be used: ${cause.message}`;
  return new EdgeError("DATA_UNWRITABLE", message, { detail: { path: folder }, cause });
}
