// WebSockets to the outside: the guest's end of the calls socket.* (sdk/bridge.ts CALLS), which stands behind the
// hidden end of a pair as a client's connection does (wire.ts). The next message is asked for when the one before has
// been taken, so what the handler does not look at stays in the host, and there on the socket.

import { CALLS } from "../../../sdk/bridge.ts";
import { DOMException } from "../dom-exception.ts";
import { fields } from "../payload.ts";
import type { Port, SocketEnd, SocketWire } from "../port.ts";
import { utf8Length } from "../utf8.ts";

const TRY_AGAIN_LATER = 1_013;
/** The connection broke off. */
const ABNORMAL = 1_006;
const OPENED = 101;

let callHost: Pick<Port, "begin" | "cancel"> | null = null;
let topLevelDials = 0;

export function thawDial(port: Port): void {
  callHost = {
    begin: (name, args, bytes) => port.begin(name, args, bytes),
    cancel: (id) => port.cancel(id),
  };
}

/** How often a WebSocket was to be opened before thaw. */
export function topLevelDialCount(): number {
  return topLevelDials;
}

export interface DialRequest {
  readonly url: string;
  /** With commas between. */
  readonly protocols: string;
  readonly headers: string;
}

export interface DialAnswer {
  /** 101 when it is open. */
  readonly status: number;
  readonly protocol: string;
  readonly headers: string;
}

export interface Dialling {
  /** The end whose messages go to the network, and where those of the network come from. */
  readonly end: SocketEnd;
  answered(answer: DialAnswer): void;
  /** It is neither open nor refused. */
  failed(error: unknown): void;
}

/** Answers with the way to give it up. */
export function dial({ url, protocols, headers }: DialRequest, dialling: Dialling): () => void {
  const host = callHost;
  if (host === null) {
    topLevelDials++;
    const message = "A WebSocket cannot be opened while the module loads.";
    throw new DOMException(message, "InvalidStateError");
  }
  const { id, answer } = host.begin(CALLS.SOCKET_OPEN, `${url}\n${protocols}\n${headers}`, null);
  const connection = new Connection(host, id, dialling.end);
  dialling.end.attach(connection);
  void connection.open(answer, dialling);
  return () => host.cancel(id);
}

class Connection implements SocketWire {
  readonly #host: Pick<Port, "begin" | "cancel">;
  readonly #id: number;
  readonly #end: SocketEnd;
  #isOpen = false;
  #isWanted = false;
  #isOver = false;
  #buffered = 0;

  constructor(host: Pick<Port, "begin" | "cancel">, id: number, end: SocketEnd) {
    this.#host = host;
    this.#id = id;
    this.#end = end;
  }

  get buffered(): number {
    return this.#buffered;
  }

  /** No promise is made of what it comes to, which an author could look at. */
  async open(answer: ReturnType<Port["begin"]>["answer"], dialling: Dialling): Promise<void> {
    try {
      const { payload } = await answer;
      const [status = "", protocol = "", headers = ""] = fields(payload, 2);
      this.#isOpen = Number(status) === OPENED;
      dialling.answered({ status: Number(status), protocol, headers });
      if (this.#isWanted) void this.#pump();
    } catch (error) {
      this.#isOver = true;
      dialling.failed(error);
    }
  }

  want(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    if (this.#isOpen) void this.#pump();
  }

  send(message: string | ArrayBuffer): void {
    if (!this.#isOver) void this.#send(message);
  }

  close(code: number, reason: string): void {
    if (!this.#isOver) void this.#close(code, reason);
  }

  async #send(message: string | ArrayBuffer): Promise<void> {
    const isText = typeof message === "string";
    const size = isText ? utf8Length(message) : message.byteLength;
    const bytes = isText ? null : new Uint8Array(message);
    this.#buffered += size;
    try {
      const args = isText ? `${this.#id}\n${message}` : `${this.#id}\n`;
      await this.#host.begin(CALLS.SOCKET_SEND, args, bytes).answer;
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      // Nothing may follow a message that is lost.
      if (code !== "CANCELLED") this.close(TRY_AGAIN_LATER, "Too much waits for the server.");
      this.#isOver = true;
    }
    this.#buffered -= size;
  }

  async #close(code: number, reason: string): Promise<void> {
    try {
      const args = `${this.#id}\n${code}\n${reason}`;
      await this.#host.begin(CALLS.SOCKET_CLOSE, args, null).answer;
    } catch {
      // It is over already.
    }
  }

  async #pump(): Promise<void> {
    const next = `${this.#id}`;
    for (;;) {
      let payload = "";
      let bytes: ArrayBuffer | undefined;
      try {
        const answer = await this.#host.begin(CALLS.SOCKET_NEXT, next, null).answer;
        ({ payload } = answer);
        bytes = answer.buffers[Number(payload)];
      } catch {
        payload = `c${ABNORMAL}\n\n1`;
      }
      const kind = payload.charAt(0);
      if (kind === "t") this.#end.message(payload.slice(1));
      else if (kind !== "c") this.#end.message(bytes ?? new ArrayBuffer(0));
      else {
        this.#isOver = true;
        const [code = "", reason = "", broke = ""] = fields(payload.slice(1), 2);
        if (broke === "1") this.#end.closed(ABNORMAL, "");
        else this.#end.closed(Number(code), reason);
        return;
      }
    }
  }
}
