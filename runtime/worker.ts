// Composition root of the data plane: one worker process. It says hello on the control socket, is told its
// configuration, listens, and from then on serves, whatever becomes of the supervisor; when the socket closes
// it drains and ends.
//
// Arguments: path of the control socket, number of this worker.

import { createConnection } from "node:net";
import { inspect } from "node:util";
import { loadUws } from "./http/uws.ts";
import { engineVersion } from "./isolate/engine.ts";
import { EdgeError, errorData } from "../sdk/errors.ts";
import { openChannel, type Channel } from "./link/channel.ts";
import type { ToSupervisor, ToWorker, WorkerConfig } from "./link/messages.ts";
import { startDataPlane, type DataPlane } from "./worker/data-plane.ts";

/** A worker whose supervisor died drains for this long at most. */
const ORPHAN_DRAIN_MS = 10_000;
/** The supervisor takes a worker for wedged when several of these are missing. */
const BEAT_MS = 250;

const [, , socketPath = "", number = "0"] = process.argv;

// A terminal's Ctrl-C reaches every process in it; when to stop is the supervisor's to say.
process.on("SIGINT", () => {});

let plane: DataPlane | null = null;
let ending = false;

const channel: Channel<ToSupervisor> = openChannel<ToWorker, ToSupervisor>(
  createConnection(socketPath),
  {
    message: (message) => void handle(message),
    closed: () => void end(ORPHAN_DRAIN_MS),
  },
);
channel.send({ type: "hello", worker: Number(number), pid: process.pid });
preload();
setInterval(() => channel.send({ type: "beat" }), BEAT_MS).unref();

/** While this worker stands by: what costs time when it has to take another's place at once. */
function preload(): void {
  try {
    loadUws();
  } catch {
    // Told when it is asked to listen with it; the other listener does without.
  }
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "configure":
      await start(message.config);
      break;
    case "announce":
      if (plane !== null) channel.send({ type: "read", revision: plane.refresh() });
      break;
    case "prepare":
      await prepare(message.ask, message.version);
      break;
    case "forget":
      plane?.forget(message.endpoint);
      break;
    case "stats":
      if (plane !== null) channel.send({ type: "stats", ask: message.ask, stats: plane.stats() });
      break;
    case "metrics":
      if (plane !== null) {
        channel.send({ type: "metrics", ask: message.ask, samples: plane.samples() });
      }
      break;
    case "drain":
      await end(message.timeoutMs);
      break;
  }
}

async function start(config: WorkerConfig): Promise<void> {
  try {
    plane = await startDataPlane({
      config,
      worker: Number(number),
      engine: engineVersion(),
      onCondemned: (reason) => channel.send({ type: "condemned", reason }),
    });
    channel.send({ type: "read", revision: plane.refresh() });
    channel.send({ type: "listening", port: plane.port });
  } catch (error) {
    if (!(error instanceof EdgeError)) process.stderr.write(`${inspect(error)}\n`);
    channel.send({ type: "failed", error: errorData(error) });
  }
}

async function prepare(ask: number, version: Parameters<DataPlane["prepare"]>[0]): Promise<void> {
  try {
    await plane?.prepare(version);
    channel.send({ type: "prepared", ask, error: null });
  } catch (error) {
    channel.send({ type: "prepared", ask, error: errorData(error) });
  }
}

async function end(timeoutMs: number): Promise<void> {
  if (ending) return;
  ending = true;
  await plane?.drain(timeoutMs);
  channel.send({ type: "drained" });
  channel.close();
  // An isolate's stuck thread would keep a plain exit waiting for ever.
  process.kill(process.pid, "SIGKILL");
}
