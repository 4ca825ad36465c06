// A request that is open in an isolate: what the instance keeps of it between two records.

import type { ReplyStream } from "./reply.ts";
import type { RequestBody } from "./request-body.ts";
import type { Ticket } from "./ticket.ts";

export interface Job {
  readonly id: number;
  readonly ticket: Ticket;
  /** On the monotonic clock. */
  deadlineMs: number;
  answered: boolean;
  stream: ReplyStream | null;
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
