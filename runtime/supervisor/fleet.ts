// The workers as one: asks all of them, waits for all of them. A worker that dies while it is asked counts as
// having agreed, since its replacement reads the registry anew; one that does not answer in time is killed for
// the same reason.

import { availableParallelism } from "node:os";
import { EdgeError, type ErrorData } from "../../sdk/errors.ts";
import type { GatewayConfig } from "../../sdk/gateway/config.ts";
import type { Purge } from "../../sdk/gateway/purge.ts";
import { cordonOf } from "../../sdk/isolation.ts";
import { LIMITS } from "../../sdk/limits.ts";
import type { Fleet, RequestAccount, WorkerRestarts, WorkerStats } from "../../sdk/node.ts";
import type { VersionRecord } from "../../sdk/records.ts";
import type { Scheduled, ScheduledEnd } from "../../sdk/schedule/schedule.ts";
import type { OperatorCall, ServiceProbe } from "../../sdk/services/service.ts";
import { packValue, unpackValue, type Value } from "../../sdk/services/values.ts";
import type { MetricSamples, ToSupervisor, ToWorker } from "../link/messages.ts";
import { addSamples, metricsText, type Samples } from "../observe/metrics.ts";
import type { Keeper } from "./keeper.ts";
import { LongTurns } from "./pools/long-turns.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** Loading an isolate takes milliseconds, with top-level await up to a second. */
const PREPARE_MS_MAX = 10_000;
/** Reading the registry and swapping pointers. */
const ANNOUNCE_MS_MAX = 5_000;
const STATS_MS_MAX = 1_000;
/** Opening and asking have ten seconds each in the worker. */
const PROBE_MS_MAX = 25_000;

/** The worker gives up a little sooner. */
const CALL_MS_MAX = 30_000;

/** A handler may be given an hour (LIMITS.wallMs); the worker holds it to its limit. */
const SCHEDULED_MS_MAX: number = LIMITS.wallMs.max + 10_000;

interface Ask {
  readonly worker: WorkerProcess;
  answered(message: ToSupervisor | null): void;
}

interface Reader {
  readonly worker: WorkerProcess;
  readonly revision: number;
  readonly done: () => void;
}

export class WorkerFleet implements Fleet {
  /** Of the gateway's configuration file; whoever follows it sets this. */
  reloads: () => { readonly ok: number; readonly failed: number } = () => ({ ok: 0, failed: 0 });
  readonly #keeper: () => Keeper;
  readonly #asks = new Map<number, Ask>();
  readonly #readers = new Set<Reader>();
  readonly #turns = new LongTurns<WorkerProcess>(availableParallelism());
  #lastAsk = 0;
  #purging: Promise<void> = Promise.resolve();
  /** Which worker is next to run by the clock. */
  #turn = 0;

  constructor(keeper: () => Keeper) {
    this.#keeper = keeper;
  }

  get size(): number {
    return this.#keeper().servingClients.length;
  }

  async prepare(version: VersionRecord): Promise<void> {
    const cordon = cordonOf(version.manifest);
    if (cordon !== null) await this.#openCordon(cordon);
    const workers = this.#keeper().serving;
    let late = false;
    const answers = await Promise.all(
      workers.map((worker) =>
        this.#ask(
          worker,
          (ask) => ({ type: "prepare", ask, version }),
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
  }

  async announce(revision: number): Promise<void> {
    await Promise.all(
      this.#keeper().workers.map((worker) => {
        // One that drains may be asked on connections that it has.
        if (worker.state !== "starting") return this.#read(worker, revision);
        worker.send({ type: "announce", revision });
        return Promise.resolve();
      }),
    );
    // Only now does nobody send requests to a cordon that is not needed any more.
    this.#keeper().cordons.settle(Date.now());
  }

  /** Resolves when every worker serves by it; rejects when one refuses it. */
  async configureGateway(config: GatewayConfig): Promise<void> {
    const { serving, all } = this.#keeper();
    for (const worker of all) {
      if (!serving.includes(worker)) worker.send({ type: "gateway", ask: 0, config });
    }
    const answers = await Promise.all(
      serving.map((worker) =>
        this.#ask(
          worker,
          (ask) => ({ type: "gateway", ask, config }),
          ANNOUNCE_MS_MAX,
          // Its replacement is told at its start.
          () => worker.kill(),
        ),
      ),
    );
    for (const answer of answers) {
      if (answer?.type !== "gateway-taken" || answer.error === null) continue;
      throw new EdgeError(answer.error.code, answer.error.message);
    }
  }

  async stats(): Promise<readonly WorkerStats[]> {
    const answers = await this.#askAll((ask) => ({ type: "stats", ask }));
    return answers.flatMap((answer): WorkerStats[] =>
      answer?.type === "stats" ? [answer.stats] : [],
    );
  }

  async explain(request: string): Promise<RequestAccount | null> {
    for (const answer of await this.#askAll((ask) => ({ type: "explain", ask, request }))) {
      if (answer?.type === "explained" && answer.account !== null) return answer.account;
    }
    return null;
  }

  /** One after the other, since each worker adds to what is there. */
  purge(purge: Purge): Promise<void> {
    const done = this.#purging.then(async () => {
      const answers = await this.#askAll((ask) => ({ type: "purge", ask, purge }));
      // One is enough: what it writes is everybody's.
      if (!answers.some((answer) => answer?.type === "purged")) throw new EdgeError("INTERNAL");
    });
    this.#purging = done.catch(() => undefined);
    return done;
  }

  async metrics(more: MetricSamples = {}): Promise<string> {
    const sum: Samples = {};
    for (const answer of await this.#askAll((ask) => ({ type: "metrics", ask }))) {
      const samples: MetricSamples = answer?.type === "metrics" ? answer.samples : {};
      addSamples(sum, samples);
    }
    const restarts: Record<string, number> = {};
    for (const [reason, count] of Object.entries(this.restarts().counts)) {
      restarts[`reason="${reason}"`] = count;
    }
    const { ok, failed } = this.reloads();
    return metricsText({
      ...sum,
      ...more,
      edge_worker_restarts_total: restarts,
      edge_config_reload_total: { 'outcome="ok"': ok, 'outcome="failed"': failed },
    });
  }

  restarts(): WorkerRestarts {
    return this.#keeper().restarts();
  }

  /** By a worker: only they may write what embedded services keep, and it is they who have to reach the server. */
  async probe(service: string): Promise<ServiceProbe> {
    const [worker] = this.#keeper().servingClients;
    if (worker === undefined) throw new EdgeError("SHUTTING_DOWN", "No worker serves just now");
    const message = (ask: number): ToWorker => ({ type: "probe", ask, service });
    const answer = await this.#ask(worker, message, PROBE_MS_MAX, () => {});
    if (answer?.type !== "probed") {
      throw new EdgeError("SERVICE_TIMEOUT", "The worker that was to ask the service is silent");
    }
    const { result } = answer;
    if ("code" in result) throw new EdgeError(result.code, result.message);
    return result;
  }

  /** By a worker, as `probe`. Resolves to [head, the rest as a list] where the answer goes on. */
  async callService(call: OperatorCall, args: readonly Value[]): Promise<Value> {
    const [worker] = this.#keeper().servingClients;
    if (worker === undefined) throw new EdgeError("SHUTTING_DOWN", "No worker serves just now");
    const { text, bytes } = packValue(args);
    const packed = { text, bytes: bytes && Buffer.from(bytes).toString("base64") };
    const message = (ask: number): ToWorker => ({ type: "call", ask, call, args: packed });
    const answer = await this.#ask(worker, message, CALL_MS_MAX, () => {});
    if (answer?.type !== "called") {
      throw new EdgeError("SERVICE_TIMEOUT", "The worker that was to ask the service is silent");
    }
    const { result } = answer;
    if ("code" in result) {
      const { code, message, detail = {} } = result;
      throw new EdgeError(code, message, { detail });
    }
    return unpackValue(
      result.text,
      result.bytes === null ? null : Buffer.from(result.bytes, "base64"),
    );
  }

  /**
   * By the first worker that takes it. null when none does, or when the one that took it is lost: what has begun is not
   * begun again.
   */
  async runScheduled(scheduled: Scheduled, cordon: string | null): Promise<ScheduledEnd | null> {
    const workers = this.#keeper().serving.filter(({ pool }) => (pool?.cordon ?? null) === cordon);
    const first = this.#turn++ % Math.max(1, workers.length);
    for (const worker of [...workers.slice(first), ...workers.slice(0, first)]) {
      const message = (ask: number): ToWorker => ({ type: "scheduled", ask, scheduled });
      const answer = await this.#ask(worker, message, SCHEDULED_MS_MAX, () => {});
      if (answer?.type !== "scheduled") return null;
      if (answer.end !== null) return answer.end;
    }
    return null;
  }

  /** For the keeper to call with what workers say. */
  message(worker: WorkerProcess, message: ToSupervisor): void {
    if (message.type === "read") {
      for (const reader of this.#readers) {
        if (reader.worker === worker && message.revision >= reader.revision) reader.done();
      }
    } else if (message.type === "long") {
      this.#turns.told(worker, message.slices);
    } else if (message.type === "beat") {
      this.#turns.beat(worker, message.brisk);
    } else if ("ask" in message) {
      const waiting = this.#asks.get(message.ask);
      if (waiting?.worker === worker) waiting.answered(message);
    }
  }

  gone(worker: WorkerProcess): void {
    this.#turns.gone(worker);
    for (const reader of this.#readers) if (reader.worker === worker) reader.done();
    for (const waiting of this.#asks.values()) {
      if (waiting.worker === worker) waiting.answered(null);
    }
  }

  async #openCordon(name: string): Promise<void> {
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new EdgeError("PUBLISH_TIMEOUT", "The endpoint's own worker did not start in time"));
    }, PREPARE_MS_MAX);
    try {
      await Promise.race([this.#keeper().cordons.open(name, Date.now()), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  #askAll(message: (ask: number) => ToWorker): Promise<(ToSupervisor | null)[]> {
    return Promise.all(
      this.#keeper().serving.map((worker) => this.#ask(worker, message, STATS_MS_MAX, () => {})),
    );
  }

  /** null: the worker is gone, or did not answer in time (`late` is called then). */
  #ask(
    worker: WorkerProcess,
    message: (ask: number) => ToWorker,
    timeoutMs: number,
    late: () => void,
  ): Promise<ToSupervisor | null> {
    return new Promise((resolve) => {
      const ask = ++this.#lastAsk;
      const timer = setTimeout(() => {
        this.#asks.delete(ask);
        late();
        resolve(null);
      }, timeoutMs);
      this.#asks.set(ask, {
        worker,
        answered: (answer) => {
          clearTimeout(timer);
          this.#asks.delete(ask);
          resolve(answer);
        },
      });
      worker.send(message(ask));
    });
  }

  #read(worker: WorkerProcess, revision: number): Promise<void> {
    if (worker.revision >= revision) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => worker.kill(), ANNOUNCE_MS_MAX);
      const reader: Reader = {
        worker,
        revision,
        done: () => {
          clearTimeout(timer);
          this.#readers.delete(reader);
          resolve();
        },
      };
      this.#readers.add(reader);
      worker.send({ type: "announce", revision });
    });
  }
}
