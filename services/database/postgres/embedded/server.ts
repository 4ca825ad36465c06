// The node's own Postgres, as one worker sees it: a place to dial, which makes it run. Which of the workers starts it
// does not matter (launch.ts): whoever finds nobody there tries, and waits for it like the others.

import { execFile } from "node:child_process";
import {
  chownSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
} from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { EdgeError } from "../../../../sdk/errors.ts";
import { dial } from "../dial.ts";
import { DATA, launch, LOCKED, LOG, PIPE, PORT } from "./launch.ts";
import { isReady, readIn } from "./postmaster.ts";
import { findPrograms, type Programs } from "./programs.ts";

export interface EmbeddedPlace {
  /** In the data folder; the server's own. */
  readonly folder: string;
  /** For the node's log. */
  readonly notice: (text: string) => void;
  /** Where programs are looked for; without it, wherever they usually are. */
  readonly programs?: readonly string[];
}

/** With a new cluster on a slow disk; a recovery of `max_wal_size` takes less. */
const START_MS_MAX = 60_000;
const POLL_MS = 20;
/** How often a server that is starting or ending elsewhere is tried for its place. */
const RETRY_MS = 200;
/** Pauses between two starts: doubling from the first to the last, while none lasts. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 10_000;
const LASTING_MS = 60_000;
/** Between the look at its file and the connection it may have ended. */
const DIALS_MAX = 3;
/** "nobody" and its group, wherever Node runs. Root's node runs it as that: Postgres refuses to be root. */
const NOBODY = 65_534;

/** What a shell adds to the number of the signal that ended a program. */
const SIGNALS = 128;
const WORDS = /FATAL|PANIC|error:/;

const run = promisify(execFile);

export class EmbeddedServer {
  readonly #place: EmbeddedPlace;
  /** Open while this worker wants it to run. */
  #pipe: number | null = null;
  /** The folder of the socket: by its number the path is short, whatever the data folder is called. */
  #folder: number | null = null;
  #starting: Promise<void> | null = null;
  #startedMs = -Infinity;
  #pauseMs = PAUSE_MS_MIN;
  #failure: EdgeError | null = null;
  #closed = false;

  constructor(place: EmbeddedPlace) {
    this.#place = place;
  }

  /** As `dial` of dial.ts, and starts the server where it does not run. Rejects with SERVICE_UNAVAILABLE. */
  async dial(onSocket: (socket: Socket) => void): Promise<Socket> {
    for (let attempt = 1; ; attempt++) {
      if (this.#pipe === null || !isReady(this.#place.folder)) {
        this.#starting ??= this.#start().finally(() => {
          this.#starting = null;
        });
        await this.#starting;
      }
      if (this.#closed) throw new EdgeError("SERVICE_STOPPED");
      try {
        const host = `/proc/self/fd/${this.#folder ?? -1}/${DATA}`;
        return await dial({ host, port: PORT, ssl_mode: "disable" }, onSocket);
      } catch (cause) {
        if (attempt < DIALS_MAX) continue;
        throw unavailable("The embedded Postgres takes no connections.", cause);
      }
    }
  }

  /** It ends when no other worker wants it. */
  close(): void {
    this.#closed = true;
    for (const fd of [this.#pipe, this.#folder]) if (fd !== null) closeSync(fd);
    this.#pipe = null;
    this.#folder = null;
  }

  async #start(): Promise<void> {
    const now = performance.now();
    const waitMs = this.#startedMs + this.#pauseMs - now;
    if (waitMs > 0) {
      const why = this.#failure?.message ?? "The embedded Postgres has ended.";
      throw unavailable(`${why} It is tried again in ${Math.ceil(waitMs)} ms.`);
    }
    const hasLasted = now - this.#startedMs > LASTING_MS;
    this.#pauseMs = hasLasted ? PAUSE_MS_MIN : Math.min(2 * this.#pauseMs, PAUSE_MS_MAX);
    this.#startedMs = now;
    try {
      await this.#startOrWait(now + START_MS_MAX);
      this.#failure = null;
    } catch (error) {
      this.#startedMs = performance.now();
      this.#failure = error instanceof EdgeError ? error : unavailable(String(error), error);
      throw this.#failure;
    }
  }

  async #startOrWait(giveUpMs: number): Promise<void> {
    const { folder, notice } = this.#place;
    const programs = await findPrograms(this.#major(), this.#place.programs);
    await this.#open();
    const startedMs = performance.now();
    for (let ended: number | null | undefined = LOCKED, triedMs = -Infinity; ;) {
      if (this.#closed) throw new EdgeError("SERVICE_STOPPED");
      if (isReady(folder)) return this.#tell(programs.version, startedMs, ended === undefined);
      if (ended !== undefined && ended !== LOCKED && ended !== 0) {
        throw unavailable(`The embedded Postgres does not start: ${this.#lastWords(ended)}.`);
      }
      if (performance.now() > giveUpMs) {
        throw unavailable(`The embedded Postgres did not start within ${START_MS_MAX} ms.`);
      }
      if (ended !== undefined && performance.now() - triedMs > RETRY_MS) {
        triedMs = performance.now();
        if (!existsSync(join(folder, DATA))) {
          notice(`Postgres ${programs.version} makes its data folder, ${join(folder, DATA)}.`);
        }
        ended = undefined;
        void this.#launch(programs).then((code) => {
          ended = code;
        });
      }
      await delay(POLL_MS);
    }
  }

  async #launch({ folder: programs }: Programs): Promise<number | null> {
    const { folder, notice } = this.#place;
    const code = await launch({ folder, programs, account: this.#account() });
    if (code !== LOCKED && code !== 0) {
      notice(`The embedded Postgres has ended: ${this.#lastWords(code)}.`);
    }
    return code;
  }

  #tell(version: string, startedMs: number, isOurs: boolean): void {
    if (!isOurs) return;
    const tookMs = Math.round(performance.now() - startedMs);
    this.#place.notice(`The embedded Postgres ${version} runs, after ${tookMs} ms.`);
  }

  /** The folder, and in it the pipe that keeps the server alive. */
  async #open(): Promise<void> {
    if (this.#pipe !== null) return;
    const { folder } = this.#place;
    if (!existsSync(folder)) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      if (process.getuid?.() === 0) chownSync(folder, NOBODY, NOBODY);
    }
    const own = process.getuid?.() ?? 0;
    const { uid } = lstatSync(folder);
    if (own !== 0 && uid !== own) {
      const text = `${folder} belongs to user ${uid} and the node's workers are user ${own}: chown -R ${own} ${folder}`;
      throw new EdgeError("SERVICE_UNAVAILABLE", text);
    }
    const pipe = join(folder, PIPE);
    if (!existsSync(pipe)) {
      await run("mkfifo", ["-m", "600", pipe]).catch((error: unknown) => {
        // Another worker was quicker.
        if (!existsSync(pipe)) throw unavailable("The embedded Postgres needs mkfifo.", error);
      });
    }
    if (this.#closed) throw new EdgeError("SERVICE_STOPPED");
    // Both ways: opening one end alone waits for the other.
    this.#pipe = openSync(pipe, constants.O_RDWR | constants.O_NOFOLLOW);
    this.#folder = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  /** Root's node runs it as whoever has its folder. */
  #account(): { readonly uid: number; readonly gid: number } | null {
    if (process.getuid?.() !== 0) return null;
    const { uid, gid } = lstatSync(this.#place.folder);
    return uid === 0 ? { uid: NOBODY, gid: NOBODY } : { uid, gid };
  }

  #major(): string | null {
    return readIn(this.#place.folder, join(DATA, "PG_VERSION"))?.trim() ?? null;
  }

  /** Why it has ended, as it says itself. */
  #lastWords(code: number | null): string {
    if (code === null || code > SIGNALS) return "somebody killed it";
    const lines = (readIn(this.#place.folder, LOG) ?? "").trim().split("\n");
    const fatal = lines.findLast((line) => WORDS.test(line)) ?? lines.at(-1) ?? "";
    const words = fatal.replace(/^.*?(?:FATAL|PANIC|error): +/, "");
    return words || "it says nothing; are flock and setpriv (util-linux) installed?";
  }
}

function unavailable(text: string, cause?: unknown): EdgeError {
  return new EdgeError("SERVICE_UNAVAILABLE", text, { cause });
}
