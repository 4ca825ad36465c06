// The services of this worker: an actor per service and kind that some endpoint has bound, started and stopped as the
// registry says. Actors stay while the worker lives, so that ports need not be made again when a service changes.

import { join } from "node:path";
import { EdgeError } from "../../../sdk/errors.ts";
import type { JsonObject } from "../../../sdk/errors.ts";
import type { ServiceStats } from "../../../sdk/node.ts";
import { BUILT_IN } from "../../../sdk/services/built-in.ts";
import type { ServiceProbe, ServiceRecord, ServiceType } from "../../../sdk/services/service.ts";
import { POSTGRES_FOLDER } from "../../../services/database/postgres/embedded/launch.ts";
import { ACTOR_LIMITS, ServiceActor, type ActorLimits } from "../../../services/actor.ts";
import {
  openService,
  probedKind,
  type BackendKind,
  type Backends,
} from "../../../services/open.ts";
import type { Log } from "../../observe/log.ts";

export interface HubOptions {
  /** Of the registry, as of now. */
  readonly records: () => readonly ServiceRecord[];
  /** Changes when the node's own secrets do, which configurations may name. */
  readonly secretsKey: () => string;
  /** Its configuration, whole and in clear. Throws an EdgeError when a secret cannot be opened. */
  readonly configOf: (record: ServiceRecord) => JsonObject;
  /** Where embedded backends keep what they have; all workers of the node share it. */
  readonly folder: string;
  /** Signs the addresses of objects in embedded storages. */
  readonly addressKey: Uint8Array;
  /** Monotonic. */
  readonly now: () => number;
  readonly log: Log;
}

/** A stream holds its place for as long as a client takes to read it; ten slow ones must not be all there are. */
const STORAGE_CONCURRENCY = 64;

/** Where calls do not wait for each other: commands of a connection are pipelined, a look into a store is one step. */
const TOGETHER_CONCURRENCY = 256;
const TOGETHER: readonly ServiceType[] = ["redis", "embedded"];
const QUICK_KINDS: readonly BackendKind[] = ["cache", "kv", "ratelimit"];

interface Entry {
  readonly kind: BackendKind;
  readonly service: string;
  readonly actor: ServiceActor<Backends[BackendKind]>;
  /** What it runs under, as text: the registry's record. */
  setting: string;
}

export class ServiceHub {
  readonly #options: HubOptions;
  readonly #entries = new Map<string, Entry>();
  #records: ReadonlyMap<string, ServiceRecord> = new Map();
  #secretsKey = "";

  constructor(options: HubOptions) {
    this.#options = options;
    this.refresh();
  }

  /** Brings every actor to what the registry says now. */
  refresh(): void {
    const all = [...BUILT_IN, ...this.#options.records()];
    this.#records = new Map(all.map((record) => [record.name, record]));
    this.#secretsKey = this.#options.secretsKey();
    for (const entry of this.#entries.values()) this.#apply(entry);
  }

  actor<K extends BackendKind>(kind: K, service: string): ServiceActor<Backends[K]> {
    const key = `${kind} ${service}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known.actor as ServiceActor<Backends[K]>;
    const { now, log } = this.#options;
    const about = { service, kind };
    const actor = new ServiceActor<Backends[K]>(service, {
      now,
      onHealth({ ok, code, message }) {
        if (ok) log.write("info", "The service works.", about);
        else log.write("error", message, { ...about, code: code ?? "" });
      },
      onPanic: (error) => log.write("error", `The service broke: ${String(error)}`, about),
    });
    const entry: Entry = { kind, service, actor, setting: "" };
    this.#entries.set(key, entry);
    this.#apply(entry);
    return actor;
  }

  /** By its actor, where handlers use it; else opened for that and closed again. */
  async probe(record: ServiceRecord): Promise<ServiceProbe> {
    const { now } = this.#options;
    const kind = probedKind(record.type);
    if (kind === null) {
      const message = `This release opens nothing on ${record.type}.`;
      throw new EdgeError("SERVICE_UNAVAILABLE", message);
    }
    const entry = this.#entries.get(`${kind} ${record.name}`);
    if (entry !== undefined && record.state === "available") return entry.actor.probe();
    const actor = new ServiceActor<Backends[BackendKind]>(record.name, {
      now,
      onHealth: () => undefined,
      onPanic: (error) => this.#options.log.write("error", `A probe broke: ${String(error)}`),
    });
    this.#start({ kind, actor }, record, this.#options.configOf(record));
    try {
      return await actor.probe();
    } finally {
      await actor.stop(new EdgeError("CANCELLED"));
    }
  }

  stats(): ServiceStats[] {
    return [...this.#entries.values()].map(({ kind, service, actor }) => {
      const { health, latency, ...counts } = actor.stats();
      const { counts: buckets, sumMs } = latency;
      return { kind, service, ...health, ...counts, latency: { buckets: [...buckets], sumMs } };
    });
  }

  /** Lets what is under way end. */
  async close(): Promise<void> {
    const reason = new EdgeError("SHUTTING_DOWN");
    await Promise.all([...this.#entries.values()].map(({ actor }) => actor.stop(reason)));
  }

  #apply(entry: Entry): void {
    const { service, actor } = entry;
    const record = this.#records.get(service);
    const setting = `${JSON.stringify(record) ?? "gone"}${this.#secretsKey}`;
    if (setting === entry.setting) return;
    entry.setting = setting;
    if (record === undefined) this.#stop(entry, `There is no service named ${service}.`);
    else if (record.state !== "available") this.#stop(entry, `${service} is not activated.`);
    else {
      try {
        this.#start(entry, record, this.#options.configOf(record));
      } catch (error) {
        const reason = error instanceof EdgeError ? error : new EdgeError("SERVICE_UNAVAILABLE");
        this.#options.log.write("error", reason.message, { service, code: reason.code });
        void actor.stop(reason);
      }
    }
  }

  #start(
    { kind, actor }: Pick<Entry, "kind" | "actor">,
    { id, name, type }: Pick<ServiceRecord, "id" | "name" | "type">,
    config: JsonObject,
  ): void {
    // A second embedded service shares nothing with the one that is always there.
    const { folder, addressKey, log } = this.#options;
    const places = { folder: join(folder, id) };
    const shared = { postgres: join(folder, POSTGRES_FOLDER), addressKey };
    const notice = (text: string): void => log.write("info", text, { service: name, kind });
    actor.start({
      limits: limitsOf(kind, type, config),
      open: (signal) => openService(kind, { id, type, config, places, shared, notice, signal }),
    });
  }

  #stop({ actor }: Entry, message: string): void {
    void actor.stop(new EdgeError("SERVICE_STOPPED", message));
  }
}

/** Fields of every type (sdk/services/config.ts). As many run as a pool has connections, unless calls share them. */
function limitsOf(kind: BackendKind, type: ServiceType, config: JsonObject): ActorLimits {
  const number = (name: string): number | null => {
    const value = config[name];
    return typeof value === "number" ? value : null;
  };
  const seconds = number("timeout_seconds");
  const together = TOGETHER.includes(type) && QUICK_KINDS.includes(kind);
  const usual = kind === "storage" ? STORAGE_CONCURRENCY : ACTOR_LIMITS.concurrency;
  const pooled = together ? TOGETHER_CONCURRENCY : (number("pool_size") ?? usual);
  return {
    concurrency: number("concurrency") ?? pooled,
    queue: number("queue") ?? ACTOR_LIMITS.queue,
    timeoutMs: seconds === null ? ACTOR_LIMITS.timeoutMs : 1_000 * seconds,
  };
}
