// One live isolate of one version in this worker, and the requests that are open in it. Turns tickets into
// records and records into replies; slices.ts decides when they cross. Everything a guest sends is checked
// here: what an honest guest cannot have sent condemns the isolate.
//
// A request stays open until the guest has answered it, its reply stream has ended and its background work is
// done; the generation it belongs to drains on exactly that count.

import { BODY, ENTER, LEAVE, OPEN_MAX, Records } from "../../sdk/bridge.ts";
import { LOG_BYTES_PER_REQUEST_MAX, LOG_LINE_BYTES_MAX, type Limits } from "../../sdk/limits.ts";
import type { Code } from "../../sdk/errors.ts";
import type { Call, CallService } from "./call.ts";
import { GuestTimers } from "./guest-timers.ts";
import type { Job } from "./job.ts";
import { OpenJobs } from "./open-jobs.ts";
import { createHeadParser, thrownText, ReplyStream } from "./reply.ts";
import { RequestBody, decodeUtf8, exactBuffer } from "./request-body.ts";
import type { Death, SliceEvents, SliceRunner } from "./slices.ts";
import type { Ticket } from "./ticket.ts";
import { isUtf8 } from "node:buffer";

/** Background work may run on this long after the reply. */
export const BACKGROUND_MS = 30_000;
/** A body of this size that came along with its head crosses with it, as text. */
const WHOLE_BODY_BYTES_MAX = 256 * 1024;

export interface InstanceEvents {
  /** No request is open any more. */
  idle(): void;
  died(death: Death): void;
}

export class Instance implements SliceEvents {
  readonly #limits: Limits;
  readonly #services: readonly CallService[];
  readonly #events: InstanceEvents;
  readonly #parseHead = createHeadParser();
  readonly #open = new OpenJobs();
  readonly #timers = new GuestTimers((id, owner) => this.#pushFor(owner, ENTER.TIMER, id, ""));
  /** Monotonic. */
  readonly #now: () => number;
  #runner: SliceRunner | null = null;
  #dead = false;

  constructor(options: {
    limits: Limits;
    services: readonly CallService[];
    now: () => number;
    events: InstanceEvents;
  }) {
    this.#limits = options.limits;
    this.#services = options.services;
    this.#now = options.now;
    this.#events = options.events;
  }

  attach(runner: SliceRunner): void {
    this.#runner = runner;
  }

  get inFlight(): number {
    return this.#open.size;
  }

  accept(ticket: Ticket): void {
    if (this.#open.size >= OPEN_MAX) {
      ticket.fail("OVERLOADED");
      return;
    }
    const { exchange } = ticket;
    // It may have waited for this isolate to load: whoever left meanwhile is told of no more.
    if (exchange.state !== "open") return;
    const id = this.#open.nextId();
    const job: Job = {
      id,
      ticket,
      deadlineMs: ticket.startedMs + this.#limits.wallMs,
      answered: false,
      stream: null,
      background: false,
      body: null,
      called: false,
      logBytes: 0,
    };
    this.#open.add(job);
    exchange.onGone(() => this.#gone(job));
    if (exchange.hasBody) exchange.limitBody(this.#limits.bodyBytes);
    const head = `${exchange.method}\n${exchange.scheme}://${exchange.authority}${exchange.url}\n`;
    const tail = `${exchange.requestId}\n${exchange.headers}`;
    const payload = exchange.hasBody
      ? () => this.#payloadWithBody(job, head, tail)
      : `${head}${BODY.NONE}\n${tail}`;
    this.#runner?.push({ id, owner: id, op: ENTER.REQUEST, payload, buffer: null });
  }

  /** Ends what has passed its time limit. Called every now and then. */
  expire(now: number): void {
    for (const job of this.#open.values()) {
      if (job.deadlineMs > now) continue;
      if (!job.answered) this.#failJob(job, "HANDLER_TIMEOUT");
      else if (job.background && job.stream === null) this.#close(job);
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
    for (const service of this.#services) service.close();
  }

  deliver(packed: string, bytes: ArrayBuffer | null): void {
    const records = new Records(packed);
    let more = records.next();
    while (more) {
      const { op, id, payload } = records;
      more = records.next();
      // Bytes belong to the last record of their report.
      this.#take(op, id, payload, more || records.malformed ? null : bytes);
    }
    if (records.malformed) this.#condemn();
  }

  culprit(id: number): void {
    const job = this.#open.get(id);
    if (job !== undefined) this.#failJob(job, "CPU_LIMIT");
  }

  suspects(ids: readonly number[]): void {
    for (const id of ids) {
      const job = this.#open.get(id);
      if (job !== undefined && (!job.answered || job.stream !== null))
        this.#failJob(job, "CPU_LIMIT");
    }
  }

  lost(id: number): void {
    const job = this.#open.get(id);
    if (job !== undefined) this.#failJob(job, "ISOLATE_FAILED");
  }

  died(death: Death, running: number, ids: readonly number[]): void {
    const blamed = new Set(running === 0 ? ids : [running]);
    const code: Code = death === "memory" || death === "disposed" ? "MEMORY_LIMIT" : "CPU_LIMIT";
    for (const job of this.#open.values()) {
      this.#failJob(job, blamed.has(job.id) ? code : "ISOLATE_FAILED");
    }
    this.dispose();
    this.#events.died(death);
  }

  #push(op: string, id: number, payload: string, buffer: ArrayBuffer | null = null): void {
    this.#runner?.push({ id, owner: id, op, payload, buffer });
  }

  #pushFor(
    owner: number,
    op: string,
    id: number,
    payload: string,
    buffer: ArrayBuffer | null = null,
  ): void {
    this.#runner?.push({ id, owner, op, payload, buffer });
  }

  #payloadWithBody(job: Job, head: string, tail: string): string {
    const { exchange } = job.ticket;
    const whole = exchange.takeWholeBody();
    if (whole !== null && whole.byteLength <= WHOLE_BODY_BYTES_MAX && isUtf8(whole)) {
      return `${head}${BODY.TEXT}\n${tail}\0${decodeUtf8(whole)}`;
    }
    const { id } = job;
    job.body = new RequestBody(exchange, whole, {
      chunk: (bytes) => this.#push(ENTER.BODY_CHUNK, id, "", bytes),
      text: (text) => this.#push(ENTER.BODY_TEXT, id, text),
      end: () => this.#push(ENTER.BODY_END, id, ""),
      fail: (message) => this.#push(ENTER.BODY_FAIL, id, message),
    });
    return `${head}${BODY.STREAM}\n${tail}`;
  }

  #take(op: string, id: number, payload: string, bytes: ArrayBuffer | null): void {
    // Records behind the one that condemned it.
    if (this.#dead) return;
    switch (op) {
      case LEAVE.RESPONSE:
        this.#respond(id, payload, bytes);
        break;
      case LEAVE.CHUNK:
        if (bytes !== null) this.#open.get(id)?.stream?.write(bytes);
        break;
      case LEAVE.CALL:
        this.#call(id, payload, bytes);
        break;
      case LEAVE.LOG:
        this.#log(id, payload);
        break;
      case LEAVE.TIMER_SET:
        this.#setTimer(id, payload);
        break;
      case LEAVE.TIMER_CLEAR:
        this.#timers.clear(id);
        break;
      case LEAVE.CALL_CANCEL:
        for (const service of this.#services) service.cancel(id);
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
        job.body?.pull();
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
        this.#thrown(job, payload);
        break;
      case LEAVE.BAD_RESPONSE:
        job.ticket.log("error", `The handler returned ${payload}, not a Response.`);
        this.#failJob(job, "HANDLER_BAD_RESPONSE");
        break;
      case LEAVE.BACKGROUND:
        job.background = payload === "+";
        if (job.answered && !job.background && job.stream === null) this.#close(job);
        break;
      default:
        this.#condemn();
    }
  }

  #respond(id: number, payload: string, bytes: ArrayBuffer | null): void {
    const job = this.#open.get(id);
    const head = this.#parseHead(payload);
    if (head === null) {
      this.#condemn();
      return;
    }
    if (job === undefined || job.answered) return;
    const { ticket } = job;
    const { exchange } = ticket;
    if (head === "large") {
      ticket.log("error", "The handler's response has more than 64 KB of headers.");
      this.#failJob(job, "HANDLER_BAD_RESPONSE");
      return;
    }
    job.answered = true;
    if (exchange.state !== "open") {
      // The client went away before: nobody reads, so nothing would ever give credit.
      this.#push(ENTER.ABORT, id, "The client went away.");
      this.#closeUnlessBusy(job);
      return;
    }
    ticket.answered("ok");
    if (head.kind === BODY.STREAM) {
      job.stream = new ReplyStream(exchange, (granted) =>
        this.#push(ENTER.CREDIT, id, `${granted}`),
      );
      exchange.begin(head.status, head.headers);
      return;
    }
    const binary = bytes === null ? null : new Uint8Array(bytes);
    exchange.reply(head.status, head.headers, head.kind === BODY.TEXT ? head.text : binary);
    this.#closeUnlessBusy(job);
  }

  #thrown(job: Job, payload: string): void {
    job.ticket.log("error", thrownText(payload));
    this.#failJob(job, "HANDLER_EXCEPTION");
  }

  #call(id: number, payload: string, bytes: ArrayBuffer | null): void {
    const ownerEnd = payload.indexOf("\n");
    const nameEnd = payload.indexOf("\n", ownerEnd + 1);
    const name = payload.slice(ownerEnd + 1, nameEnd);
    let done = false;
    const once = (send: () => void): void => {
      if (done || this.#dead) return;
      done = true;
      send();
    };
    const owner = Number(payload.slice(0, ownerEnd));
    const job = this.#open.get(owner);
    if (job !== undefined) job.called = true;
    const call: Call = {
      id,
      owner,
      args: payload.slice(nameEnd + 1),
      bytes,
      ok: (text) => once(() => this.#pushFor(owner, ENTER.CALL_OK, id, text)),
      okBytes: (answer) =>
        once(() =>
          this.#pushFor(owner, ENTER.CALL_OK, id, "", exactBuffer(new Uint8Array(answer))),
        ),
      fail: (code, message) =>
        once(() => this.#pushFor(owner, ENTER.CALL_FAIL, id, `${code}\n${message}`)),
    };
    if (!this.#services.some((service) => service.call(name, call))) {
      call.fail("CALL_INVALID", `There is no call named ${name.slice(0, 64)}.`);
    }
  }

  #log(id: number, payload: string): void {
    const job = this.#open.get(id);
    const levelEnd = payload.indexOf("\n");
    const level = payload.slice(0, levelEnd);
    let text = payload.slice(levelEnd + 1);
    if (job === undefined) return;
    if (text.length > LOG_LINE_BYTES_MAX) text = `${text.slice(0, LOG_LINE_BYTES_MAX)}… (cut)`;
    const before = job.logBytes;
    job.logBytes += text.length;
    if (before > LOG_BYTES_PER_REQUEST_MAX) return;
    if (job.logBytes > LOG_BYTES_PER_REQUEST_MAX)
      job.ticket.log("warn", "Further log lines of this request were dropped.");
    else job.ticket.log(level, text);
  }

  #setTimer(id: number, payload: string): void {
    if (this.#dead) return;
    const msEnd = payload.indexOf("\n");
    const ms = Number(payload.slice(0, msEnd));
    if (!this.#timers.set(id, ms, Number(payload.slice(msEnd + 1)))) this.#condemn();
  }

  #streamEnded(job: Job): void {
    if (!job.answered) {
      this.#condemn();
      return;
    }
    job.stream = null;
    this.#closeUnlessBusy(job);
  }

  #gone(job: Job): void {
    if (!this.#open.has(job.id)) return;
    if (!job.answered) job.ticket.answered("client_abort");
    this.#push(ENTER.ABORT, job.id, "The client went away.");
    job.stream = null;
    if (job.answered && !job.background) this.#close(job);
  }

  #failJob(job: Job, code: Code): void {
    if (!this.#open.has(job.id)) return;
    job.ticket.fail(code);
    this.#push(ENTER.ABORT, job.id, code);
    job.answered = true;
    job.stream = null;
    this.#close(job);
  }

  /** Its reply is out. */
  #closeUnlessBusy(job: Job): void {
    if (job.background) job.deadlineMs = this.#now() + BACKGROUND_MS;
    else this.#close(job);
  }

  #close(job: Job): void {
    if (!this.#open.delete(job.id)) return;
    job.body?.fail("The request is over.");
    if (job.called) for (const service of this.#services) service.ownerDone(job.id);
    if (this.#open.size === 0) this.#events.idle();
  }

  /** The guest broke the rules of the bridge: only code that tampered with it can do that. */
  #condemn(): void {
    if (!this.#dead) this.died("broken", 0, this.#open.keys());
  }
}
