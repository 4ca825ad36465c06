// A worker's way to one cordon: one connection, dialled when it is first needed and again when it is lost. While
// nobody answers, requests wait for the cordon's replacement, bounded in number and time.

import { createConnection, type Socket } from "node:net";
import { cordonSocket } from "../../link/cordon-socket.ts";
import type { Forwarded } from "./forwarded.ts";
import { FrameWriter, OP, readFrames } from "./frames.ts";

/** A replacement that stood by serves within tens of milliseconds. */
const REDIAL_MS = 10;
/** A cordon that stands still is found after 3 s and replaced; one that dies in a loop is paused for longer. */
export const WAITING_MS_MAX = 10_000;
/** As many as may wait for an isolate. */
export const WAITING_MAX = 1_024;
/** Requests on their way through one cordon; each of its isolates has a bound of its own. */
export const FORWARDED_MAX = 8_192;
/** What a cordon that does not read may have others hold for it. */
export const UNSENT_BYTES_MAX: number = 16 * 1024 * 1024;
/** What a frame has room for. */
const ID_MAX = 0xffff_ffff;

export class CordonLink {
  readonly #path: string;
  readonly #now: () => number;
  /** Takes new requests. */
  #connection: Connection | null = null;
  #waiting: Forwarded[] = [];
  #dialling = false;

  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  get idle(): boolean {
    return this.#connection === null && this.#waiting.length === 0;
  }

  /** Owns it until it is over. */
  accept(forwarded: Forwarded): void {
    const connection = this.#connection;
    if (connection === null) this.#wait(forwarded);
    else if (connection.busy) forwarded.fail("OVERLOADED");
    else connection.send(forwarded);
  }

  #wait(forwarded: Forwarded): void {
    if (this.#waiting.length >= WAITING_MAX) this.#waiting = this.#waiting.filter(isWaiting);
    if (this.#waiting.length >= WAITING_MAX) {
      forwarded.fail("OVERLOADED");
      return;
    }
    forwarded.waitingSinceMs = this.#now();
    this.#waiting.push(forwarded);
    this.#dial();
  }

  #dial(): void {
    if (this.#dialling) return;
    this.#dialling = true;
    const refused = (): void => {
      this.#dialling = false;
      this.#waiting = this.#waiting.filter(isWaiting);
      // Whoever comes next dials anew.
      if (this.#waiting.length > 0) setTimeout(() => this.#dial(), REDIAL_MS).unref();
    };
    let ready = false;
    const leave = (): void => {
      if (this.#connection === connection) this.#connection = null;
    };
    const connection = new Connection(createConnection(this.#path), {
      ready: () => {
        ready = true;
        this.#dialling = false;
        this.#connected(connection);
      },
      leaving: leave,
      closed: (again) => {
        leave();
        if (!ready) refused();
        for (const forwarded of again) this.accept(forwarded);
      },
    });
  }

  #connected(connection: Connection): void {
    this.#connection = connection;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const forwarded of waiting) if (isWaiting(forwarded)) this.accept(forwarded);
  }
}

function isWaiting(forwarded: Forwarded): boolean {
  return !forwarded.over;
}

interface ConnectionEvents {
  /** It takes requests. */
  ready(): void;
  /** It takes no new requests. */
  leaving(): void;
  /** Once, with those that may be sent again. */
  closed(again: readonly Forwarded[]): void;
}

class Connection {
  readonly #socket: Socket;
  readonly #out: FrameWriter;
  readonly #events: ConnectionEvents;
  readonly #open = new Map<number, Forwarded>();
  #lastId = 0;
  #ready = false;
  #leaving = false;

  constructor(socket: Socket, events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#out = new FrameWriter(socket, () => {
      for (const forwarded of this.#open.values()) forwarded.drained();
    });
    readFrames(socket, (op, id, text, bytes) => this.#take(op, id, text, bytes));
    socket.on("close", () => this.#closed());
  }

  get busy(): boolean {
    return this.#open.size >= FORWARDED_MAX || this.#out.unsentBytes > UNSENT_BYTES_MAX;
  }

  send(forwarded: Forwarded): void {
    this.#lastId = this.#lastId >= ID_MAX ? 1 : this.#lastId + 1;
    const id = this.#lastId;
    this.#open.set(id, forwarded);
    forwarded.send(this.#out, id, () => {
      this.#open.delete(id);
      this.#endIfIdle();
    });
  }

  #take(op: number, id: number, text: string, bytes: Buffer): void {
    if (op === OP.READY && !this.#ready) {
      this.#ready = true;
      this.#events.ready();
    } else if (op === OP.LEAVING) {
      this.#leaving = true;
      this.#events.leaving();
      this.#endIfIdle();
    } else if (this.#open.get(id)?.take(op, text, bytes) === false) {
      this.#socket.destroy();
    }
  }

  #endIfIdle(): void {
    // Frames of this turn go out first.
    if (this.#leaving && this.#open.size === 0) setImmediate(() => this.#socket.end());
  }

  #closed(): void {
    const left = [...this.#open.values()];
    this.#open.clear();
    this.#events.closed(left.filter((forwarded) => forwarded.lost()));
  }
}

/** Links beyond this are looked at for some that nobody uses any more. */
const LINKS_KEPT = 256;

/** One link per cordon, whichever endpoints ask for it. */
export function createLinks(folder: string, now: () => number): (cordon: string) => CordonLink {
  const links = new Map<string, CordonLink>();
  return (cordon) => {
    const known = links.get(cordon);
    if (known !== undefined) return known;
    if (links.size >= LINKS_KEPT) {
      for (const [name, link] of links) if (link.idle) links.delete(name);
    }
    const link = new CordonLink(cordonSocket(folder, cordon), now);
    links.set(cordon, link);
    return link;
  };
}
