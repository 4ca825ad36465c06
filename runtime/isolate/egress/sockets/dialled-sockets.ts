// WebSockets that one isolate has opened: the host's end of the calls socket.open, socket.next, socket.send and
// socket.close (sdk/bridge.ts CALLS). The number of the call that opened one names it in the others.
//
// Messages wait here until the guest asks for the next one, and while one waits nothing is read from the socket; what
// came in the same packet is held for the isolate (held.ts). What the guest sends is held until the socket took it, as
// part of its call. A socket ends with the request that has opened it.

import { CALLS } from "../../../../sdk/bridge.ts";
import { EdgeError } from "../../../../sdk/errors.ts";
import type { Call } from "../../call.ts";
import { exactBuffer } from "../../request-body.ts";
import { parseFetchId } from "../fetch-arguments.ts";
import type { Reach } from "../guard.ts";
import { parseClose, parseDial } from "./dial-arguments.ts";
import { DialledSocket, dialFailure, type Dial } from "./dial.ts";

/** Per isolate: as many as responses. */
export const DIALLED_MAX = 256;
/**
 * From the end of a request to the closing of its sockets: handlers close them when their client has closed, and the
 * request is over before they have heard of it. For as long after that a server may read what was sent, and answer.
 */
const LEAVE_MS = 500;
const GOING_AWAY = 1_001;
const TRY_AGAIN_LATER = 1_013;
const ABNORMAL = 1_006;
/** What a message costs beside its bytes. */
const RECORD_BYTES = 64;

interface Waiting {
  readonly message: string | Uint8Array;
  readonly give: () => void;
}

export class DialledSockets {
  readonly #reach: Reach;
  readonly #messageBytesMax: number;
  readonly #open = new Map<number, Dialled>();

  constructor(reach: Reach, messageBytesMax: number) {
    this.#reach = reach;
    this.#messageBytesMax = messageBytesMax;
  }

  open(call: Call): void {
    if (!call.isOwned()) throw refused("a request that is over opens none");
    if (this.#open.size >= DIALLED_MAX) throw refused(`one isolate may have ${DIALLED_MAX} open`);
    if (this.#open.has(call.id)) {
      throw new EdgeError("CALL_INVALID", "The number of the call is in use.");
    }
    const { host, ...asked } = parseDial(call.args);
    const dial = { ...asked, messageBytesMax: this.#messageBytesMax };
    const over = (): void => void this.#open.delete(call.id);
    this.#open.set(call.id, new Dialled(call, { dial, host, reach: this.#reach, over }));
  }

  /** False when the call is none of a socket's. */
  call(name: string, call: Call): boolean {
    switch (name) {
      case CALLS.SOCKET_NEXT:
        this.#find(call)?.next(call);
        return true;
      case CALLS.SOCKET_SEND: {
        const { rest } = parseFetchId(call.args);
        this.#find(call)?.send(call, call.bytes === null ? rest : new Uint8Array(call.bytes));
        return true;
      }
      case CALLS.SOCKET_CLOSE: {
        const { code, reason } = parseClose(parseFetchId(call.args).rest);
        this.#find(call)?.close(code, reason);
        call.ok("");
        return true;
      }
      default:
        return false;
    }
  }

  /** Idempotent. */
  cancel(id: number): void {
    this.#open.get(id)?.destroy();
  }

  /** The request is over, and with it what it has opened. */
  ownerDone(owner: number): void {
    for (const socket of this.#open.values()) if (socket.owner === owner) socket.leave();
  }

  close(): void {
    for (const socket of this.#open.values()) socket.destroy();
  }

  #find(call: Call): Dialled | undefined {
    const socket = this.#open.get(parseFetchId(call.args).id);
    if (socket === undefined) call.fail("CANCELLED", "The WebSocket is over.");
    return socket;
  }
}

function refused(why: string): EdgeError {
  return new EdgeError("FETCH_FAILED", `The WebSocket was not opened: ${why}.`);
}

interface DialledHost {
  readonly dial: Dial;
  readonly host: string;
  readonly reach: Reach;
  /** The connection is gone, and nothing more can be asked of it. */
  readonly over: () => void;
}

class Dialled {
  readonly owner: number;
  readonly #call: Call;
  readonly #over: () => void;
  readonly #socket: DialledSocket;
  readonly #waiting: Waiting[] = [];
  #opened = false;
  #leaving: NodeJS.Timeout | null = null;
  #next: Call | null = null;
  /** The last answer to `next` … */
  #closed: string | null = null;
  /** … which was given, or nobody will ask for it. */
  #told = false;
  #gone = false;

  constructor(call: Call, { dial, host, reach, over }: DialledHost) {
    this.owner = call.owner;
    this.#call = call;
    this.#over = over;
    this.#socket = new DialledSocket(dial, reach, {
      opened: (protocol, headers) => {
        this.#opened = true;
        call.ok(`101\n${protocol}\n${headers}`);
      },
      refused: (status, headers) => call.ok(`${status}\n\n${headers}`),
      message: (message) => this.#message(message),
      closed: (code, reason, error) => {
        const { code: why, message } = dialFailure(error, host);
        call.fail(why, message);
        this.#gone = true;
        this.#end(code, reason, error !== null || code === ABNORMAL);
        // The request may be over, and nobody left who asks.
        if (this.#leaving !== null) this.#drop();
      },
    });
  }

  next(call: Call): void {
    if (this.#next !== null) {
      call.fail("CALL_INVALID", "The next message is being waited for already.");
      return;
    }
    this.#next = call;
    this.#deliver();
  }

  send(call: Call, message: string | Uint8Array): void {
    this.#socket.send(message, () => call.ok(""));
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    // The server's answer comes behind what it has sent.
    this.#socket.resume();
  }

  leave(): void {
    this.#leaving ??= setTimeout(() => {
      this.close(GOING_AWAY, "");
      this.#drop();
      if (!this.#gone) this.#leaving = setTimeout(() => this.#socket.destroy(), LEAVE_MS);
    }, LEAVE_MS);
  }

  destroy(): void {
    this.#drop();
    this.#socket.destroy();
  }

  /** Nobody is left who asks. Idempotent. */
  #drop(): void {
    this.#call.fail("CANCELLED", "The WebSocket was given up.");
    if (this.#leaving !== null) clearTimeout(this.#leaving);
    for (const { give } of this.#waiting.splice(0)) give();
    this.#end(ABNORMAL, "", true);
    this.#tell();
  }

  #tell(): void {
    this.#told = true;
    if (this.#gone) this.#over();
  }

  #message(message: string | Uint8Array): void {
    if (this.#closed !== null) return;
    const give = this.#call.keep(message.length + RECORD_BYTES);
    if (give === null) {
      const reason = "Too much waits for the handler.";
      this.close(TRY_AGAIN_LATER, reason);
      this.#end(TRY_AGAIN_LATER, reason, false);
      return;
    }
    this.#waiting.push({ message, give });
    this.#deliver();
    if (this.#waiting.length > 0) this.#socket.pause();
  }

  #end(code: number, reason: string, broke: boolean): void {
    this.#closed ??= `c${code}\n${reason}\n${broke ? "1" : ""}`;
    this.#deliver();
    if (this.#told || !this.#opened) this.#tell();
  }

  #deliver(): void {
    const call = this.#next;
    if (call === null) return;
    const first = this.#waiting.shift();
    if (first === undefined) {
      if (this.#closed === null) return;
      this.#next = null;
      call.ok(this.#closed);
      this.#tell();
      return;
    }
    this.#next = null;
    first.give();
    this.#call.renew();
    if (typeof first.message === "string") call.ok(`t${first.message}`);
    else call.okBytes(exactBuffer(first.message));
    if (this.#waiting.length === 0 && this.#closed === null) this.#socket.resume();
  }
}
