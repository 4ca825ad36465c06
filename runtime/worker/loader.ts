// From a version's record to what an isolate starts from. Where the checker has left a code cache, since the top level
// is quick: an isolate made ahead, or one from the platform's snapshot, which is in memory, while to read and hash
// megabytes of the version's own takes longer than its top level. Else the version's full snapshot when there is one
// for this engine, else the platform's and the bundle. What is missing or stale costs time, never an answer.

import { join } from "node:path";
import { buildGuest } from "../../compiler/guest.ts";
import {
  codeCacheKey,
  openSnapshotReader,
  snapshotKey,
  type SnapshotBasis,
  type SnapshotReader,
} from "../../compiler/snapshot-store.ts";
import { BUNDLE_FILE, GUEST_FILE, wrapScript } from "../../compiler/script.ts";
import { openBlobReader } from "../../control/blobs.ts";
import { resolveLimits } from "../../sdk/limits.ts";
import type { Blobs } from "../../sdk/node.ts";
import type { VersionRecord } from "../../sdk/records.ts";
import { SharedSnapshot } from "../isolate/engine.ts";
import type { Start } from "../isolate/load.ts";
import { Stock } from "../isolate/life/stock.ts";
import type { SliceHost } from "../isolate/slice/contract.ts";
import type { Condemnation, WorkerConfig } from "../link/messages.ts";
import { GUEST_ENTRY, V8_FLAGS } from "../link/places.ts";

export interface LoaderOptions {
  readonly blobs: Pick<Blobs, "read">;
  readonly snapshots: SnapshotReader;
  readonly basis: SnapshotBasis;
  readonly guestCode: string;
  /** The platform's snapshot, read once. */
  readonly platform: () => SharedSnapshot | null;
}

export interface StartNeeds {
  readonly stock: Pick<Stock, "take">;
  readonly memoryMb: number;
}

/** `engine`: isolated-vm's version. */
export async function openLoader(
  { data, cache }: { data: string; cache: string },
  engine: string,
): Promise<LoaderOptions> {
  const guest = await buildGuest({ entry: GUEST_ENTRY, cacheDir: cache });
  const snapshots = openSnapshotReader(join(data, "snapshots"));
  const basis = { engine, v8Flags: V8_FLAGS, guestHash: guest.hash };
  let shared: SharedSnapshot | null = null;
  return {
    blobs: openBlobReader(join(data, "blobs")),
    snapshots,
    basis,
    guestCode: guest.code,
    platform() {
      const bytes = shared === null ? snapshots.read(snapshotKey(basis, null)) : null;
      if (bytes !== null) shared = new SharedSnapshot(bytes);
      return shared;
    },
  };
}

export function startOf(
  version: VersionRecord,
  options: LoaderOptions,
  { stock, memoryMb }: StartNeeds,
): Start {
  const { snapshots, basis } = options;
  const platform = options.platform();
  const codeCache =
    version.format === "script" ? snapshots.read(codeCacheKey(basis, version.bundle)) : null;
  if (version.start.kind !== "platform" && (codeCache === null || platform === null)) {
    const snapshot = snapshots.read(snapshotKey(basis, version.bundle));
    if (snapshot !== null) return { kind: "full", snapshot };
  }
  const code = Buffer.from(options.blobs.read(version.bundle)).toString("utf8");
  return {
    kind: "platform",
    blank: stock.take(memoryMb),
    snapshot: platform,
    guest: { code: options.guestCode, filename: GUEST_FILE },
    bundle: {
      code: version.format === "script" ? wrapScript(code) : code,
      filename: BUNDLE_FILE,
    },
    codeCache,
    format: version.format,
  };
}

export interface StockNeeds {
  readonly config: Pick<WorkerConfig, "cordon" | "limitMax">;
  readonly slices: SliceHost;
  readonly onCondemned: (condemnation: Condemnation) => void;
}

export function openStock(
  { platform }: LoaderOptions,
  { config, slices, onCondemned }: StockNeeds,
): Stock {
  return new Stock({
    memoryMb: resolveLimits({}, config.limitMax).memoryMb,
    // Hardly anything is ever loaded in a cordon.
    snapshot: () => (config.cordon === null ? platform() : null),
    places: slices.places,
    utilization: () => performance.eventLoopUtilization(),
    onCatastrophic(error) {
      const text = `an isolate that was nobody's broke: ${error}`;
      onCondemned({ reason: "catastrophic", text, culprit: null });
    },
  });
}
