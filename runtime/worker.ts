// Composition root of the data plane: one worker process. It says hello on the control socket, is told its
// configuration, listens, and from then on serves, whatever becomes of the supervisor: when the socket closes it
// goes on and dials until another supervisor answers. It ends when it is told to, or when nobody can come any more.
//
// Arguments: path of the control socket, number of this worker.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { loadUws } from "./http/uws.ts";
import { encodingTables } from "./isolate/encoding-tables.ts";
import { safeEngineVersion } from "./isolate/engine.ts";
import { EdgeError, errorData } from "../sdk/errors.ts";
import { EMPTY_GATEWAY, type GatewayConfig } from "../sdk/gateway/config.ts";
import type { LongSlices } from "../sdk/node.ts";
import { openDialer, type Dialer } from "./link/dialer.ts";
import { diskFault } from "./link/disk-fault.ts";
import type { Condemnation, ToSupervisor, ToWorker, WorkerConfig } from "./link/messages.ts";
import { createLog } from "./observe/log.ts";
import { startDataPlane, type DataPlane } from "./worker/data-plane.ts";
import { WorkerSlices } from "./worker/slices.ts";
import { allowLateTimers } from "./worker/timer-slack.ts";

/** The supervisor takes a worker for wedged when several of these are missing. */
const BEAT_MS = 250;
/**
 * Who is told nothing for so long stands by, and the node has started. The tables take some hundredths of a second, for
 * which the first request of the worker waits otherwise.
 */
const STANDING_BY_MS = 1_000;

const [, , socketPath = "", number = "0"] = process.argv;

allowLateTimers();

let config: WorkerConfig | null = null;
let plane: DataPlane | null = null;
let slices: WorkerSlices | null = null;
/** Why this worker has to be replaced. */
let condemned: Condemnation | null = null;
/** Told before the configuration. */
let isolateBytes: number = Number.POSITIVE_INFINITY;
/** Told before the configuration, and again with each change of its file. */
let gateway: GatewayConfig = EMPTY_GATEWAY;
let orphaned = false;
let ending = false;

const supervisor: Dialer<ToSupervisor> = openDialer<ToWorker, ToSupervisor>(socketPath, {
  connected: introduce,
  message: (message) => void handle(message),
  lost,
});
// A terminal's Ctrl-C reaches every process in it; when to stop is the supervisor's to say.
process.on("SIGINT", () => {});
process.on("SIGTERM", terminate);
// Whoever read them may have died with the supervisor.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});
preload();
setInterval(() => {
  const brisk = slices?.beat() ?? false;
  if (supervisor.heard) supervisor.send({ type: "beat", brisk });
}, BEAT_MS).unref();

/** While this worker stands by: what costs time when it has to take another's place at once. */
function preload(): void {
  try {
    loadUws();
  } catch {
    // Told when it is asked to listen with it; the other listener does without.
  }
  setTimeout(() => {
    if (config === null) encodingTables();
  }, STANDING_BY_MS).unref();
}

function introduce(): void {
  orphaned = false;
  supervisor.send({ type: "hello", pid: process.pid, config, ending });
  slices?.follow(tellSlices);
  if (ending) return;
  if (plane !== null) announce(plane);
  if (condemned !== null) supervisor.send({ type: "condemned", condemnation: condemned });
}

function announce(serving: DataPlane): void {
  supervisor.send({ type: "read", revision: serving.refresh() });
  supervisor.send({ type: "listening", port: serving.port });
}

function tellSlices(long: LongSlices): void {
  supervisor.send({ type: "long", slices: long });
}

function lost(): void {
  slices?.follow(null);
  if (ending) return;
  if (config === null) {
    // Nobody is served by it, so nobody misses it.
    process.kill(process.pid, "SIGKILL");
  } else if (config.dev || !existsSync(join(config.data, "run"))) {
    // Nobody starts a node in a folder that is gone.
    void end(config.drainTimeoutMs);
  } else if (!orphaned) {
    orphaned = true;
    const log = createLog({ format: config.logFormat, tag: `worker-${number}` });
    log.write("warn", "The supervisor is gone. This worker goes on; edge serve takes it over.");
    log.flush();
  }
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "configure":
      await start(message.config);
      break;
    case "budget":
      isolateBytes = message.isolateBytes;
      break;
    case "gateway":
      takeGateway(message.ask, message.config);
      break;
    case "announce":
      if (plane !== null) supervisor.send({ type: "read", revision: plane.refresh() });
      break;
    case "prepare":
      await prepare(message.ask, message.version);
      break;
    case "forget":
      plane?.forget(message.endpoint);
      break;
    case "stats":
      if (plane !== null) {
        supervisor.send({ type: "stats", ask: message.ask, stats: plane.stats() });
      }
      break;
    case "metrics":
      if (plane !== null) {
        supervisor.send({ type: "metrics", ask: message.ask, samples: plane.samples() });
      }
      break;
    case "explain": {
      const account = plane?.explain(message.request) ?? null;
      supervisor.send({ type: "explained", ask: message.ask, account });
      break;
    }
    case "purge":
      await plane?.purge(message.purge);
      supervisor.send({ type: "purged", ask: message.ask });
      break;
    case "call":
      await call(message);
      break;
    case "probe":
      await probe(message.ask, message.service);
      break;
    case "scheduled": {
      const end = (await plane?.runScheduled(message.scheduled)) ?? null;
      supervisor.send({ type: "scheduled", ask: message.ask, end });
      break;
    }
    case "look-closely":
      plane?.lookClosely(message.forMs);
      break;
    case "turn":
      slices?.turn(message.given);
      break;
    case "drain":
      await end(message.timeoutMs, message.lingerMs);
      break;
  }
}

async function start(wanted: WorkerConfig): Promise<void> {
  config = wanted;
  try {
    const engine = safeEngineVersion();
    slices = new WorkerSlices(config.poolSlicesMax);
    slices.follow(tellSlices);
    plane = await startDataPlane({
      config,
      worker: Number(number),
      engine,
      gateway,
      slices: slices.host,
      isolateBytes: () => isolateBytes,
      onCondemned: condemn,
    });
    announce(plane);
  } catch (cause) {
    config = null;
    const error = diskFault(cause, wanted.data);
    if (!(error instanceof EdgeError)) process.stderr.write(`${inspect(error)}\n`);
    supervisor.send({ type: "failed", error: errorData(error) });
  }
}

function condemn(condemnation: Condemnation): void {
  condemned = condemnation;
  supervisor.send({ type: "condemned", condemnation });
}

/** Only by hand, or with the whole node: a supervisor says `drain`. */
function terminate(): void {
  if (config === null) process.kill(process.pid, "SIGKILL");
  else if (orphaned) void end(config.drainTimeoutMs);
  else condemn({ reason: "terminated", text: "it was told to end by SIGTERM", culprit: null });
}

async function prepare(ask: number, version: Parameters<DataPlane["prepare"]>[0]): Promise<void> {
  try {
    await plane?.prepare(version);
    supervisor.send({ type: "prepared", ask, error: null });
  } catch (error) {
    supervisor.send({ type: "prepared", ask, error: errorData(error) });
  }
}

async function call({ ask, call: asked, args }: ToWorker & { type: "call" }): Promise<void> {
  try {
    if (plane === null) throw new EdgeError("SHUTTING_DOWN");
    supervisor.send({ type: "called", ask, result: await plane.callService(asked, args) });
  } catch (error) {
    if (!(error instanceof EdgeError)) process.stderr.write(`${inspect(error)}\n`);
    supervisor.send({ type: "called", ask, result: errorData(error) });
  }
}

async function probe(ask: number, service: string): Promise<void> {
  try {
    if (plane === null) throw new EdgeError("SHUTTING_DOWN");
    supervisor.send({ type: "probed", ask, result: await plane.probe(service) });
  } catch (error) {
    if (!(error instanceof EdgeError)) process.stderr.write(`${inspect(error)}\n`);
    supervisor.send({ type: "probed", ask, result: errorData(error) });
  }
}

function takeGateway(ask: number, wanted: GatewayConfig): void {
  const before = gateway;
  gateway = wanted;
  try {
    plane?.configureGateway(wanted);
    supervisor.send({ type: "gateway-taken", ask, error: null });
  } catch (error) {
    // The supervisor has checked it: only a publish at the same moment can stand against it.
    gateway = before;
    plane?.configureGateway(before);
    supervisor.send({ type: "gateway-taken", ask, error: errorData(error) });
  }
}

async function end(timeoutMs: number, lingerMs = 0): Promise<void> {
  if (ending) return;
  ending = true;
  await plane?.drain(timeoutMs, lingerMs);
  supervisor.send({ type: "drained" });
  supervisor.close();
  // An isolate's stuck thread would keep a plain exit waiting for ever.
  process.kill(process.pid, "SIGKILL");
}
