// The calls of one isolate that have no reply yet.

import { ENTER } from "../../sdk/bridge.ts";
import type { Code } from "../../sdk/errors.ts";
import type { Call, CallService } from "./call.ts";
import { takeLog } from "./guest-log.ts";
import type { Held } from "./held.ts";
import type { Job } from "./jobs/job.ts";
import type { OpenJobs } from "./jobs/open-jobs.ts";
import { exactBuffer } from "./request-body.ts";

/** RFC 8586: which servers a request has passed through. */
const LOOP_HEADER = "cdn-loop";

/** Sends a record to the guest; `owner` is the request that made the call. */
export type PushFor = (
  owner: number,
  op: string,
  id: number,
  payload: string,
  buffer?: ArrayBuffer | null,
) => void;

export interface OpenCallsHost {
  readonly held: Held;
  readonly jobs: OpenJobs;
  /** Its CPU time begins anew. */
  readonly renew: (job: Job) => void;
  /** That one request may log. */
  readonly logBytesMax: number;
}

/** What a call is given of its isolate. */
interface CallHost extends OpenCallsHost {
  readonly closed: boolean;
  answered(call: OpenCall, op: string, payload: string, buffer: ArrayBuffer | null): void;
}

export class OpenCalls implements CallHost {
  readonly held: Held;
  readonly jobs: OpenJobs;
  readonly renew: (job: Job) => void;
  readonly logBytesMax: number;
  readonly #services: readonly CallService[];
  readonly #push: PushFor;
  #count = 0;
  #closed = false;

  constructor(
    services: readonly CallService[],
    push: PushFor,
    { held, jobs, renew, logBytesMax }: OpenCallsHost,
  ) {
    this.#services = services;
    this.#push = push;
    this.held = held;
    this.jobs = jobs;
    this.renew = renew;
    this.logBytesMax = logBytesMax;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get count(): number {
    return this.#count;
  }

  /** `payload`: of a CALL record, request id \n name \n arguments. Answers with the request's id. */
  begin(id: number, payload: string, bytes: ArrayBuffer | null): number {
    const ownerEnd = payload.indexOf("\n");
    const nameEnd = payload.indexOf("\n", ownerEnd + 1);
    const name = payload.slice(ownerEnd + 1, nameEnd);
    const owner = Number(payload.slice(0, ownerEnd));
    const call = new OpenCall(this, { id, owner, args: payload.slice(nameEnd + 1), bytes });
    this.#count++;
    if (!call.hold(call.args.length + (bytes?.byteLength ?? 0))) {
      call.fail("MEMORY_LIMIT", "Too much waits in this endpoint's calls (limit memoryMb).");
    } else if (!this.#isTaken(name, call)) {
      call.fail("CALL_INVALID", `There is no call named ${name.slice(0, 64)}.`);
    }
    return owner;
  }

  #isTaken(name: string, call: Call): boolean {
    for (const service of this.#services) if (service.call(name, call)) return true;
    return false;
  }

  /** For the call: its one answer. */
  answered({ id, owner }: OpenCall, op: string, payload: string, buffer: ArrayBuffer | null): void {
    this.#count--;
    this.#push(owner, op, id, payload, buffer);
  }

  cancel(id: number): void {
    for (const service of this.#services) service.cancel(id);
  }

  ownerDone(owner: number, died: boolean): void {
    for (const service of this.#services) service.ownerDone(owner, died);
  }

  /** No reply is sent after it. */
  close(): void {
    this.#closed = true;
    for (const service of this.#services) service.close();
  }
}

/** Methods instead of closures: a handler may make a hundred calls at once, and a handful each would be most of it. */
class OpenCall implements Call {
  readonly id: number;
  readonly owner: number;
  readonly args: string;
  readonly bytes: ArrayBuffer | null;
  readonly #host: CallHost;
  #done = false;
  #heldBytes = 0;

  constructor(
    host: CallHost,
    { id, owner, args, bytes }: Pick<Call, "id" | "owner" | "args" | "bytes">,
  ) {
    this.#host = host;
    this.id = id;
    this.owner = owner;
    this.args = args;
    this.bytes = bytes;
  }

  trail(): string {
    return this.#host.jobs.get(this.owner)?.ticket.exchange.header(LOOP_HEADER) ?? "";
  }

  isOwned(): boolean {
    return this.#host.jobs.get(this.owner) !== undefined;
  }

  renew(): void {
    const job = this.#host.jobs.get(this.owner);
    if (job !== undefined && job.socket !== null) this.#host.renew(job);
  }

  note(text: string): void {
    const { jobs, logBytesMax } = this.#host;
    takeLog(jobs.get(this.owner), `warn 0\n${text}`, logBytesMax);
  }

  hold(more: number): boolean {
    if (this.#done || !this.#host.held.take(more)) return false;
    this.#heldBytes += more;
    return true;
  }

  keep(more: number): (() => void) | null {
    const { held } = this.#host;
    return held.take(more) ? () => held.give(more) : null;
  }

  ok(text: string): void {
    this.#end(ENTER.CALL_OK, text, null);
  }

  okBytes(answer: ArrayBuffer, rest = ""): void {
    this.#end(ENTER.CALL_OK, rest, exactBuffer(new Uint8Array(answer)));
  }

  fail(code: Code, message: string): void {
    this.#end(ENTER.CALL_FAIL, `${code}\n${message}`, null);
  }

  #end(op: string, payload: string, buffer: ArrayBuffer | null): void {
    if (this.#done || this.#host.closed) return;
    this.#done = true;
    this.#host.held.give(this.#heldBytes);
    this.#host.answered(this, op, payload, buffer);
  }
}
