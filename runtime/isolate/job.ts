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
}
