// The honest neighbour's client: see probe-thread.ts.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { ProbeData, Stretch } from "./probe-thread.ts";

/** What the neighbour of all attacks is asked, and how often. */
export const PROBE_EVERY_MS = 20;

export class Probe implements AsyncDisposable {
  readonly #thread: Worker;

  constructor(port: number, path: string, answer: string) {
    const workerData: ProbeData = { port, path, answer, everyMs: PROBE_EVERY_MS };
    this.#thread = new Worker(new URL("probe-thread.ts", import.meta.url), { workerData });
  }

  begin(): void {
    this.#thread.postMessage("begin");
  }

  async end(): Promise<Stretch> {
    const answer = once(this.#thread, "message");
    this.#thread.postMessage("end");
    const [stretch] = (await answer) as [Stretch];
    return stretch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread.terminate();
  }
}
