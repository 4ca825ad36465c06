// A request that is open in an isolate: what the instance keeps of it between two records.

import type { Code } from "../../../sdk/errors.ts";
import type { Limits } from "../../../sdk/limits.ts";
import type { ReplyStream } from "../reply.ts";
import type { RequestBody } from "../request-body.ts";
import type { GuestSocket } from "../sockets/guest-socket.ts";
import type { Ticket } from "../ticket.ts";

export interface Job {
  readonly id: number;
  readonly ticket: Ticket;
  /** On the monotonic clock. */
  deadlineMs: number;
  answered: boolean;
  stream: ReplyStream | null;
  /** What it has become. */
  socket: GuestSocket | null;
  background: boolean;
  body: RequestBody | null;
  /** Whether it made calls, so that services know of it. */
  called: boolean;
  logBytes: number;
  cpuUs: number;
  /** Looks at its CPU time: slices it had a part in, and ticks of the watch within long ones. */
  slices: number;
  /** The soft limit is behind it. */
  warned: boolean;
  /** Where its CPU time went, as frames of a stack. */
  burned: string;
}

export function createJob(id: number, ticket: Ticket, wallMs: number): Job {
  return {
    id,
    ticket,
    deadlineMs: ticket.startedMs + wallMs,
    answered: false,
    stream: null,
    socket: null,
    background: false,
    body: null,
    called: false,
    logBytes: 0,
    cpuUs: 0,
    slices: 0,
    warned: false,
    burned: "",
  };
}

/** Whether its reply goes on. */
export function isGoingOn({ stream, socket }: Job): boolean {
  return stream !== null || socket !== null;
}

/** What comes of it now is nobody's. */
export function endStream(job: Job): void {
  job.stream?.close();
  job.stream = null;
}

/** What the log says of a request that a limit has ended; undefined of other ends. */
export function limitText(code: Code, job: Job, limits: Limits): string | undefined {
  switch (code) {
    case "HANDLER_TIMEOUT":
      return job.stream === null
        ? `No reply after ${limits.wallMs} ms (limit wallMs).`
        : `The reply's stream did not end within ${limits.streamMs} ms (limit streamMs).`;
    case "MEMORY_LIMIT":
      return `The isolate, or what is held for it, needed more than ${limits.memoryMb} MB (limit memoryMb).`;
    case "RESPONSE_TOO_LARGE":
      return `The reply has more than ${limits.responseBytes} bytes (limit responseBytes).`;
    default:
      return undefined;
  }
}
