// Stack traces of handlers in the author's own files and lines: the version's source map is read when the first
// error of that version is logged, and kept for as long as the version serves.

import { createStackMapper, type StackMapper } from "../../compiler/source-map.ts";
import type { Blobs } from "../../sdk/node.ts";
import type { VersionRecord } from "../../sdk/records.ts";

export type MapStack = (version: VersionRecord, stack: string) => string;

export function createStackMaps(blobs: Pick<Blobs, "read">): MapStack {
  const mappers = new WeakMap<VersionRecord, StackMapper>();

  function mapperOf(version: VersionRecord): StackMapper {
    const known = mappers.get(version);
    if (known !== undefined) return known;
    const mapper = createStackMapper(readMap(version));
    mappers.set(version, mapper);
    return mapper;
  }

  function readMap({ map }: VersionRecord): string | null {
    if (map === null) return null;
    try {
      return Buffer.from(blobs.read(map)).toString("utf8");
    } catch {
      // Without its map a stack names the bundle's own lines.
      return null;
    }
  }

  return (version, stack) => mapperOf(version).mapStack(stack);
}
