// Listings of the embedded storage. Keys that a delimiter tells together are jumped over, so that a folder costs one
// look whatever is in it.

import { EdgeError } from "../../../sdk/errors.ts";
import type { StorageListing, StorageObject, StorageQuery } from "../../../sdk/services/storage.ts";
import { objectOf, type DiskIndex, type ObjectRow } from "./disk-index.ts";

const CURSOR = /^([kp])(.+)$/s;
const NO_HTTP = {
  contentType: null,
  contentLanguage: null,
  contentDisposition: null,
  contentEncoding: null,
  cacheControl: null,
  cacheExpiryMs: null,
};

export function listObjects(index: DiskIndex, scope: string, query: StorageQuery): StorageListing {
  const { prefix, delimiter, limit, withMetadata } = query;
  const objects: StorageObject[] = [];
  const prefixes: string[] = [];
  const to = successor(prefix);
  let last = "";
  let from: Buffer | null = startOf(query);
  while (from !== null) {
    const start: Buffer = from;
    from = null;
    for (const { key: bytes, row } of index.objects(scope, { from: start, to })) {
      if (objects.length + prefixes.length === limit) {
        return { objects, prefixes, cursor: Buffer.from(last).toString("base64url") };
      }
      const key = bytes.toString();
      const end = delimiter === null ? -1 : key.indexOf(delimiter, prefix.length);
      if (delimiter === null || end < 0) {
        objects.push(withMetadata ? objectOf(key, row()) : plainObject(key, row()));
        last = `k${key}`;
        continue;
      }
      const common = key.slice(0, end + delimiter.length);
      prefixes.push(common);
      last = `p${common}`;
      from = successor(common);
      break;
    }
  }
  return { objects, prefixes, cursor: null };
}

function plainObject(key: string, row: ObjectRow): StorageObject {
  const { md5 } = objectOf(key, row).checksums;
  const checksums = md5 === undefined ? {} : { md5 };
  return { ...objectOf(key, row), http: NO_HTTP, custom: {}, checksums };
}

function startOf({ prefix, cursor, startAfter }: StorageQuery): Buffer | null {
  const first = Buffer.from(prefix);
  const from = cursor === null ? behind(startAfter) : resume(cursor);
  return from === null || Buffer.compare(from, first) < 0 ? first : from;
}

/** Behind a key, or behind all keys that begin with what was told together. */
function resume(cursor: string): Buffer | null {
  const [, kind, text = ""] = CURSOR.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  if (kind === "k") return behind(text);
  if (kind === "p") return successor(text);
  throw new EdgeError("SERVICE_INPUT", "cursor: one that a listing gave is expected.");
}

function behind(key: string | null): Buffer | null {
  return key === null ? null : Buffer.from(`${key}\0`);
}

/** The first bytes behind all that begin with the text; null for the empty text. */
function successor(text: string): Buffer | null {
  const bytes = Buffer.from(text);
  const at = bytes.byteLength - 1;
  // UTF-8 has no byte 255, so that one more is always a byte.
  if (at >= 0) bytes[at] = (bytes[at] ?? 0) + 1;
  return at < 0 ? null : bytes;
}
