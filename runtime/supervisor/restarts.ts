// Why workers were replaced: counted for ever, the last ones remembered with what is known of them.

import type { RestartReason, WorkerRestart, WorkerRestarts } from "../../sdk/node.ts";

/** Shown to people; older ones are in the log. */
const RECENT_MAX = 20;

/** Signals by which the kernel or V8 ends a process that did something impossible. */
const CRASHES: readonly string[] = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGTRAP", "SIGFPE"];

export class RestartLedger {
  readonly #counts = new Map<RestartReason, number>();
  readonly #recent: WorkerRestart[] = [];

  add(restart: WorkerRestart): void {
    const { reason } = restart;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    this.#recent.unshift(restart);
    this.#recent.splice(RECENT_MAX);
  }

  view(): WorkerRestarts {
    return { counts: Object.fromEntries(this.#counts), recent: [...this.#recent] };
  }
}

/** Of a process that ended without having been told to; both null when nobody can tell. */
export function reasonOfEnd(code: number | null, signal: string | null): RestartReason {
  if (signal === null) return code === null ? "crash" : "exit";
  return CRASHES.includes(signal) ? "crash" : "killed";
}
