// The requests that are open in this isolate: from the record that brings one to its reply, its streams and
// its background work. Ids are the host's. An entry stays as long as anything about it can still arrive.

import { BODY, ENTER, LEAVE } from "../../sdk/bridge.ts";
import { fields, splitText, type Wire } from "./payload.ts";
import type { IncomingBody, OutgoingResponse, Platform, ResponseSource } from "./port.ts";

export interface Requests {
  start(id: number, payload: string): void;
  /** Body chunks, aborts, credit: what concerns a request that was started before. */
  advance(op: string, id: number, payload: string, buffers: readonly ArrayBuffer[]): void;
  beginBatch(): void;
  /** Requests started since beginBatch that have not answered. */
  unanswered(): number;
}

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

interface Entry {
  readonly id: number;
  batch: number;
  answered: boolean;
  streaming: ResponseSource | null;
  background: number;
  credit: number;
  creditWaiter: (() => void) | null;
  pull: Waiter<Uint8Array | null> | null;
  text: Waiter<string> | null;
  abort: ((reason: string) => void) | null;
}

/** Bytes of a reply stream that may be under way before the host grants more. */
const STREAM_CREDIT_BYTES = 256 * 1024;

export function createRequests(
  platform: Platform,
  wire: Wire,
  handler: () => unknown,
  envJson: string,
): Requests {
  const open = new Map<number, Entry>();
  const env: unknown = JSON.parse(envJson);
  let batch = 0;
  let waiting = 0;

  function release(entry: Entry): void {
    if (!entry.answered || entry.streaming !== null || entry.background > 0) return;
    if (entry.pull === null && entry.text === null) open.delete(entry.id);
  }

  function answered(entry: Entry): void {
    entry.answered = true;
    if (entry.batch === batch) waiting--;
    entry.batch = -1;
    release(entry);
  }

  function threw(entry: Entry, error: unknown): void {
    if (entry.answered) return;
    const { name, message, stack } = platform.describeError(error);
    wire.push(
      LEAVE.THROWN,
      entry.id,
      `${name.length}\n${message.length}\n${name}${message}${stack}`,
    );
    answered(entry);
  }

  function respond(entry: Entry, value: unknown): void {
    let response: OutgoingResponse | null;
    try {
      response = platform.takeResponse(value);
    } catch (error) {
      threw(entry, error);
      return;
    }
    if (response === null) {
      wire.push(LEAVE.BAD_RESPONSE, entry.id, typeof value);
      answered(entry);
      return;
    }
    const { status, headers, body } = response;
    if (body === null) {
      wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.NONE}\n${headers}`);
    } else if (typeof body === "string") {
      wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.TEXT}\n${headers}\0${body}`);
    } else if (body instanceof Uint8Array) {
      wire.pushBytes(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.BYTES}\n${headers}`, body);
    } else {
      wire.push(LEAVE.RESPONSE, entry.id, `${status}\n${BODY.STREAM}\n${headers}`);
      entry.streaming = body;
      void stream(entry, body);
    }
    answered(entry);
  }

  async function stream(entry: Entry, source: ResponseSource): Promise<void> {
    try {
      for (;;) {
        if (entry.credit <= 0) {
          await new Promise<void>((resolve) => {
            entry.creditWaiter = resolve;
          });
        }
        const chunk = await source.pull();
        if (entry.streaming === null) return;
        if (chunk === null) break;
        if (chunk.byteLength === 0) continue;
        entry.credit -= chunk.byteLength;
        wire.pushBytes(LEAVE.CHUNK, entry.id, "", chunk);
      }
      wire.push(LEAVE.END, entry.id, "");
    } catch (error) {
      if (entry.streaming === null) return;
      wire.push(LEAVE.STREAM_FAIL, entry.id, platform.describeError(error).message);
    }
    entry.streaming = null;
    release(entry);
  }

  async function settle(entry: Entry, result: unknown): Promise<void> {
    try {
      respond(entry, await result);
    } catch (error) {
      threw(entry, error);
    }
  }

  async function track(entry: Entry, work: unknown): Promise<void> {
    if (entry.background++ === 0) wire.push(LEAVE.BACKGROUND, entry.id, "+");
    try {
      await work;
    } catch (error) {
      const { name, message, stack } = platform.describeError(error);
      const text = stack === "" ? `${name}: ${message}` : stack;
      wire.push(LEAVE.LOG, entry.id, `error\nwaitUntil: ${text}`);
    }
    if (--entry.background === 0) wire.push(LEAVE.BACKGROUND, entry.id, "-");
    release(entry);
  }

  function incomingBody(entry: Entry, kind: string, text: string | null): IncomingBody | null {
    if (kind === BODY.NONE) return null;
    const ask = (op: string): void => {
      open.set(entry.id, entry);
      wire.push(op, entry.id, "");
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
      cancel: () => wire.push(LEAVE.BODY_CANCEL, entry.id, ""),
    };
  }

  function failBody(entry: Entry, message: string): void {
    const error = new TypeError(message);
    entry.pull?.reject(error);
    entry.text?.reject(error);
    entry.pull = null;
    entry.text = null;
  }

  function aborted(entry: Entry, reason: string): void {
    entry.abort?.(reason);
    failBody(entry, reason);
    const source = entry.streaming;
    entry.streaming = null;
    source?.cancel(reason);
    entry.creditWaiter?.();
    release(entry);
  }

  return {
    start(id, payload) {
      const [method = "", url = "", kind = "", requestId = "", clientIp = "", rest = ""] = fields(
        payload,
        5,
      );
      const { headers, text } = splitText(rest, kind);
      const entry: Entry = {
        id,
        batch,
        answered: false,
        streaming: null,
        background: 0,
        credit: STREAM_CREDIT_BYTES,
        creditWaiter: null,
        pull: null,
        text: null,
        abort: null,
      };
      open.set(id, entry);
      waiting++;
      try {
        const request = platform.createRequest(
          { method, url, headers, body: incomingBody(entry, kind, text) },
          (fire) => {
            entry.abort = fire;
          },
        );
        const context = new ExecutionContext(requestId, clientIp, (work) => void track(entry, work));
        const result = invoke(handler(), request, env, context);
        if (isThenable(result)) void settle(entry, result);
        else respond(entry, result);
      } catch (error) {
        threw(entry, error);
      }
    },
    advance(op, id, payload, buffers) {
      const entry = open.get(id);
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
          aborted(entry, payload);
          break;
      }
      release(entry);
    },
    beginBatch() {
      batch++;
      waiting = 0;
    },
    unanswered: () => waiting,
  };
}

function invoke(handler: unknown, request: unknown, env: unknown, context: unknown): unknown {
  if (typeof handler === "function") return handler(request, env, context) as unknown;
  const module = handler as { fetch(request: unknown, env: unknown, context: unknown): unknown };
  return module.fetch(request, env, context);
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

class ExecutionContext {
  readonly requestId: string;
  readonly clientIp: string;
  readonly props: Record<string, never> = {};
  readonly #track: (work: unknown) => void;

  constructor(requestId: string, clientIp: string, track: (work: unknown) => void) {
    this.requestId = requestId;
    this.clientIp = clientIp;
    this.#track = track;
  }

  waitUntil(work: unknown): void {
    this.#track(work);
  }

  /** Accepted for compatibility: there is no origin behind the handler to fall through to. */
  passThroughOnException(): void {}
}
