// The workers as one: asks all of them, waits for all of them. A worker that dies while it is asked counts as
// having agreed, since its replacement reads the registry anew; one that does not answer in time is killed for
// the same reason.

import { EdgeError, type ErrorData } from "../../sdk/errors.ts";
import type { Fleet, WorkerStats } from "../../sdk/node.ts";
import type { MetricSamples, ToSupervisor, ToWorker } from "../link/messages.ts";
import { addSamples, metricsText, type Samples } from "../observe/metrics.ts";
import type { Keeper } from "./keeper.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** Loading an isolate takes milliseconds, with top-level await up to a second. */
const PREPARE_MS_MAX = 10_000;
/** Reading the registry and swapping pointers. */
const ANNOUNCE_MS_MAX = 5_000;
const STATS_MS_MAX = 1_000;

interface Ask {
  readonly worker: WorkerProcess;
  answered(message: ToSupervisor | null): void;
}

export interface WorkerFleet extends Fleet {
  /** For the keeper to call with what workers say. */
  message(worker: WorkerProcess, message: ToSupervisor): void;
  gone(worker: WorkerProcess): void;
}

export function createFleet(keeper: () => Keeper): WorkerFleet {
  const asks = new Map<number, Ask>();
  const readers = new Set<{ worker: WorkerProcess; revision: number; done: () => void }>();
  let lastAsk = 0;

  /** null: the worker is gone, or did not answer in time (`late` is called then). */
  function ask(
    worker: WorkerProcess,
    message: (ask: number) => ToWorker,
    timeoutMs: number,
    late: () => void,
  ): Promise<ToSupervisor | null> {
    return new Promise((resolve) => {
      const id = ++lastAsk;
      const timer = setTimeout(() => {
        asks.delete(id);
        late();
        resolve(null);
      }, timeoutMs);
      asks.set(id, {
        worker,
        answered(answer) {
          clearTimeout(timer);
          asks.delete(id);
          resolve(answer);
        },
      });
      worker.send(message(id));
    });
  }

  function read(worker: WorkerProcess, revision: number): Promise<void> {
    if (worker.revision >= revision || worker.state === "gone") return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => worker.kill(), ANNOUNCE_MS_MAX);
      const reader = {
        worker,
        revision,
        done() {
          clearTimeout(timer);
          readers.delete(reader);
          resolve();
        },
      };
      readers.add(reader);
      worker.send({ type: "announce", revision });
    });
  }

  return {
    get size() {
      return keeper().serving.length;
    },
    async prepare(version) {
      const workers = keeper().serving;
      let late = false;
      const answers = await Promise.all(
        workers.map((worker) =>
          ask(
            worker,
            (id) => ({ type: "prepare", ask: id, version }),
            PREPARE_MS_MAX,
            () => {
              late = true;
            },
          ),
        ),
      );
      const error = answers
        .map((answer): ErrorData | null => (answer?.type === "prepared" ? answer.error : null))
        .find((one) => one !== null);
      if (error === undefined && !late) return;
      for (const worker of workers) {
        worker.send({ type: "forget", endpoint: version.endpoint, version: version.id });
      }
      if (error === undefined || error === null) throw new EdgeError("PUBLISH_TIMEOUT");
      throw new EdgeError(error.code, error.message);
    },
    async announce(revision) {
      await Promise.all(
        keeper().workers.map((worker) => {
          if (worker.state === "serving") return read(worker, revision);
          worker.send({ type: "announce", revision });
          return Promise.resolve();
        }),
      );
    },
    async stats() {
      const answers = await Promise.all(
        keeper().serving.map((worker) =>
          ask(
            worker,
            (id) => ({ type: "stats", ask: id }),
            STATS_MS_MAX,
            () => {},
          ),
        ),
      );
      return answers.flatMap((answer): WorkerStats[] =>
        answer?.type === "stats" ? [answer.stats] : [],
      );
    },
    async metrics() {
      const answers = await Promise.all(
        keeper().serving.map((worker) =>
          ask(
            worker,
            (id) => ({ type: "metrics", ask: id }),
            STATS_MS_MAX,
            () => {},
          ),
        ),
      );
      const sum: Samples = {};
      for (const answer of answers) {
        const samples: MetricSamples = answer?.type === "metrics" ? answer.samples : {};
        addSamples(sum, samples);
      }
      return metricsText(sum);
    },
    message(worker, message) {
      if (message.type === "read") {
        for (const reader of readers) {
          if (reader.worker === worker && message.revision >= reader.revision) reader.done();
        }
      } else if ("ask" in message) {
        const waiting = asks.get(message.ask);
        if (waiting?.worker === worker) waiting.answered(message);
      }
    },
    gone(worker) {
      for (const reader of readers) if (reader.worker === worker) reader.done();
      for (const waiting of asks.values()) if (waiting.worker === worker) waiting.answered(null);
    },
  };
}
