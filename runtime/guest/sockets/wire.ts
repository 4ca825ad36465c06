// Sockets that clients have opened, by the number of the request that became one: records of theirs to the end that
// its response gave away, and messages of that end into records.

import { ENTER, LEAVE } from "../../../sdk/bridge.ts";
import { fields, type Wire } from "../payload.ts";
import type { SocketEnd } from "../port.ts";
import { Table } from "../table.ts";

export class Sockets {
  readonly #wire: Wire;
  readonly #open = new Table<SocketEnd>();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  open(id: number, end: SocketEnd): void {
    const wire = this.#wire;
    this.#open.set(id, end);
    end.attach({
      send(message) {
        if (typeof message === "string") wire.push(LEAVE.SOCKET_TEXT, id, message);
        else wire.pushBytes(LEAVE.SOCKET_BYTES, id, "", new Uint8Array(message));
      },
      close: (code, reason) => wire.push(LEAVE.SOCKET_CLOSE, id, `${code}\n${reason}`),
    });
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
      default:
        return false;
    }
  }
}
