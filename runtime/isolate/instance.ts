// One live isolate of one version in this worker, and the requests that are open in it. Turns tickets into
// records and records into replies; slice/runner.ts decides when they cross. Everything a guest sends is checked
// here: what an honest guest cannot have sent condemns the isolate.
//
// A request stays open until the guest has answered it, its reply stream has ended and its background work is
// done; the generation it belongs to drains on exactly that count.

import { BODY, ENTER, LEAVE, type Records } from "../../sdk/bridge.ts";
import type { Limits } from "../../sdk/limits.ts";
import type { Exchange, HeaderList } from "../../sdk/exchange.ts";
import type { Code } from "../../sdk/errors.ts";
import type { CallService } from "./call.ts";
import { CpuBudget } from "./slice/cpu-budget.ts";
import { GuestTimers } from "./guest-timers.ts";
import { takeLog } from "./guest-log.ts";
import type { Held } from "./held.ts";
import { createJob, endStream, isGoingOn, limitText, type Job } from "./jobs/job.ts";
import { OpenCalls, type PushFor } from "./open-calls.ts";
import { OpenJobs } from "./jobs/open-jobs.ts";
import { Rejections } from "./jobs/rejections.ts";
import { Replies } from "./replies.ts";
import { createHeadParser, thrownText } from "./reply.ts";
import { RequestBody, shortText, createReceiver } from "./request-body.ts";
import type { Death, SliceEvents } from "./slice/contract.ts";
import { closeSocket, endSocket } from "./sockets/guest-socket.ts";
import type { SliceRunner } from "./slice/runner.ts";
import { eventPayload, targetOf, type Ticket } from "./ticket.ts";

/** Background work may run on this long after the reply. */
export const BACKGROUND_MS = 30_000;

type HeadersOf = (exchange: Exchange) => HeaderList;
const allHeaders: HeadersOf = (exchange) => exchange.headers;

export interface InstanceEvents {
  /** A request is over; there is room for another. */
  ended(): void;
  died(death: Death): void;
}

/** Of the requests that are to blame. */
const CODES: Readonly<Record<Death, Code>> = {
  memory: "MEMORY_LIMIT",
  disposed: "MEMORY_LIMIT",
  timeout: "CPU_LIMIT",
  wedged: "CPU_LIMIT",
  broken: "ISOLATE_FAILED",
};

export class Instance implements SliceEvents {
  readonly #limits: Limits;
  readonly #pushFor: PushFor = (owner, op, id, payload, buffer = null) =>
    this.#runner?.push({ id, owner, op, payload, buffer });
  readonly #held: Held;
  readonly #calls: OpenCalls;
  readonly #events: InstanceEvents;
  readonly #replies: Replies;
  readonly #rejections: Rejections;
  readonly #parseHead = createHeadParser();
  readonly #open = new OpenJobs();
  readonly #timers = new GuestTimers((id, owner) => this.#pushFor(owner, ENTER.TIMER, id, ""));
  readonly #headersOf: HeadersOf;
  /** Monotonic. */
  readonly #now: () => number;
  #runner: SliceRunner | null = null;
  #budget: CpuBudget | null = null;
  #unanswered = 0;
  #dead = false;

  constructor(options: {
    limits: Limits;
    held: Held;
    services: readonly CallService[];
    headersOf?: HeadersOf | undefined;
    now: () => number;
    events: InstanceEvents;
  }) {
    const { held, limits } = options;
    this.#limits = limits;
    this.#held = held;
    const renew = (job: Job): void => this.#budget?.renew(job);
    const host = { held, jobs: this.#open, renew, logBytesMax: limits.logBytes };
    this.#calls = new OpenCalls(options.services, this.#pushFor, host);
    this.#headersOf = options.headersOf ?? allHeaders;
    this.#now = options.now;
    this.#events = options.events;
    this.#replies = new Replies({
      limits,
      held,
      now: options.now,
      push: (op, id, payload, buffer) => this.#push(op, id, payload, buffer),
      markAnswered: (job) => this.#markAnswered(job),
      renew,
      fail: (job, code) => this.#failJob(job, code),
      close: (job) => this.#closeUnlessBusy(job),
    });
    this.#rejections = new Rejections(this.#open, limits.logBytes, (id, payload) =>
      this.#push(ENTER.REJECTION, id, payload),
    );
  }

  attach(runner: SliceRunner): void {
    this.#runner = runner;
    this.#rejections.attach(runner.cells);
    this.#budget = new CpuBudget(this.#limits, runner.cells);
  }

  get inFlight(): number {
    return this.#open.size;
  }

  get hasRoom(): boolean {
    return this.#open.size < this.#limits.concurrency && !this.#dead;
  }

  /** Only when there is room. */
  accept(ticket: Ticket): void {
    const { exchange, event } = ticket;
    // It may have waited: whoever left meanwhile is told of no more.
    if (exchange.state !== "open") return;
    const id = this.#open.nextId();
    const job = createJob(id, ticket, this.#limits.wallMs);
    this.#open.add(job);
    this.#budget?.open(job);
    this.#unanswered++;
    this.#rejections.accepted();
    exchange.onGone(() => this.#gone(job));
    if (event !== null) return this.#push(ENTER.EVENT, id, eventPayload(event, exchange.requestId));
    if (exchange.hasBody) exchange.limitBody(this.#limits.bodyBytes);
    const head = `${exchange.method}\n${exchange.scheme}://${exchange.authority}${exchange.url}\n`;
    const tail = `${exchange.requestId}\n${this.#headersOf(exchange)}`;
    const payload = exchange.hasBody
      ? () => this.#payloadWithBody(job, head, tail)
      : `${head}${BODY.NONE}${targetOf(exchange)}\n${tail}`;
    this.#runner?.push({ id, owner: id, op: ENTER.REQUEST, payload, buffer: null });
  }

  /** Ends what has passed its time limit. Called every now and then. */
  expire(now: number): void {
    // What runs, or is about to, may be what those that are closed still have to say.
    if (this.#runner?.quiet !== false) this.#open.forget();
    for (const job of this.#open.values()) {
      if (job.deadlineMs > now) continue;
      if (!job.answered || isGoingOn(job)) this.#failJob(job, "HANDLER_TIMEOUT");
      else if (job.background) this.#close(job);
    }
  }

  /** Ends every open request: the drain ran out of time, or the worker stops. */
  failAll(code: Code): void {
    for (const job of this.#open.values()) this.#failJob(job, code);
  }

  dispose(): void {
    this.#dead = true;
    this.#runner?.stop();
    this.#timers.close();
    this.#calls.close();
    this.#open.clearLate();
  }

  ran(id: number, cpuUs: number): void {
    const job = this.#open.get(id);
    if (job === undefined || this.#budget === null) return;
    const warn = this.#budget.charge(job, cpuUs);
    if (warn) this.#push(ENTER.WARN, id, "The CPU time is running out.");
  }

  cpuLeftUs(id: number): number {
    const job = this.#open.get(id);
    return job === undefined || this.#budget === null ? 0 : this.#budget.leftUs(job);
  }

  burned(id: number, frames: string): void {
    const job = this.#open.get(id);
    if (job !== undefined) job.burned = frames;
  }

  rejected(ids: readonly number[], reason: unknown): void {
    this.#rejections.take(ids, reason);
  }

  drained(): void {
    if (this.#unanswered === 0 || !this.#isHung()) return;
    for (const job of this.#open.values()) {
      if (!job.answered) this.#failJob(job, "NO_RESPONSE");
    }
  }

  culprit(id: number): void {
    const job = this.#open.get(id);
    if (job === undefined) return;
    this.#failJob(job, this.#budget?.isToBlame(job) === true ? "CPU_LIMIT" : "OVERLOADED");
  }

  suspects(ids: readonly number[]): void {
    for (const id of ids) {
      const job = this.#open.get(id);
      if (job !== undefined && (!job.answered || isGoingOn(job))) this.culprit(id);
    }
  }

  lost(id: number): void {
    const job = this.#open.get(id);
    if (job !== undefined) this.#failJob(job, "ISOLATE_FAILED");
  }

  died(death: Death, running: number, ids: readonly number[]): void {
    // First, so that none comes in for each that goes.
    this.#dead = true;
    const blamed = new Set(running === 0 ? ids : [running]);
    const code = CODES[death];
    for (const job of this.#open.values()) {
      this.#failJob(job, blamed.has(job.id) ? code : "ISOLATE_FAILED");
    }
    this.dispose();
    this.#events.died(death);
  }

  /** No call or timer is under way that could come back into the isolate. */
  get isStill(): boolean {
    return this.#calls.count === 0 && this.#timers.size === 0;
  }

  /** Nothing at all is: whoever waits now waits for ever. */
  #isHung(): boolean {
    if (!this.isStill) return false;
    return this.#open.values().every((job) => !isGoingOn(job) && job.body?.awaited !== true);
  }

  #push(op: string, id: number, payload: string, buffer: ArrayBuffer | null = null): void {
    this.#runner?.push({ id, owner: id, op, payload, buffer });
  }

  #payloadWithBody(job: Job, head: string, tail: string): string {
    const { exchange } = job.ticket;
    const whole = exchange.takeWholeBody();
    const text = whole === null ? null : shortText(whole);
    if (text !== null) return `${head}${BODY.TEXT}${targetOf(exchange)}\n${tail}\0${text}`;
    const { id } = job;
    const receiver = createReceiver(
      (op, payload, bytes) => this.#push(op, id, payload, bytes),
      () => this.#failJob(job, "MEMORY_LIMIT"),
    );
    job.body = new RequestBody(exchange, whole, receiver, this.#held);
    return `${head}${BODY.STREAM}${targetOf(exchange)}\n${tail}`;
  }

  record({ op, id, payload }: Records, bytes: ArrayBuffer | null): void {
    // Records behind the one that condemned it.
    if (this.#dead) return;
    switch (op) {
      case LEAVE.RESPONSE:
        this.#respond(id, payload, bytes);
        break;
      case LEAVE.CHUNK:
        if (bytes !== null) this.#replies.chunk(this.#open.get(id), bytes);
        break;
      case LEAVE.SOCKET_BYTES:
        if (bytes !== null) this.#open.get(id)?.socket?.send(new Uint8Array(bytes));
        break;
      case LEAVE.CALL:
        this.#call(id, payload, bytes);
        break;
      case LEAVE.LOG:
        takeLog(this.#open.lately(id), payload, this.#limits.logBytes);
        break;
      case LEAVE.TIMER_SET:
        if (!this.#timers.set(id, payload)) this.malformed();
        break;
      case LEAVE.TIMER_CLEAR:
        this.#timers.clear(id);
        break;
      case LEAVE.CALL_CANCEL:
        this.#calls.cancel(id);
        break;
      default:
        this.#advance(op, id, payload);
    }
  }

  #advance(op: string, id: number, payload: string): void {
    const job = this.#open.get(id);
    if (job === undefined) {
      if (op === LEAVE.PULL || op === LEAVE.PULL_TEXT) {
        this.#push(ENTER.BODY_FAIL, id, "The request is over.");
      }
      return;
    }
    switch (op) {
      case LEAVE.PULL:
        if (job.socket === null) job.body?.pull();
        else job.socket.taken();
        break;
      case LEAVE.PULL_TEXT:
        job.body?.pullText();
        break;
      case LEAVE.BODY_CANCEL:
        job.body?.cancel();
        break;
      case LEAVE.END:
        if (job.stream !== null) job.ticket.exchange.finish();
        this.#streamEnded(job);
        break;
      case LEAVE.STREAM_FAIL:
        job.ticket.log("error", `The reply's stream failed: ${payload}`);
        if (job.stream !== null) job.ticket.fail("HANDLER_EXCEPTION");
        this.#streamEnded(job);
        break;
      case LEAVE.THROWN:
        job.ticket.log("error", thrownText(payload));
        this.#failJob(job, "HANDLER_EXCEPTION");
        break;
      case LEAVE.BAD_RESPONSE:
        job.ticket.log("error", `The handler returned ${payload}, not a Response.`);
        this.#failJob(job, "HANDLER_BAD_RESPONSE");
        break;
      case LEAVE.SOCKET_TEXT:
        job.socket?.send(payload);
        break;
      case LEAVE.SOCKET_CLOSE:
        closeSocket(job, payload);
        break;
      case LEAVE.SOCKET_WAIT:
        this.#push(ENTER.SOCKET_GO, id, "");
        break;
      case LEAVE.BACKGROUND:
        job.background = payload === "+";
        if (job.answered && !job.background && !isGoingOn(job)) this.#close(job);
        break;
      default:
        this.malformed();
    }
  }

  #respond(id: number, payload: string, bytes: ArrayBuffer | null): void {
    const head = this.#parseHead(payload);
    const job = this.#open.get(id);
    if (head === null) this.malformed();
    else if (job !== undefined && !job.answered) this.#replies.respond(job, head, bytes);
  }

  #call(id: number, payload: string, bytes: ArrayBuffer | null): void {
    const job = this.#open.get(this.#calls.begin(id, payload, bytes));
    if (job !== undefined) job.called = true;
  }

  #streamEnded(job: Job): void {
    if (!job.answered) {
      this.malformed();
      return;
    }
    endStream(job);
    this.#closeUnlessBusy(job);
  }

  #gone(job: Job): void {
    if (!this.#open.has(job.id)) return;
    if (!job.answered) job.ticket.answered("client_abort");
    this.#push(ENTER.ABORT, job.id, "The client went away.");
    endStream(job);
    if (job.answered) this.#closeUnlessBusy(job);
  }

  #failJob(job: Job, code: Code): void {
    if (!this.#open.has(job.id)) return;
    job.ticket.used(job);
    job.ticket.fail(code, limitText(code, job, this.#limits));
    this.#push(ENTER.ABORT, job.id, code);
    this.#markAnswered(job);
    endStream(job);
    endSocket(job, code);
    this.#close(job, true);
  }

  #markAnswered(job: Job): void {
    if (!job.answered) this.#unanswered--;
    job.answered = true;
  }

  /** Its reply is out. */
  #closeUnlessBusy(job: Job): void {
    if (job.socket !== null) return;
    if (job.background) job.deadlineMs = this.#now() + BACKGROUND_MS;
    else this.#close(job);
  }

  #close(job: Job, died = false): void {
    if (!this.#open.delete(job.id)) return;
    this.#markAnswered(job);
    job.body?.fail("The request is over.");
    if (job.called) this.#calls.ownerDone(job.id, died || job.ticket.exchange.state === "gone");
    this.#events.ended();
  }

  /** The guest broke the rules of the bridge: only code that tampered with it can do that. */
  malformed(): void {
    if (!this.#dead) this.died("broken", 0, this.#open.keys());
  }
}
