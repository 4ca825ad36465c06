// The requests that are open in this isolate: from the record that brings one to its reply, its streams and
// its background work. Ids are the host's. An entry stays as long as anything about it can still arrive.

import { BODY, ENTER, LEAVE, chunkCredit } from "../../sdk/bridge.ts";
import { LOG_LINE_BYTES_MAX, logCost } from "../../sdk/limits.ts";
import { ExecutionContext, type ContextHooks } from "./execution-context.ts";
import { fields, type Wire } from "./payload.ts";
import { Places } from "./places.ts";
import { Sockets } from "./sockets/wire.ts";
import {
  abort,
  abortContext,
  createEntry,
  credit,
  failBody,
  type Entry,
} from "./requests/entry.ts";
import { callFetch, eventMethod, hasMethod } from "./workers/entrypoints.ts";
import type {
  AuthorModule,
  IncomingBody,
  IncomingEvent,
  OutgoingResponse,
  Platform,
  ResponseSource,
} from "./port.ts";

export interface RequestsOptions {
  readonly platform: Platform;
  readonly wire: Wire;
  readonly author: AuthorModule;
  readonly env: unknown;
  /** `ctx.services`. */
  readonly services: object;
}

export class Requests {
  readonly #platform: Platform;
  readonly #wire: Wire;
  readonly #author: AuthorModule;
  readonly #env: unknown;
  readonly #services: object;
  readonly #open = new Places<Entry>();
  /** Of those that are over: what they have said since the last one was opened. */
  readonly #over: Pick<Entry, "logBytes"> = { logBytes: 0 };
  readonly sockets: Sockets;
  readonly #hooks: ContextHooks<Entry> = {
    waitUntil: (entry, work) => void this.#track(entry, work),
    signal: (entry) => this.#signal(entry),
    remaining: (entry) => this.#wire.remaining(entry.id, entry.startedAt),
    services: () => this.#services,
    exports: (entry) => this.#exports(entry),
    abort: (entry, reason) => this.#abort(entry, reason),
    log: (entry, level, fields, text) => {
      const head = fields === "" ? level : `${level} ${fields.length}`;
      this.log(entry.id, head, fields + text);
    },
  };

  constructor({ platform, wire, author, env, services }: RequestsOptions) {
    this.sockets = new Sockets(wire);
    this.#services = services;
    this.#platform = platform;
    this.#wire = wire;
    this.#author = author;
    this.#env = env;
  }

  /** Whether code of this request may run yet: it has not answered, streams its reply or works on behind it. */
  isBusy(id: number): boolean {
    const entry = this.#open.get(id);
    if (entry === undefined) return this.sockets.has(id);
    return (
      entry !== undefined && (!entry.answered || entry.streaming !== null || entry.background > 0)
    );
  }

  start(id: number, payload: string): void {
    const methodEnd = payload.indexOf("\n");
    const urlEnd = payload.indexOf("\n", methodEnd + 1);
    const kind = payload.charAt(urlEnd + 1);
    const kindEnd = payload.indexOf("\n", urlEnd + 2);
    const requestIdAt = kindEnd + 1;
    const requestIdEnd = payload.indexOf("\n", requestIdAt);
    const isText = kind === BODY.TEXT;
    const headersEnd = isText ? payload.indexOf("\0", requestIdEnd) : payload.length;
    const entry = this.#openEntry(id);
    try {
      const method = payload.slice(0, methodEnd);
      entry.isHead = method === "HEAD";
      const text = isText ? payload.slice(headersEnd + 1) : null;
      const target = payload.slice(urlEnd + 2, kindEnd);
      const tab = target === "" ? -1 : target.indexOf("\t");
      const request = this.#platform.createRequest({
        method,
        url: payload.slice(methodEnd + 1, urlEnd),
        headers: payload.slice(requestIdEnd + 1, headersEnd),
        body: kind === BODY.NONE ? null : this.#incomingBody(entry, text),
        protocol: tab < 0 ? "" : target.slice(tab + 1),
      });
      entry.request = request;
      entry.requestId = payload.slice(requestIdAt, requestIdEnd);
      const handler = this.#author.named(tab < 0 ? target : target.slice(0, tab));
      const context = new ExecutionContext(entry.requestId, entry, this.#hooks);
      const result = callFetch(handler, request, this.#env, context);
      if (isThenable(result)) void this.#settle(entry, result);
      else this.#respond(entry, result);
    } catch (error) {
      this.#threw(entry, error);
    }
  }

  startEvent(id: number, payload: string): void {
    const entry = this.#openEntry(id);
    try {
      const [name = "", eventId = "", text = ""] = fields(payload, 2);
      const handler = this.#author.named("");
      const event = this.#platform.createEvent(name, text, handler);
      if (event === null) throw new TypeError("There is no such event.");
      entry.requestId = eventId;
      const context = new ExecutionContext(eventId, entry, this.#hooks);
      const isMissing = event.isOptional === true && !hasMethod(handler, name);
      const method = isMissing ? () => undefined : eventMethod(handler, name);
      void this.#finishEvent(entry, event, method, context);
    } catch (error) {
      this.#threw(entry, error);
    }
  }

  #openEntry(id: number): Entry {
    this.#over.logBytes = 0;
    const entry = createEntry(id, this.#wire.now());
    this.#open.open(entry);
    return entry;
  }

  /** The outcome counts although the method throws: part of the work may be done. */
  async #finishEvent(
    entry: Entry,
    event: IncomingEvent,
    method: ReturnType<typeof eventMethod>,
    context: ExecutionContext<Entry>,
  ): Promise<void> {
    let status = 200;
    let outcome: string | OutgoingResponse;
    try {
      outcome = event.outcome(await method(event.argument, this.#env, context));
    } catch (error) {
      const { name, message, stack } = this.#platform.describeError(error);
      const text = stack === "" ? `${name}: ${message}` : stack;
      this.#wire.push(LEAVE.LOG, entry.id, `error\n${text}`);
      status = 500;
      outcome = event.outcome(undefined);
    }
    if (typeof outcome !== "string") return this.#send(entry, outcome);
    this.#wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.TEXT}\n\0${outcome}`);
    this.#answered(entry);
  }

  /** Body chunks, aborts, credit: what concerns a request that was started before. */
  advance(op: string, id: number, payload: string, buffers: readonly ArrayBuffer[]): void {
    this.#over.logBytes = 0;
    if (this.sockets.advance(op, id, payload, buffers)) return;
    const entry = this.#open.get(id);
    if (entry === undefined) return;
    const { pull, text } = entry;
    switch (op) {
      case ENTER.BODY_CHUNK: {
        const bytes = buffers[Number(payload)];
        entry.pull = null;
        pull?.resolve(bytes === undefined ? null : new Uint8Array(bytes));
        break;
      }
      case ENTER.BODY_END:
        entry.pull = null;
        pull?.resolve(null);
        break;
      case ENTER.BODY_TEXT:
        entry.text = null;
        text?.resolve(payload);
        break;
      case ENTER.BODY_FAIL:
        failBody(entry, payload);
        break;
      case ENTER.CREDIT:
        entry.credit += Number(payload);
        if (entry.credit > 0) entry.creditWaiter?.();
        break;
      case ENTER.ABORT:
        this.#aborted(entry, payload);
        break;
      case ENTER.WARN:
        abortContext(entry, { message: payload, name: "TimeoutError" });
        break;
    }
    this.#release(entry);
  }

  /** What the host would only throw away stays here, but for the first line that is too much: it marks that. */
  log(id: number, level: string, text: string): void {
    const entry = this.#open.get(id) ?? this.#over;
    if (entry.logBytes > this.#wire.logBytesMax) return;
    entry.logBytes += logCost(text.length);
    const isLong = text.length > LOG_LINE_BYTES_MAX;
    const short = isLong ? text.slice(0, LOG_LINE_BYTES_MAX + 1) : text;
    this.#wire.push(LEAVE.LOG, id, `${level}\n${short}`);
  }

  /** For the request that runs now. False when there is none that could wait. */
  waitUntil(id: number, work: unknown): boolean {
    const entry = this.#open.get(id);
    if (entry === undefined) return false;
    void this.#track(entry, work);
    return true;
  }

  /** As `waitUntil`, by the id that this isolate has for the request. */
  exportsFor(id: number): object | null {
    const entry = this.#open.get(id);
    return entry === undefined ? null : this.#exports(entry);
  }

  #exports(entry: Entry): object {
    return this.#platform.createLoopback(this.#author.names(), async (name, request, props) => {
      const handler = this.#author.named(name === "default" ? "" : name);
      const context = new ExecutionContext(entry.requestId, entry, this.#hooks, props);
      return callFetch(handler, request, this.#env, context);
    });
  }

  /** The author's own end of a request. What its code does from now on is nobody's. */
  #abort(entry: Entry, reason: unknown): void {
    const error =
      reason === undefined ? new Error("The request was aborted by its handler.") : reason;
    if (!entry.answered) this.#threw(entry, error);
    else if (entry.streaming !== null) {
      const { message } = this.#platform.describeError(error);
      this.#wire.push(LEAVE.STREAM_FAIL, entry.id, message);
    }
    this.#aborted(entry, "The request was aborted.");
    this.#release(entry);
  }

  #aborted(entry: Entry, reason: string): void {
    if (entry.request !== null) this.#platform.abortRequest(entry.request, reason);
    abortContext(entry, { message: reason, name: "AbortError" });
    abort(entry, reason);
  }

  #signal(entry: Entry): object {
    if (entry.signal === null) {
      entry.signal = this.#platform.createSignal();
      const { abortReason } = entry;
      if (abortReason !== null) entry.signal.abort(abortReason.message, abortReason.name);
    }
    return entry.signal.signal;
  }

  #release(entry: Entry): void {
    if (!entry.answered || entry.streaming !== null || entry.background > 0) return;
    if (entry.pull === null && entry.text === null) this.#open.delete(entry);
  }

  #answered(entry: Entry): void {
    entry.answered = true;
    this.#release(entry);
  }

  async #settle(entry: Entry, result: unknown): Promise<void> {
    try {
      this.#respond(entry, await result);
    } catch (error) {
      this.#threw(entry, error);
    }
  }

  #threw(entry: Entry, error: unknown): void {
    if (entry.answered) return;
    const { name, message, stack } = this.#platform.describeError(error);
    const lengths = `${name.length}\n${message.length}\n`;
    this.#wire.push(LEAVE.THROWN, entry.id, `${lengths}${name}${message}${stack}`);
    this.#answered(entry);
  }

  #respond(entry: Entry, value: unknown): void {
    // By ctx.abort.
    if (entry.answered) return;
    const response: OutgoingResponse | null = this.#platform.takeResponse(value);
    if (response === null) {
      this.#wire.push(LEAVE.BAD_RESPONSE, entry.id, typeof value);
      this.#answered(entry);
      return;
    }
    this.#send(entry, response);
  }

  #send(entry: Entry, { status, headers, body, socket }: OutgoingResponse): void {
    if (socket !== null) {
      this.#wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.SOCKET}\n${headers}`);
      this.sockets.open(entry.id, socket);
      this.#answered(entry);
      return;
    }
    if (typeof body === "string") {
      this.#wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.TEXT}\n${headers}\0${body}`);
    } else if (body === null) {
      this.#wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.NONE}\n${headers}`);
    } else if (body instanceof Uint8Array) {
      const head = `${status}\n${BODY.BYTES}\n${headers}`;
      this.#wire.pushBytes(LEAVE.RESPONSE, entry.id, head, body);
    } else if (entry.isHead) {
      // Nobody would read it, so it might never end.
      this.#wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.NONE}\n${headers}`);
      body.cancel("A HEAD request's reply has no body.");
    } else {
      this.#wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.STREAM}\n${headers}`);
      entry.streaming = body;
      void this.#stream(entry, body);
    }
    this.#answered(entry);
  }

  async #stream(entry: Entry, source: ResponseSource): Promise<void> {
    try {
      for (;;) {
        if (entry.credit <= 0) await credit(entry);
        const chunk = await source.pull();
        if (entry.streaming === null) return;
        if (chunk === null) break;
        if (chunk.byteLength === 0) continue;
        entry.credit -= chunkCredit(chunk.byteLength);
        this.#wire.pushBytes(LEAVE.CHUNK, entry.id, "", chunk);
      }
      this.#wire.push(LEAVE.END, entry.id, "");
    } catch (error) {
      if (entry.streaming === null) return;
      const { message } = this.#platform.describeError(error);
      this.#wire.push(LEAVE.STREAM_FAIL, entry.id, message);
    }
    entry.streaming = null;
    this.#release(entry);
  }

  async #track(entry: Entry, work: unknown): Promise<void> {
    if (entry.background++ === 0) this.#wire.push(LEAVE.BACKGROUND, entry.id, "+");
    try {
      await work;
    } catch (error) {
      const { name, message, stack } = this.#platform.describeError(error);
      const text = stack === "" ? `${name}: ${message}` : stack;
      this.log(entry.id, "error", `waitUntil: ${text}`);
    }
    if (--entry.background === 0) this.#wire.push(LEAVE.BACKGROUND, entry.id, "-");
    this.#release(entry);
  }

  #incomingBody(entry: Entry, text: string | null): IncomingBody {
    const ask = (op: string): void => {
      this.#open.reopen(entry);
      this.#wire.push(op, entry.id, "");
    };
    return {
      text,
      readText: () =>
        new Promise((resolve, reject) => {
          entry.text = { resolve, reject };
          ask(LEAVE.PULL_TEXT);
        }),
      pull: () =>
        new Promise((resolve, reject) => {
          entry.pull = { resolve, reject };
          ask(LEAVE.PULL);
        }),
      cancel: () => this.#wire.push(LEAVE.BODY_CANCEL, entry.id, ""),
    };
  }
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}
