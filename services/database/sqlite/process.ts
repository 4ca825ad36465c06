// A process that runs SQLite (main.ts), as its worker sees it.

import { spawn, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { getCompileCacheDir } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { EdgeError } from "../../../sdk/errors.ts";
import type { Answer, Job } from "./protocol.ts";

/** The extension follows this file's: sources run as .ts, the published package as .js. */
const MAIN: string = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));
/** How long an unwanted statement may take to end by itself: nearly all do, and a new process costs 60 ms of work. */
const GRACE_MS = 50;
/** For a process whose worker died while its thread was in a statement. */
const CPU_SECONDS_MAX = 120;
/** From here on it is replaced when it has nothing to do. */
const CPU_MS_OLD = 60_000;
/** Resident size at which it is killed: Node itself, the answer in several forms, and what a sort may take. */
const RESIDENT_BYTES_MAX: number = 384 * 1_024 * 1_024;
const RESIDENT_PERIOD_MS = 50;
/** Linux counts in pages; every platform with prebuilt binaries has these. */
const PAGE_BYTES = 4_096;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: EdgeError) => void;
}

/** What is started, and what of it may be counted. */
export class SqliteProcess {
  readonly #child: ChildProcess;
  readonly #onGone: (process: SqliteProcess) => void;
  #waiting: Waiting | null = null;
  #killedBy: EdgeError | null = null;
  #gone = false;
  #cpuMs = 0;
  readonly ended: Promise<void>;

  constructor(onGone: (process: SqliteProcess) => void) {
    this.#onGone = onGone;
    const limits = `ulimit -c 0; ulimit -t ${CPU_SECONDS_MAX}`;
    const cache = getCompileCacheDir();
    this.#child = spawn("/bin/sh", ["-c", `${limits}; exec "$@"`, "sh", process.execPath, MAIN], {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
      env: cache === undefined ? {} : { NODE_COMPILE_CACHE: cache },
      cwd: "/",
    });
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#end();
        resolve();
      };
      this.#child.once("exit", end);
      this.#child.once("error", end);
    });
    this.#child.on("message", (answer: Answer) => this.#answered(answer));
    // A process at rest must not keep a worker from ending.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Takes no more jobs: it has ended, is about to, or should. */
  get worn(): boolean {
    return this.#gone || this.#killedBy !== null || this.#cpuMs > CPU_MS_OLD;
  }

  /** One at a time. When the signal aborts, it settles at once or with the process' end. */
  async work(job: Job, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const watch = setInterval(() => void this.#weigh(), RESIDENT_PERIOD_MS);
    let grace: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      const reason: unknown = signal.reason;
      const error = reason instanceof EdgeError ? reason : new EdgeError("CANCELLED");
      grace = setTimeout(() => this.kill(error), GRACE_MS);
    };
    signal.addEventListener("abort", onAbort);
    this.#child.ref();
    this.#child.channel?.ref();
    try {
      const answer = await this.#ask(job);
      if (answer.error === undefined) return answer;
      const { code, message, detail } = answer.error;
      throw new EdgeError(code, message, detail === undefined ? {} : { detail });
    } finally {
      clearInterval(watch);
      clearTimeout(grace);
      signal.removeEventListener("abort", onAbort);
      this.#child.unref();
      this.#child.channel?.unref();
    }
  }

  /** What it is at is answered with the error. */
  kill(error: EdgeError = new EdgeError("SERVICE_STOPPED")): void {
    this.#killedBy ??= error;
    this.#child.kill("SIGKILL");
  }

  #ask(job: Job): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#gone) this.#end();
      else this.#child.send(job, (error) => error !== null && this.kill(unavailable()));
    });
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#cpuMs = answer.cpuMs;
    waiting?.resolve(answer);
  }

  #end(): void {
    this.#gone = true;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(this.#killedBy ?? unavailable());
    this.#onGone(this);
  }

  async #weigh(): Promise<void> {
    if ((await residentBytes(this.#child.pid)) < RESIDENT_BYTES_MAX) return;
    const text = "The statement needs more memory than the database has.";
    this.kill(new EdgeError("SERVICE_TOO_LARGE", text));
  }
}

function unavailable(): EdgeError {
  return new EdgeError("SERVICE_UNAVAILABLE", "The process of the embedded database ended.");
}

/** 0 where the system does not tell. */
async function residentBytes(pid: number | undefined): Promise<number> {
  try {
    const pages = (await readFile(`/proc/${pid}/statm`, "utf8")).split(" ")[1];
    return Number(pages) * PAGE_BYTES;
  } catch {
    return 0;
  }
}
