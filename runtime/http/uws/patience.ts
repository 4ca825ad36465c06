// uWS closes a connection half a minute after it was resumed, or after a write that the socket did not take, unless it
// sees something happen. It does not see a handler that works on a long body, nor a client that takes a little of the
// megabytes that the system keeps for it. So it is told to count anew, for as long as it is ours to wait.

import type { InboundBody } from "../body.ts";
import type { UwsResponse } from "../uws.ts";
import type { UwsStream } from "./stream.ts";

/** Some of uWS's half minutes are shorter: it looks every four seconds. */
const LOOK_MS = 10_000;
/** The system tells of room when a third of its buffer is free: of 4 MB, after two minutes at 10 KB/s. */
const STALLED_MS = 300_000;

type Body = Pick<InboundBody, "ended" | "isHeld">;
type Stream = Pick<UwsStream, "isBlocked" | "bytesOut">;

export class UwsPatience {
  readonly #res: Pick<UwsResponse, "pause" | "resume">;
  readonly #body: Body | null;
  readonly #giveUp: () => void;
  readonly #timer: NodeJS.Timeout;
  #stream: Stream | null = null;
  #bytesOut = 0;
  #vainMs = 0;

  /** From now on, until `stop`. `giveUp`: the client has taken nothing for too long. */
  constructor(res: Pick<UwsResponse, "pause" | "resume">, body: Body | null, giveUp: () => void) {
    this.#res = res;
    this.#body = body;
    this.#giveUp = giveUp;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  watch(stream: Stream): void {
    this.#stream = stream;
  }

  /** Pausing first makes uWS keep what this very socket polls for. */
  resume(): void {
    this.#res.pause();
    this.#res.resume();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    // What is held is not counted, and a client that sends has to keep up the pace that uWS asks for.
    if (this.#body !== null && (this.#body.isHeld || !this.#body.ended)) return;
    if (this.#isVain()) return this.#giveUp();
    this.resume();
  }

  #isVain(): boolean {
    const { isBlocked = false, bytesOut = 0 } = this.#stream ?? {};
    this.#vainMs = isBlocked && bytesOut === this.#bytesOut ? this.#vainMs + LOOK_MS : 0;
    this.#bytesOut = bytesOut;
    return this.#vainMs >= STALLED_MS;
  }
}
