// Workers that are started before the supervisor has loaded its own code, which takes as long as theirs does: both load
// at the same time. They connect and wait until the keeper takes them over and tells them their configuration, as one
// does that stands by. Only where none is there to be adopted, and without another user, whose rights are not known
// yet.

import { rmSync } from "node:fs";
import { witnessPath } from "../../link/witness.ts";
import { controlSocketPath } from "../control-socket.ts";
import { findWorkers } from "../processes.ts";
import { openConfinement } from "../rights/confinement.ts";
import { spawnWorker, type WorkerHandle, type WorkerStart } from "../worker-process.ts";
import { openControlServer, type ControlServer } from "./control-server.ts";

interface EarlyWorker {
  readonly number: number;
  readonly handle: WorkerHandle;
}

export interface EarlyStart {
  readonly start: WorkerStart;
  readonly control: ControlServer;
  readonly workers: readonly EarlyWorker[];
  /** Whoever is still there. */
  end(): void;
}

/** `data`: a folder that this process has locked. null: workers of a supervisor that died are to be met first. */
export async function startEarly(data: string, count: number): Promise<EarlyStart | null> {
  const socketPath = controlSocketPath(data);
  if (findWorkers(socketPath).length > 0) return null;
  const control = await openControlServer(socketPath, null);
  // Which port is another user's concern only.
  const start = { confinement: openConfinement({ account: null, port: 0 }), home: null };
  const workers: EarlyWorker[] = [];
  for (let number = 1; number <= count; number++) {
    rmSync(witnessPath(data, number), { force: true });
    workers.push({ number, handle: spawnWorker(number, socketPath, start) });
  }
  return {
    start,
    control,
    workers,
    end() {
      control.close();
      for (const { handle } of workers) handle.kill();
    },
  };
}
