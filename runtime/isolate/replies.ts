// What becomes of a handler's reply: checked against the endpoint's limits, and handed to the exchange whole, as a
// stream, or as a WebSocket.

import { BODY, ENTER } from "../../sdk/bridge.ts";
import type { Code } from "../../sdk/errors.ts";
import type { Limits } from "../../sdk/limits.ts";
import type { Held } from "./held.ts";
import type { Job } from "./jobs/job.ts";
import { heldOf, isLarger, ReplyStream, type ReplyHead } from "./reply.ts";
import { GuestSocket } from "./sockets/guest-socket.ts";

export interface RepliesHost {
  readonly limits: Limits;
  readonly held: Held;
  /** Monotonic. */
  readonly now: () => number;
  /** To the guest; `id` is the request's. */
  readonly push: (op: string, id: number, payload: string, buffer: ArrayBuffer | null) => void;
  readonly markAnswered: (job: Job) => void;
  /** Its CPU time begins anew. */
  readonly renew: (job: Job) => void;
  readonly fail: (job: Job, code: Code) => void;
  /** Its reply is out. */
  readonly close: (job: Job) => void;
}

export class Replies {
  readonly #host: RepliesHost;

  constructor(host: RepliesHost) {
    this.#host = host;
  }

  /** Of a request that has no reply yet. */
  respond(job: Job, head: ReplyHead | "large", bytes: ArrayBuffer | null): void {
    const { limits, held, push } = this.#host;
    const { ticket } = job;
    const { exchange } = ticket;
    if (head !== "large" && isLarger(head.text, bytes, limits.responseBytes)) {
      return this.#host.fail(job, "RESPONSE_TOO_LARGE");
    }
    if (head === "large") return this.#refuse(job, "has more than 64 KB of headers");
    this.#host.markAnswered(job);
    if (exchange.state !== "open") {
      // The client went away before: nobody reads, so nothing would ever give credit.
      push(ENTER.ABORT, job.id, "The client went away.", null);
      return this.#host.close(job);
    }
    const size = heldOf(head, bytes);
    if (size > 0 && !held.take(size)) return this.#host.fail(job, "MEMORY_LIMIT");
    if (job.warned) ticket.used(job);
    if (head.kind === BODY.SOCKET) return this.#becomeSocket(job, head);
    ticket.answered("ok");
    if (head.kind === BODY.STREAM) return this.#stream(job, head);
    const binary = bytes === null ? null : new Uint8Array(bytes);
    exchange.reply(head.status, head.headers, head.kind === BODY.TEXT ? head.text : binary);
    if (size > 0) ticket.whenDone(() => held.give(size));
    this.#host.close(job);
  }

  /** Of a reply's stream. */
  chunk(job: Job | undefined, bytes: ArrayBuffer): void {
    if (job === undefined || job.stream === null) return;
    const { limits, fail } = this.#host;
    if (!job.stream.write(bytes)) fail(job, "MEMORY_LIMIT");
    else if (job.stream.bytes > limits.responseBytes) fail(job, "RESPONSE_TOO_LARGE");
  }

  #refuse(job: Job, what: string): void {
    job.ticket.log("error", `The handler's response ${what}.`);
    this.#host.fail(job, "HANDLER_BAD_RESPONSE");
  }

  #stream(job: Job, { status, headers }: ReplyHead): void {
    const { limits, held, now, push } = this.#host;
    job.deadlineMs = now() + limits.streamMs;
    job.stream = new ReplyStream(job.ticket, held, (granted) =>
      push(ENTER.CREDIT, job.id, `${granted}`, null),
    );
    job.ticket.exchange.begin(status, headers);
  }

  #becomeSocket(job: Job, { headers }: ReplyHead): void {
    const { upgrade } = job.ticket.exchange;
    if (upgrade === null) {
      return this.#refuse(job, "has a webSocket, and the request asked for none");
    }
    const { limits, held, push, renew, close } = this.#host;
    job.ticket.answered("ok");
    // Clients stay as long as they and the handler like; what is idle the listener closes.
    job.deadlineMs = Infinity;
    const socket = new GuestSocket({
      held,
      push(op, payload, buffer) {
        renew(job);
        push(op, job.id, payload, buffer);
      },
      onClosed() {
        job.socket = null;
        close(job);
      },
    });
    job.socket = socket;
    if (!socket.open(upgrade, headers, limits.socketBytes)) socket.closed(1_006, "");
  }
}
