// From a version's record to what an isolate starts from: its full snapshot when there is one for this engine,
// else the platform's and the bundle. A snapshot that is missing or stale costs time, never an answer.

import {
  codeCacheKey,
  snapshotKey,
  type SnapshotBasis,
  type SnapshotReader,
} from "../../compiler/snapshot-store.ts";
import { BUNDLE_FILE, GUEST_FILE, wrapScript } from "../../compiler/script.ts";
import type { Blobs } from "../../sdk/node.ts";
import type { VersionRecord } from "../../sdk/records.ts";
import type { Start } from "../isolate/load.ts";

export interface LoaderOptions {
  readonly blobs: Pick<Blobs, "read">;
  readonly snapshots: SnapshotReader;
  readonly basis: SnapshotBasis;
  readonly guestCode: string;
}

export function startOf(version: VersionRecord, options: LoaderOptions): Start {
  const { snapshots, basis } = options;
  if (version.start.kind === "full") {
    const snapshot = snapshots.read(snapshotKey(basis, version.bundle));
    if (snapshot !== null) return { kind: "full", snapshot };
  }
  const code = Buffer.from(options.blobs.read(version.bundle)).toString("utf8");
  return {
    kind: "platform",
    snapshot: snapshots.read(snapshotKey(basis, null)),
    guest: { code: options.guestCode, filename: GUEST_FILE },
    bundle: {
      code: version.format === "script" ? wrapScript(code) : code,
      filename: BUNDLE_FILE,
    },
    codeCache:
      version.format === "script" ? snapshots.read(codeCacheKey(basis, version.bundle)) : null,
    format: version.format,
  };
}
