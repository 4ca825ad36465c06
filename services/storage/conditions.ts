// Conditions and ranges as every backend understands them: RFC 9110 (13.2.2, 14.1.2), applied the way R2 does it.

import { EdgeError } from "../../sdk/errors.ts";
import type {
  StorageConditions,
  StorageObject,
  StorageRange,
  StorageSpan,
} from "../../sdk/services/storage.ts";

/** `object`: what is stored under the key now, null when nothing is. */
export function holds(
  conditions: StorageConditions | null,
  object: Pick<StorageObject, "etag" | "uploadedMs"> | null,
): boolean {
  if (conditions === null) return true;
  const { etagMatches, etagDoesNotMatch, uploadedBeforeMs, uploadedAfterMs } = conditions;
  if (object === null) return etagMatches === null && uploadedAfterMs === null;
  const matches = etagMatches === null || names(etagMatches, object.etag);
  const differs = etagDoesNotMatch === null || !names(etagDoesNotMatch, object.etag);
  const time = (ms: number): number =>
    conditions.secondsGranularity ? Math.floor(ms / 1_000) : ms;
  const uploaded = time(object.uploadedMs);
  // An etag says more than a time: where it decides, the time beside it does not count.
  const isOld =
    uploadedBeforeMs === null || etagMatches !== null || uploaded < time(uploadedBeforeMs);
  const isNew =
    uploadedAfterMs === null || etagDoesNotMatch !== null || uploaded > time(uploadedAfterMs);
  return matches && differs && isOld && isNew;
}

function names(etags: readonly string[], etag: string): boolean {
  return etags.some((each) => each === "*" || each === etag);
}

/** Which bytes of an object of `size` a range means. */
export function spanOf(range: StorageRange | null, size: number): StorageSpan {
  if (range === null) return { offset: 0, length: size };
  if ("suffix" in range) {
    const length = Math.min(range.suffix, size);
    if (length === 0) throw unsatisfiable(size);
    return { offset: size - length, length };
  }
  if (range.offset >= size) throw unsatisfiable(size);
  const rest = size - range.offset;
  return { offset: range.offset, length: Math.min(range.length ?? rest, rest) };
}

export function unsatisfiable(size: number | null): EdgeError {
  const has = size === null ? "" : `, which has ${size} bytes`;
  return new EdgeError("SERVICE_INPUT", `The range lies outside of the object${has}.`);
}
