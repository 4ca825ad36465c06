// Sockets that clients have opened, by the number of the request that became one: records of theirs to the end that
// its response gave away, and messages of that end into records.

import { ENTER, LEAVE } from "../../../sdk/bridge.ts";
import { fields, type Wire } from "../payload.ts";
import type { SocketEnd } from "../port.ts";
import { Table } from "../table.ts";

/**
 * Characters and bytes that leave between two enters, and the least that a message counts for: the host's thread takes
 * longer over each than the guest takes to make it (see calls.ts). The others wait here, in memory that is the guest's.
 */
const LEAVING_MAX = 1_048_576;
const TEXT_COST_MIN = 1_024;
const BYTES_COST_MIN = 65_536;

/** A list by links: elements of an array could meet an author's setters. */
interface Waiting {
  readonly op: typeof LEAVE.SOCKET_TEXT | typeof LEAVE.SOCKET_BYTES | typeof LEAVE.SOCKET_CLOSE;
  readonly id: number;
  readonly message: string | ArrayBuffer;
  next: Waiting | null;
}

const { max } = Math;

export class Sockets {
  readonly #wire: Wire;
  readonly #open = new Table<SocketEnd>();
  #left = 0;
  #first: Waiting | null = null;
  #last: Waiting | null = null;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  open(id: number, end: SocketEnd): void {
    this.#open.set(id, end);
    end.attach({
      buffered: 0,
      // What clients send comes by itself.
      want: () => undefined,
      send: (message) => {
        const op = typeof message === "string" ? LEAVE.SOCKET_TEXT : LEAVE.SOCKET_BYTES;
        this.#leave({ op, id, message, next: null });
      },
      close: (code, reason) =>
        this.#leave({ op: LEAVE.SOCKET_CLOSE, id, message: `${code}\n${reason}`, next: null }),
    });
  }

  /** The host has come in, and so is done with what left before. */
  entered(): void {
    this.#left = 0;
    if (this.#first !== null) this.#leaveWaiting();
  }

  has(id: number): boolean {
    return this.#open.get(id) !== undefined;
  }

  /** False when the record is none of a socket's. */
  advance(op: string, id: number, payload: string, buffers: readonly ArrayBuffer[]): boolean {
    const end = this.#open.get(id);
    switch (op) {
      case ENTER.SOCKET_TEXT:
        this.#wire.push(LEAVE.PULL, id, "");
        end?.message(payload);
        return true;
      case ENTER.SOCKET_BYTES: {
        const bytes = buffers[Number(payload)];
        this.#wire.push(LEAVE.PULL, id, "");
        if (bytes !== undefined) end?.message(bytes);
        return true;
      }
      case ENTER.SOCKET_CLOSED: {
        const [code = "", reason = ""] = fields(payload, 1);
        this.#open.delete(id);
        end?.closed(Number(code), reason);
        return true;
      }
      case ENTER.SOCKET_GO:
        return true;
      default:
        return false;
    }
  }

  #leave(message: Waiting): void {
    const begins = this.#first === null;
    if (this.#last === null) this.#first = message;
    else this.#last.next = message;
    this.#last = message;
    if (begins) this.#leaveWaiting();
  }

  #leaveWaiting(): void {
    const wire = this.#wire;
    for (let each = this.#first; each !== null; each = this.#first) {
      const { op, id, message } = each;
      // The host comes in again when it is asked to, and only then for sure.
      if (this.#left >= LEAVING_MAX) return wire.push(LEAVE.SOCKET_WAIT, id, "");
      this.#first = each.next;
      if (each.next === null) this.#last = null;
      // Closed meanwhile.
      if (this.#open.get(id) === undefined) continue;
      if (typeof message === "string") {
        this.#left += max(message.length, TEXT_COST_MIN);
        wire.push(op, id, message);
      } else {
        this.#left += max(message.byteLength, BYTES_COST_MIN);
        wire.pushBytes(op, id, "", new Uint8Array(message));
      }
    }
  }
}
