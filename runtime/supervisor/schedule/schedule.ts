// The clock of handlers' crons. Once a minute it looks which are due and gives each occurrence to one worker: at most
// once, whatever becomes of that worker (decisions/034-crons.md). What was due without a supervisor is not made up for.

import { quarantineOf } from "../../../control/quarantine.ts";
import { isDue, MINUTE_MS, nextRun, parseCron, type Cron } from "../../../sdk/schedule/cron.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import type { RegistryReader } from "../../../sdk/node.ts";
import type { Deployed } from "../../../sdk/records.ts";
import type {
  CronRun,
  Crons,
  CronView,
  Scheduled,
  ScheduledEnd,
} from "../../../sdk/schedule/schedule.ts";
import type { Log } from "../../observe/log.ts";

export interface ScheduleClock {
  now(): number;
  /** Returns what takes it back. */
  after(ms: number, wake: () => void): () => void;
}

export interface ScheduleOptions {
  readonly registry: Pick<RegistryReader, "all" | "get">;
  /** By one worker. null: none took it, or the one that did was lost. */
  readonly run: (scheduled: Scheduled, deployed: Deployed) => Promise<ScheduledEnd | null>;
  readonly clock: ScheduleClock;
  readonly log: Log;
}

export const timerClock: ScheduleClock = {
  now: () => Date.now(),
  after(ms, wake) {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};

export class Schedule implements Crons {
  readonly #options: ScheduleOptions;
  readonly #parsed = new Map<string, Cron | null>();
  readonly #last = new Map<string, CronRun>();
  /** The last minute that was looked at: none is looked at twice, though the clock be set back. */
  #minute = 0;
  #cancel: () => void = () => undefined;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  start(): void {
    this.#minute = Math.floor(this.#options.clock.now() / MINUTE_MS);
    this.#arm();
  }

  close(): void {
    this.#cancel();
  }

  list(): readonly CronView[] {
    const now = this.#options.clock.now();
    return this.#options.registry.all().flatMap((deployed) =>
      cronsOf(deployed).map((cron) => {
        const { name: endpoint } = deployed.endpoint;
        const parsed = this.#parse(cron);
        const nextMs = parsed !== null && takesRuns(deployed) ? nextRun(parsed, now) : null;
        return { endpoint, cron, nextMs, last: this.#last.get(keyOf(endpoint, cron)) ?? null };
      }),
    );
  }

  async run(endpoint: string, asked: string | undefined): Promise<CronRun> {
    const deployed = this.#options.registry.get(endpoint);
    if (deployed === null) throw new EdgeError("ENDPOINT_NOT_FOUND");
    if (!takesRuns(deployed)) throw new EdgeError("STOPPED");
    const crons = cronsOf(deployed);
    const cron = asked ?? (crons.length === 1 ? crons[0] : undefined);
    if (cron === undefined) throw ambiguous(crons);
    const { clock } = this.#options;
    return await this.#fire({ endpoint, cron, scheduledTime: clock.now() }, deployed);
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#cancel = clock.after(MINUTE_MS - (clock.now() % MINUTE_MS), () => this.#tick());
  }

  #tick(): void {
    // A timer may come a little early: then this minute has been looked at, and it is set again.
    const minute = Math.floor(this.#options.clock.now() / MINUTE_MS);
    if (minute > this.#minute) {
      this.#minute = minute;
      this.#fireDue(minute * MINUTE_MS);
    }
    this.#arm();
  }

  #fireDue(scheduledTime: number): void {
    const known = new Set<string>();
    const texts = new Set<string>();
    for (const deployed of this.#options.registry.all()) {
      const { name: endpoint } = deployed.endpoint;
      for (const cron of cronsOf(deployed)) {
        known.add(keyOf(endpoint, cron));
        texts.add(cron);
        const parsed = this.#parse(cron);
        if (parsed === null || !takesRuns(deployed) || !isDue(parsed, scheduledTime)) continue;
        void this.#fire({ endpoint, cron, scheduledTime }, deployed);
      }
    }
    for (const key of this.#last.keys()) if (!known.has(key)) this.#last.delete(key);
    for (const text of this.#parsed.keys()) if (!texts.has(text)) this.#parsed.delete(text);
  }

  async #fire(scheduled: Scheduled, deployed: Deployed): Promise<CronRun> {
    const { endpoint, cron } = scheduled;
    const end = await this.#options.run(scheduled, deployed);
    const run: CronRun = { ...scheduled, end };
    if (cronsOf(deployed).includes(cron)) this.#last.set(keyOf(endpoint, cron), run);
    if (end === null) {
      const text = "A scheduled run met no worker, or its worker was lost; it is not repeated.";
      this.#options.log.write("error", text, { endpoint, cron });
    } else if (end.outcome !== "ok") {
      const text = `A scheduled run failed: ${end.outcome}.`;
      this.#options.log.write("error", text, { endpoint, cron });
    }
    return run;
  }

  /** null: it was published by a release that knew other forms. */
  #parse(text: string): Cron | null {
    const known = this.#parsed.get(text);
    if (known !== undefined) return known;
    const cron = parseCron(text);
    const parsed = typeof cron === "string" ? null : cron;
    this.#parsed.set(text, parsed);
    return parsed;
  }
}

function cronsOf({ versions: [version] }: Deployed): readonly string[] {
  return version?.manifest.crons ?? [];
}

function takesRuns({ endpoint, versions: [version] }: Deployed): boolean {
  if (version === undefined || !endpoint.enabled || endpoint.stopped) return false;
  return quarantineOf(endpoint, version.id) === null;
}

function keyOf(endpoint: string, cron: string): string {
  return `${endpoint} ${cron}`;
}

function ambiguous(crons: readonly string[]): EdgeError {
  const there = crons.length === 0 ? "it has none" : `it has ${crons.join(" and ")}`;
  const text = `which one? ${there}`;
  const detail = { fields: [{ field: "cron", text }] };
  return new EdgeError("INPUT_INVALID", `cron: ${text}`, { detail });
}
