// Whose code a worker was running when it died: a small file that the worker writes and its supervisor reads
// afterwards. Memory dies with the process and Node maps no files, so each record costs a system call (1.6 µs), which
// a slice must not pay.
//
// So the record usually names everybody who has run within one tick, and is written when somebody is new in it: with
// one endpoint under load twice per tick, however many slices there are. After a death that left several suspects
// the supervisor asks for a closer look: for a while each start and each end of a slice is written.
//
// File: one line, JSON; what follows it is the rest of longer ones.

import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Culprit } from "./messages.ts";

/** Bounds what records cost: so many names, and one line that says nobody, in each tick. */
const TICK_MS = 10;
/** Of more than this nobody could tell who it was; the list is left as it is with one more in it. */
export const NAMED_MAX = 4;
/** More than the longest record has: names of endpoints have 63 characters, of versions 16. */
const FILE_BYTES = 4_096;
const FILE_MODE = 0o600;

/** One version, as the threads of its worker come to it and leave it. */
export interface VersionWitness {
  /** The thread that accepts begins to run it, and ends. One at a time. */
  enter(): void;
  leave(): void;
  /** Another thread may run it, until `end`; as often as there are threads. */
  begin(): void;
  end(): void;
}

export interface Testimony {
  /** On the thread that accepts. */
  readonly main: readonly Culprit[];
  readonly pool: readonly Culprit[];
}

type Schedule = (run: () => void, ms: number) => void;

/** The only folder where a worker of another user may write. */
export function witnessPath(data: string, worker: number): string {
  return join(data, "logs", `witness-${worker}`);
}

/** `schedule` must not keep the process alive. */
export function openWitness(
  path: string,
  schedule: Schedule = (run, ms) => void setTimeout(run, ms).unref(),
): Witness {
  return new Witness(openSync(path, "w", FILE_MODE), schedule);
}

export class Witness {
  #file: number | null;
  readonly #schedule: Schedule;
  /** Who has run in this tick, each as it stands in the record. */
  #main: string[] = [];
  #pool: string[] = [];
  /** Which threads of the pool may be in; a version is in it once for each. */
  readonly #underWay: string[] = [];
  #written = "";
  #tick = 0;
  #ticking = false;
  #closeLooks = 0;

  constructor(file: number, schedule: Schedule) {
    this.#file = file;
    this.#schedule = schedule;
    writeSync(file, " ".repeat(FILE_BYTES), 0);
    this.#write();
  }

  of({ endpoint, version }: Culprit): VersionWitness {
    const text = JSON.stringify({ endpoint, version });
    let seen = -1;
    return {
      enter: () => {
        // It is in the record already, nearly always.
        if (seen === this.#tick) return;
        if (this.#closeLooks > 0) this.#renew();
        else seen = this.#tick;
        this.#add(this.#main, text);
      },
      leave: () => {
        if (this.#closeLooks > 0) this.#renew();
      },
      begin: () => {
        this.#underWay.push(text);
        if (this.#closeLooks > 0) this.#renew();
        else this.#add(this.#pool, text);
      },
      end: () => {
        const at = this.#underWay.indexOf(text);
        if (at !== -1) this.#underWay.splice(at, 1);
        if (this.#closeLooks > 0) this.#renew();
        else this.#renewSoon();
      },
    };
  }

  /** For this long every record is exact. With no guest code below. */
  lookClosely(forMs: number): void {
    this.#closeLooks++;
    this.#renew();
    this.#schedule(() => this.#closeLooks--, forMs);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #add(list: string[], text: string): void {
    if (list.length > NAMED_MAX || list.includes(text)) return;
    list.push(text);
    this.#write();
    this.#renewSoon();
  }

  #renewSoon(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    this.#schedule(() => {
      this.#ticking = false;
      this.#renew();
    }, TICK_MS);
  }

  /** Leaves in the record what runs now. Nothing does on the thread that accepts: it is here. */
  #renew(): void {
    this.#tick++;
    this.#main = [];
    this.#pool = [...new Set(this.#underWay)].slice(0, NAMED_MAX + 1);
    this.#write();
  }

  #write(): void {
    const text = `{"main":[${this.#main.join()}],"pool":[${this.#pool.join()}]}\n`;
    if (this.#file === null || text === this.#written) return;
    this.#written = text;
    try {
      writeSync(this.#file, text, 0, "latin1");
    } catch {
      // A full disk: nobody will be named, everybody is served.
      this.close();
    }
  }
}

/** null: it has left none that can be read. Written by a worker, who may be somebody's puppet. */
export function readWitness(path: string): Testimony | null {
  let file: number | null = null;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(FILE_BYTES);
    const length = readSync(file, bytes, 0, FILE_BYTES, 0);
    const [line = ""] = bytes.toString("latin1", 0, length).split("\n");
    const record: unknown = JSON.parse(line);
    return { main: parseNames(record, "main"), pool: parseNames(record, "pool") };
  } catch {
    // It never served, or its disk was full.
    return null;
  } finally {
    if (file !== null) closeSync(file);
  }
}

function parseNames(record: unknown, list: string): Culprit[] {
  const names: unknown = Reflect.get(Object(record), list);
  if (!Array.isArray(names)) return [];
  return names.flatMap((name: unknown): Culprit[] => {
    const endpoint: unknown = Reflect.get(Object(name), "endpoint");
    const version: unknown = Reflect.get(Object(name), "version");
    return typeof endpoint === "string" && typeof version === "string"
      ? [{ endpoint, version }]
      : [];
  });
}
