// One worker as the supervisor sees it: its process, its end of the control socket, what it has said so far.

import { spawn, type ChildProcess } from "node:child_process";
import type { Channel } from "../link/channel.ts";
import type { ToWorker, WorkerConfig } from "../link/messages.ts";
import { V8_FLAGS, WORKER_MAIN } from "../link/places.ts";
import { workerEnvironment } from "./environment.ts";

export type WorkerState =
  /** Started, not configured: stands by to take a dead worker's place. */
  "standby" | "starting" | "serving" | "draining" | "gone";

export class WorkerProcess {
  readonly number: number;
  readonly child: ChildProcess;
  readonly startedMs: number;
  state: WorkerState = "standby";
  channel: Channel<ToWorker> | null = null;
  /** Wanted before it has connected: sent as soon as it does. */
  config: WorkerConfig | null = null;
  revision = 0;
  lastBeatMs: number;

  constructor(number: number, socketPath: string, now: number) {
    this.number = number;
    this.startedMs = now;
    this.lastBeatMs = now;
    this.child = spawn(
      process.execPath,
      ["--no-node-snapshot", ...V8_FLAGS, WORKER_MAIN, socketPath, `${number}`],
      { env: workerEnvironment(), stdio: ["ignore", "inherit", "inherit"] },
    );
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  send(message: ToWorker): void {
    this.channel?.send(message);
  }

  configure(config: WorkerConfig): void {
    this.state = "starting";
    this.config = config;
    this.send({ type: "configure", config });
  }

  connected(channel: Channel<ToWorker>, now: number): void {
    this.channel = channel;
    this.lastBeatMs = now;
    if (this.config !== null) this.send({ type: "configure", config: this.config });
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }
}
