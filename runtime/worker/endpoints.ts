// The endpoints of this worker, as of one registry revision: the route table and, per endpoint, the generation
// that answers. `prepare` loads a candidate beside it; `refresh` reads the registry, swaps one pointer per
// changed endpoint and lets the old generations drain.

import type { Exchange, HeaderList } from "../../sdk/exchange.ts";
import { cordonOf } from "../../sdk/isolation.ts";
import type { Limits } from "../../sdk/limits.ts";
import { quarantineOf } from "../../control/quarantine.ts";
import { EdgeError, type Code } from "../../sdk/errors.ts";
import type { IsolateStats, RegistryReader } from "../../sdk/node.ts";
import type { Deployed, RouteSpec, Trust, VersionRecord } from "../../sdk/records.ts";
import { compileRoutes } from "../gateway/route/table.ts";
import type { RouteInput, RouteTable } from "../gateway/route/contract.ts";
import { Generation } from "../isolate/generation.ts";
import { loadInstance, type LoadOptions, type Start } from "../isolate/load.ts";
import type { Death } from "../isolate/slice/contract.ts";
import type { Culprit } from "../link/messages.ts";
import type { VersionWitness } from "../link/witness.ts";
import { Relay } from "./cordon/relay.ts";
import type { CordonLink } from "./cordon/link.ts";
import type { Surroundings } from "./services/surroundings.ts";
import { Housekeeping, type HousekeepingOptions, type Resident } from "./housekeeping.ts";

export interface Slot {
  readonly name: string;
  deployed: Deployed;
  version: VersionRecord | null;
  /** Of a quarantined version it refuses every request; of one in a cordon it forwards. */
  generation: Generation | Relay | null;
  readonly quarantined: boolean;
  readonly surroundings: string;
  /** It has left this cordon: for workers that do not know yet it is here until then. */
  leavesAtMs?: number;
}

/** A worker that has not read of a change by then is killed. */
const LINGER_MS = 5_000;
/** A publish that came to nothing after its candidate was loaded leaves it behind for this long. */
const CANDIDATE_MS_MAX = 60_000;
const CACHE_REFUSED =
  "V8 does not take what was compiled of the bundle when it was checked, on another processor or with other options: " +
  "each first answer waits for it to be compiled anew. Publish it with a change.";

interface Candidate {
  readonly loadedMs: number;
  readonly version: VersionRecord;
  readonly generation: Generation;
}

export interface EndpointsOptions {
  /** The cordon that this worker is, if it is one. */
  readonly cordon: string | null;
  readonly linkTo: (cordon: string) => CordonLink;
  readonly reader: RegistryReader;
  readonly startOf: (version: VersionRecord) => Start;
  readonly defaultTrust: Trust;
  readonly host: LoadOptions["host"];
  readonly limits: (version: VersionRecord) => Limits;
  readonly witness: (version: Culprit) => VersionWitness;
  /** What the handler is given beside requests; anew for each isolate. */
  readonly surroundings: (version: VersionRecord) => Surroundings;
  /** Changes when that does and the version does not. */
  readonly surroundingsKey: (deployed: Deployed) => string;
  /** Of the gateway's configuration file. */
  /** What handlers that want to know their client's address see of a request's headers. */
  readonly addressed: (exchange: Exchange) => HeaderList;
  readonly fileRoutes: () => readonly RouteInput[];
  /** Each new revision, before its endpoints. */
  readonly onRefresh: () => void;
  readonly services: (
    limits: Limits,
    version: VersionRecord,
    surroundings: Surroundings,
  ) => LoadOptions["services"];
  /** Monotonic. */
  readonly now: () => number;
  readonly onDeath: (version: VersionRecord, death: Death) => void;
  /** V8 gave up; the thread it did so on never comes back. */
  readonly onCatastrophic: (version: VersionRecord, error: string) => void;
  /** An isolate could not be loaded, or not as it should be. */
  readonly onLoad: (endpoint: string, level: "warn" | "error", what: unknown) => void;
  /** It is served here no more. */
  readonly onRemoved: (endpoint: string) => void;
  readonly housekeeping: HousekeepingOptions;
}

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #candidates = new Map<string, Candidate>();
  readonly #draining = new Map<Generation, IsolateStats>();
  readonly #leavingRelays = new Set<Relay>();
  readonly #housekeeping: Housekeeping;
  #revision = 0;
  #table: RouteTable = compileRoutes([]);

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#housekeeping = new Housekeeping(options.housekeeping, {
      serving: () => this.#serving(),
      others: () => [
        ...this.#draining.keys(),
        ...[...this.#candidates.values()].map(({ generation }) => generation),
      ],
    });
  }

  get table(): RouteTable {
    return this.#table;
  }

  get revision(): number {
    return this.#revision;
  }

  slot(name: string): Slot | undefined {
    return this.#slots.get(name);
  }

  slots(): Iterable<Slot> {
    return this.#slots.values();
  }

  /** Brings this worker to the newest revision it can see; returns it. */
  refresh(): number {
    const { reader } = this.#options;
    const revision = reader.revision();
    this.#options.onRefresh();
    const changed = this.#revision === 0 ? null : reader.changedSince(this.#revision);
    if (changed === null) this.#replaceAll(reader.all());
    else for (const name of new Set(changed)) this.#replace(name, reader.get(name));
    if (changed === null || changed.length > 0) this.compile();
    this.#revision = revision;
    return revision;
  }

  /** The route table anew, of endpoints and file. */
  compile(): void {
    this.#table = this.#compile();
  }

  /** Loads the version's isolate, so that swapping it in costs nothing. */
  async prepare(version: VersionRecord): Promise<void> {
    this.forget(version.endpoint);
    if (!this.#isHere(version)) return;
    const generation = this.#generation(version);
    const candidate = { version, generation, loadedMs: this.#options.now() };
    this.#candidates.set(version.endpoint, candidate);
    try {
      await candidate.generation.prepare();
    } catch (cause) {
      if (this.#candidates.get(version.endpoint) === candidate) this.forget(version.endpoint);
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EdgeError("PREPARE_FAILED", `The new version did not load: ${why}`, { cause });
    }
  }

  forget(endpoint: string): void {
    this.#candidates.get(endpoint)?.generation.abandon();
    this.#candidates.delete(endpoint);
  }

  expire(now: number): void {
    for (const target of this.#targets()) target.expire(now);
    for (const slot of this.#slots.values()) {
      if (slot.leavesAtMs === undefined || now < slot.leavesAtMs) continue;
      this.#remove(slot);
    }
    for (const [endpoint, { loadedMs }] of this.#candidates) {
      if (now - loadedMs > CANDIDATE_MS_MAX) this.forget(endpoint);
    }
  }

  /** About once a second: evicts and recycles isolates. */
  look(): void {
    this.#housekeeping.look();
  }

  /** Requests that are open, and background work that outlived its reply. */
  get inFlight(): number {
    return this.#targets().reduce((sum, target) => sum + target.inFlight, 0);
  }

  /** Ends whatever is open: the worker has no more time. */
  end(): void {
    for (const target of this.#targets()) target.abandon();
  }

  stats(): IsolateStats[] {
    const live = [...this.#slots.values()].flatMap((slot) => {
      const { generation, version, deployed, quarantined } = slot;
      if (!(generation instanceof Generation) || version === null || quarantined) return [];
      return [
        isolateStats(slot.name, version.id, deployed.deployment?.generation ?? 0, generation),
      ];
    });
    const draining = [...this.#draining].map(([generation, at]) => ({
      ...at,
      inFlight: generation.inFlight,
      isolates: generation.isolates,
      state: "draining" as const,
    }));
    return [...live, ...draining];
  }

  #targets(): (Generation | Relay)[] {
    const live = [...this.#slots.values()].flatMap(({ generation }) => generation ?? []);
    return [...live, ...this.#draining.keys(), ...this.#leavingRelays];
  }

  #isHere({ manifest }: VersionRecord): boolean {
    return cordonOf(manifest) === this.#options.cordon;
  }

  #serving(): Resident[] {
    return [...this.#slots.values()].flatMap(({ name, generation }) =>
      generation instanceof Generation ? { endpoint: name, generation } : [],
    );
  }

  #replaceAll(all: readonly Deployed[]): void {
    const names = new Set(all.map((deployed) => deployed.endpoint.name));
    for (const name of this.#slots.keys()) if (!names.has(name)) this.#replace(name, null);
    for (const deployed of all) this.#replace(deployed.endpoint.name, deployed);
  }

  #replace(name: string, deployed: Deployed | null): void {
    const slot = this.#slots.get(name);
    const id = deployed?.deployment?.versions[0]?.version;
    const version = deployed?.versions.find((one) => one.id === id) ?? null;
    const { cordon } = this.#options;
    if (deployed === null || (cordon !== null && (version === null || !this.#isHere(version)))) {
      this.#leave(slot);
      return;
    }
    const quarantined = quarantineOf(deployed.endpoint, id) !== null;
    const surroundings = this.#options.surroundingsKey(deployed);
    const same =
      slot?.deployed.deployment?.generation === deployed.deployment?.generation &&
      slot?.deployed.endpoint.id === deployed.endpoint.id &&
      slot?.quarantined === quarantined &&
      slot?.surroundings === surroundings;
    if (slot !== undefined && same) {
      slot.deployed = deployed;
      return;
    }
    const next: Slot = { name, deployed, version, generation: null, quarantined, surroundings };
    if (version !== null) next.generation = this.#target(version, quarantined);
    this.#slots.set(name, next);
    if (slot !== undefined) this.#retire(slot);
  }

  #leave(slot: Slot | undefined): void {
    if (slot === undefined) return;
    if (this.#options.cordon === null) this.#remove(slot);
    else slot.leavesAtMs ??= this.#options.now() + LINGER_MS;
  }

  #remove(slot: Slot): void {
    this.#slots.delete(slot.name);
    this.#retire(slot);
    this.#options.onRemoved(slot.name);
  }

  #target(version: VersionRecord, quarantined: boolean): Generation | Relay {
    if (quarantined) return this.#generation(version, "QUARANTINED");
    const cordon = cordonOf(version.manifest);
    if (cordon !== null && cordon !== this.#options.cordon) return this.#relay(version, cordon);
    return this.#takeCandidate(version) ?? this.#generation(version);
  }

  #relay(version: VersionRecord, cordon: string): Relay {
    const relay: Relay = new Relay({
      link: this.#options.linkTo(cordon),
      endpoint: version.endpoint,
      limits: this.#options.limits(version),
      revision: () => this.#revision,
      onGone: () => this.#leavingRelays.delete(relay),
    });
    return relay;
  }

  #takeCandidate(version: VersionRecord): Generation | null {
    const candidate = this.#candidates.get(version.endpoint);
    if (candidate?.version.id !== version.id) return null;
    this.#candidates.delete(version.endpoint);
    return candidate.generation;
  }

  #retire({ name, version, generation, deployed }: Slot): void {
    if (generation === null || version === null) return;
    if (generation instanceof Relay) {
      this.#leavingRelays.add(generation);
      generation.drain();
      return;
    }
    const number = deployed.deployment?.generation ?? 0;
    this.#draining.set(generation, isolateStats(name, version.id, number, generation));
    generation.drain();
  }

  #generation(version: VersionRecord, refuses: Code | null = null): Generation {
    const { endpoint, manifest } = version;
    const options = this.#options;
    const limits = options.limits(version);
    const witness = options.witness({ endpoint, version: version.id });
    const generation: Generation = new Generation({
      refuses,
      limits,
      load: (events) => {
        const surroundings = options.surroundings(version);
        return loadInstance({
          start: () => options.startOf(version),
          limits,
          trust: manifest.trust ?? options.defaultTrust,
          witness,
          headersOf: version.readsAddress === true ? options.addressed : undefined,
          env: surroundings.env,
          services: options.services(limits, version, surroundings),
          events,
          host: options.host,
          onCatastrophic: (error) => options.onCatastrophic(version, error),
          onWedged: () => options.onDeath(version, "wedged"),
          onCacheRefused: () => options.onLoad(endpoint, "warn", CACHE_REFUSED),
        });
      },
      drainTimeoutMs: manifest.drainTimeoutMs,
      now: options.now,
      onGone: () => this.#draining.delete(generation),
      onLoaded: () => this.#housekeeping.loaded(),
      onDeath: (death) => options.onDeath(version, death),
      onLoadError: (error) => options.onLoad(endpoint, "error", error),
    });
    return generation;
  }

  #compile(): RouteTable {
    const routes: RouteInput[] = [...this.#options.fileRoutes()];
    for (const { name, deployed, version } of this.#slots.values()) {
      if (!deployed.endpoint.enabled) continue;
      const specs: readonly RouteSpec[] = version?.manifest.routes ?? deployed.endpoint.routes;
      for (const spec of specs) routes.push({ ...spec, endpoint: name });
    }
    return compileRoutes(routes);
  }
}

function isolateStats(
  endpoint: string,
  version: string,
  generation: number,
  live: Generation,
): IsolateStats {
  const { state, inFlight, isolates, recycles, evictions } = live;
  return {
    endpoint,
    version,
    generation,
    state,
    inFlight,
    heapBytes: live.heapBytes(),
    isolates,
    ageMs: live.ageMs(),
    recycles,
    evictions,
  };
}
