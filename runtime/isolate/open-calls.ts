// The calls of one isolate that have no reply yet.

import { ENTER } from "../../sdk/bridge.ts";
import type { Call, CallService } from "./call.ts";
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
}

export class OpenCalls {
  readonly #services: readonly CallService[];
  readonly #push: PushFor;
  readonly #held: Held;
  readonly #jobs: OpenJobs;
  readonly #renew: (job: Job) => void;
  #count = 0;
  #closed = false;

  constructor(
    services: readonly CallService[],
    push: PushFor,
    { held, jobs, renew }: OpenCallsHost,
  ) {
    this.#services = services;
    this.#push = push;
    this.#held = held;
    this.#jobs = jobs;
    this.#renew = renew;
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
    const call = this.#call(id, owner, payload.slice(nameEnd + 1), bytes);
    if (!call.hold(call.args.length + (bytes?.byteLength ?? 0))) {
      call.fail("MEMORY_LIMIT", "Too much waits in this endpoint's calls (limit memoryMb).");
    } else if (!this.#services.some((service) => service.call(name, call))) {
      call.fail("CALL_INVALID", `There is no call named ${name.slice(0, 64)}.`);
    }
    return owner;
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

  #call(id: number, owner: number, args: string, bytes: ArrayBuffer | null): Call {
    let done = false;
    let heldBytes = 0;
    this.#count++;
    const once = (op: string, payload: string, buffer?: ArrayBuffer): void => {
      if (done || this.#closed) return;
      done = true;
      this.#count--;
      this.#held.give(heldBytes);
      this.#push(owner, op, id, payload, buffer);
    };
    return {
      id,
      owner,
      args,
      bytes,
      trail: () => this.#jobs.get(owner)?.ticket.exchange.header(LOOP_HEADER) ?? "",
      isOwned: () => this.#jobs.get(owner) !== undefined,
      renew: () => {
        const job = this.#jobs.get(owner);
        if (job !== undefined && job.socket !== null) this.#renew(job);
      },
      hold: (more) => {
        if (done || !this.#held.take(more)) return false;
        heldBytes += more;
        return true;
      },
      keep: (more) => {
        if (!this.#held.take(more)) return null;
        return () => this.#held.give(more);
      },
      ok: (text) => once(ENTER.CALL_OK, text),
      okBytes: (answer, rest = "") =>
        once(ENTER.CALL_OK, rest, exactBuffer(new Uint8Array(answer))),
      fail: (code, message) => once(ENTER.CALL_FAIL, `${code}\n${message}`),
    };
  }
}
