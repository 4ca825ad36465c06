// Handlers run by the clock: what a worker is asked to run, what came of it, and what the operator sees.

import type { Outcome } from "../outcome.ts";

/** One occurrence. */
export interface Scheduled {
  readonly endpoint: string;
  /** As its author wrote it. */
  readonly cron: string;
  /** The occurrence's time, milliseconds since the epoch. */
  readonly scheduledTime: number;
}

export interface ScheduledEnd {
  readonly outcome: Outcome;
  readonly durationMs: number;
}

/** What a node has run, or tried to. */
export interface CronRun extends Scheduled {
  /** null: no worker took it; or it was begun and its worker was lost. */
  readonly end: ScheduledEnd | null;
}

export interface CronView {
  readonly endpoint: string;
  readonly cron: string;
  /** null while the endpoint is stopped, disabled or quarantined. */
  readonly nextMs: number | null;
  /** Since the supervisor's start. */
  readonly last: CronRun | null;
}

export interface Crons {
  list(): readonly CronView[];
  /** Now and once, whatever its time. Throws INPUT_INVALID when it is not clear which. */
  run(endpoint: string, cron: string | undefined): Promise<CronRun>;
}
