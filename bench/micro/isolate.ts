// An isolate as a worker has it, with the real guest and one handler in its snapshot, for those who cross into it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bundle, stopEsbuild } from "../../compiler/bundle.ts";
import { buildGuest } from "../../compiler/guest.ts";
import { snapshotScripts } from "../../compiler/script.ts";
import { WARM_UP } from "../../compiler/warm-up.ts";
import { createEngine, makeSnapshot, newCells } from "../../runtime/isolate/engine.ts";
import { GUEST_ENTRY } from "../../runtime/link/places.ts";

const TIMEOUT_MS = 5_000;

/** Runs a slice of these records on this thread. */
export type Enter = (packed: string) => void;

/** `onLeave` is told what each slice sends. */
export async function openIsolate(
  entry: string,
  onLeave: (packed: string) => void,
): Promise<Enter> {
  const cacheDir = mkdtempSync(join(tmpdir(), "islet-bench-"));
  const guest = await buildGuest({ entry: GUEST_ENTRY, cacheDir });
  rmSync(cacheDir, { recursive: true, force: true });
  const { code } = await bundle({ entry, cwd: dirname(entry) });
  await stopEsbuild();
  const snapshot = makeSnapshot(snapshotScripts(guest.code, code), WARM_UP);
  const engine = await createEngine({ memoryMb: 128, snapshot, onCatastrophic: () => {} });
  await engine.boot(
    {
      cells: newCells(),
      leaveInline: (_slice, _settled, packed) => onLeave(packed),
      leavePool: () => {},
      encodings: new SharedArrayBuffer(0),
      seed: new Uint8Array(32),
      env: "{}",
      now: 0,
    },
    TIMEOUT_MS,
  );
  let slice = 0;
  return (packed) => engine.enterInline(++slice, 0, packed, [], TIMEOUT_MS);
}
