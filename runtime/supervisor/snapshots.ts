// Keeps the snapshots and code caches of what is deployed fresh: after an upgrade of Node, the engine or the platform
// they are made anew in the background (until then those versions start more slowly), and old ones are thrown away.

import type { Checker, Blobs, RegistryReader } from "../../sdk/node.ts";
import {
  codeCacheKey,
  snapshotKey,
  type SnapshotBasis,
  type SnapshotStore,
} from "../../compiler/snapshot-store.ts";
import type { VersionRecord } from "../../sdk/records.ts";

/** Snapshots that no deployment names, kept for rollbacks: about 1.5 MB each. */
const SPARE_MAX = 100;
const AGE_MS_MAX: number = 30 * 24 * 60 * 60 * 1000;

export interface SnapshotParts {
  readonly registry: RegistryReader;
  readonly blobs: Blobs;
  readonly checker: Checker;
  readonly store: SnapshotStore;
  readonly basis: SnapshotBasis;
}

export async function refreshSnapshots(parts: SnapshotParts): Promise<void> {
  const { registry, store, basis } = parts;
  const versions = registry.all().flatMap((deployed) => deployed.versions);
  const stale = new Map<string, VersionRecord>();
  for (const version of versions) {
    if (version.start.kind === "platform") continue;
    // Whichever the checker has found to be quicker.
    const either = [codeCacheKey(basis, version.bundle), snapshotKey(basis, version.bundle)];
    if (either.every((key) => store.read(key) === null)) stale.set(version.bundle, version);
  }
  for (const version of stale.values()) await rebuild(parts, version);
  const keys = versions.flatMap(({ bundle }) => [
    snapshotKey(basis, bundle),
    codeCacheKey(basis, bundle),
  ]);
  store.prune({
    keep: new Set([...keys, snapshotKey(basis, null)]),
    countMax: SPARE_MAX,
    ageMsMax: AGE_MS_MAX,
    nowMs: Date.now(),
  });
}

async function rebuild({ blobs, checker }: SnapshotParts, version: VersionRecord): Promise<void> {
  const code = Buffer.from(blobs.read(version.bundle)).toString("utf8");
  await checker.check({ format: version.format, code, bundleHash: version.bundle, map: null });
}
