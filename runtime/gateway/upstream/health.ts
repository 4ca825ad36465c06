// Active health checks: a GET to each server now and then. Each check is made by one worker for the whole node: who
// first finds it due takes it, in the row that all share, so a server sees as many checks as its configuration says
// whatever the number of workers, and they go on when a worker dies. A server that is new is checked at once.

import type { HealthConfig } from "../../../sdk/gateway/config.ts";
import type { Dispatcher } from "./connections.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import type { Server } from "./server.ts";

/** Intervals vary by so much either way, so that checks of many servers spread. */
const JITTER = 0.1;

export interface HealthEvents {
  /** It went down or came back; said by the worker that saw it. */
  changed(upstream: string, url: string, isWell: boolean): void;
}

interface CheckHost {
  readonly random: () => number;
  readonly health: HealthEvents;
  readonly now: () => number;
}

export class HealthChecks {
  readonly #upstream: string;
  readonly #config: HealthConfig;
  readonly #servers: readonly Server[];
  readonly #host: CheckHost;
  readonly #running = new Set<Check>();
  #isClosed = false;

  constructor(upstream: string, config: HealthConfig, servers: readonly Server[], host: CheckHost) {
    this.#upstream = upstream;
    this.#config = config;
    this.#servers = servers;
    this.#host = host;
  }

  /** About ten times a second. */
  look(now: number): void {
    for (const check of this.#running) {
      check.expire(now, this.#config.timeoutMs);
      if (check.isOver) this.#running.delete(check);
    }
    if (this.#isClosed) return;
    for (const server of this.#servers) {
      const everyMs = this.#config.intervalMs * (1 + JITTER * (2 * this.#host.random() - 1));
      if (server.claimCheck(everyMs)) this.#check(server, now);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const check of this.#running) check.cut();
  }

  #check(server: Server, now: number): void {
    const { path, statusMin, statusMax } = this.#config;
    const check = new Check(now, (status) => {
      if (this.#isClosed) return;
      const isWell = status >= statusMin && status <= statusMax;
      const isChanged = server.checked(isWell, this.#config);
      if (isChanged) this.#host.health.changed(this.#upstream, server.url, isWell);
    });
    this.#running.add(check);
    server.connections.dispatch(
      {
        method: "GET",
        path,
        headers: ["host", server.connections.authority, "user-agent", "islet-health"],
        blocking: false,
      },
      check,
    );
  }
}

class Check implements Dispatcher.DispatchHandler {
  readonly #startedMs: number;
  readonly #done: (status: number) => void;
  #controller: Dispatcher.DispatchController | null = null;
  /** Its reply has ended too. */
  isOver = false;
  #isDone = false;

  /** `done` is told the status, or 0; once. */
  constructor(startedMs: number, done: (status: number) => void) {
    this.#startedMs = startedMs;
    this.#done = done;
  }

  expire(now: number, timeoutMs: number): void {
    if (now - this.#startedMs > timeoutMs) this.cut();
  }

  cut(): void {
    this.isOver = true;
    this.#controller?.abort(new EdgeError("CANCELLED"));
    this.#finish(0);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.isOver) controller.abort(new EdgeError("CANCELLED"));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status >= 200) this.#finish(status);
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    this.isOver = true;
  }

  onResponseError(): void {
    this.isOver = true;
    this.#finish(0);
  }

  #finish(status: number): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#done(status);
  }
}
