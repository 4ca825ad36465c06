// Keeps apart, for one embedded store, its opening by one process and the writes of all others. LMDB needs that:
// whoever opens an environment sets the number of its newest commit, which all processes share, to what it has just
// read in the file. A commit in between is forgotten then, and the one after it takes its number and its pages.
//
// In the store's folder the file `opening` says that somebody opens it, and a file `writer.PID.N` that a process may
// be writing. A writer makes its own first and then looks for the other; an opener does the reverse and waits: so one
// of them always sees the other. A writer that goes on writing keeps its file, so that a write costs one look; it gives
// it up when it sees an opener, and a moment after its last write. What a killed process leaves is taken away.

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EdgeError } from "../sdk/errors.ts";

/** Long for the event loop, short for somebody who waits to open. */
const IDLE_MS = 20;
const POLL_MS = 1;
/** Within the time that opening a service may take; writers are quick, or their processes are being replaced. */
const WAIT_MS_MAX = 5_000;

let count = 0;

/** Of one store in one process. */
export class Opening {
  readonly #folder: string;
  readonly #opening: string;
  readonly #writer: string;
  #isMarked = false;
  /** Commits that are not done yet. */
  #pending = 0;
  #lastMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    this.#opening = join(folder, "opening");
    this.#writer = join(folder, `writer.${process.pid}.${count++}`);
  }

  /** Runs `open` while no other process writes. */
  async open<T>(open: () => T): Promise<T> {
    const giveUpMs = performance.now() + WAIT_MS_MAX;
    while (!this.#announce()) await pause(giveUpMs);
    try {
      while (this.#hasWriters()) await pause(giveUpMs);
      return open();
    } finally {
      rmSync(this.#opening, { force: true });
    }
  }

  /** A write that is over when it returns. */
  update<T>(write: () => T): T {
    const giveUpMs = performance.now() + WAIT_MS_MAX;
    while (!this.#enter()) {
      if (performance.now() > giveUpMs) throw late();
      Atomics.wait(NEVER, 0, 0, POLL_MS);
    }
    return write();
  }

  /** A write that goes on in another thread. */
  async commit<T>(write: () => Promise<T>): Promise<T> {
    const giveUpMs = performance.now() + WAIT_MS_MAX;
    while (!this.#enter()) await pause(giveUpMs);
    this.#pending++;
    try {
      return await write();
    } finally {
      this.#pending--;
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#unmark();
  }

  /** False: somebody opens the store. */
  #enter(): boolean {
    if (!this.#isMarked) {
      closeSync(openSync(this.#writer, "w", 0o600));
      this.#isMarked = true;
      this.#timer ??= setTimeout(() => this.#rest(), IDLE_MS).unref();
    }
    if (existsSync(this.#opening) && this.#isOpened()) {
      if (this.#pending === 0) this.#unmark();
      return false;
    }
    this.#lastMs = performance.now();
    return true;
  }

  #rest(): void {
    this.#timer = null;
    if (!this.#isMarked) return;
    if (this.#pending === 0 && performance.now() - this.#lastMs >= IDLE_MS) this.#unmark();
    else this.#timer = setTimeout(() => this.#rest(), IDLE_MS).unref();
  }

  #unmark(): void {
    if (this.#isMarked) rmSync(this.#writer, { force: true });
    this.#isMarked = false;
  }

  /** False: somebody else is first. */
  #announce(): boolean {
    try {
      const file = openSync(this.#opening, "wx", 0o600);
      writeSync(file, String(process.pid));
      closeSync(file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      this.#isOpened();
      return false;
    }
  }

  /** Whether who opens the store is alive; otherwise takes the file away. */
  #isOpened(): boolean {
    const pid = Number(read(this.#opening));
    // Not written yet, or gone already.
    if (pid === 0 || isAlive(pid)) return true;
    rmSync(this.#opening, { force: true });
    return false;
  }

  /** Of other processes: this one has one environment, however often it opens it. */
  #hasWriters(): boolean {
    let found = false;
    for (const name of readdirSync(this.#folder)) {
      const pid = Number(/^writer\.(\d+)\.\d+$/.exec(name)?.[1] ?? 0);
      if (pid === 0 || pid === process.pid) continue;
      if (isAlive(pid)) found = true;
      else rmSync(join(this.#folder, name), { force: true });
    }
    return found;
  }
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));

async function pause(giveUpMs: number): Promise<void> {
  if (performance.now() > giveUpMs) throw late();
  await delay(POLL_MS);
}

function late(): EdgeError {
  return new EdgeError("SERVICE_UNAVAILABLE", "The embedded store is held up by another process.");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
