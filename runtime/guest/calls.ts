// Calls: numbered requests from the guest to the host, each answered once by CALL_OK or CALL_FAIL.

import { BODY, CALLS, LEAVE } from "../../sdk/bridge.ts";
import { createAwaitable } from "./job.ts";
import { fields, type Wire } from "./payload.ts";
import type {
  CallAnswer,
  IncomingBody,
  IncomingResponse,
  OutgoingFetch,
  StartedCall,
} from "./port.ts";
import { Table } from "./table.ts";

/**
 * Calls with bytes that leave between two enters. Each is a task of its own on the host's thread and takes it longer
 * than the guest takes to make it: a loop of them would keep the thread from everybody else. The others wait here, in
 * memory that counts as the guest's. Enters are counted and not answers: a cut may lose any step of the guest's.
 */
const BYTES_CALLS_MAX = 16;

/** A list by links: elements of an array could meet an author's setters. */
class Waiting {
  readonly id: number;
  readonly payload: string;
  readonly bytes: Uint8Array;
  next: Waiting | null = null;

  constructor(id: number, payload: string, bytes: Uint8Array) {
    this.id = id;
    this.payload = payload;
    this.bytes = bytes;
  }
}

interface Pending {
  /** The request that made the call: its code runs next when the answer comes. */
  readonly owner: number;
  readonly resolve: (answer: CallAnswer) => void;
  readonly reject: (reason: unknown) => void;
}

export class Calls {
  readonly #wire: Wire;
  readonly #pending = new Table<Pending>();
  #lastId = 0;
  #bytesCalls = 0;
  #first: Waiting | null = null;
  #last: Waiting | null = null;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  async fetch(request: OutgoingFetch): Promise<IncomingResponse> {
    const { id, answer } = this.#beginFetch(request);
    request.onAbort?.(() => {
      this.cancel(id);
      this.#take(id)?.reject({ code: "CANCELLED", message: "The subrequest was aborted." });
    });
    const { payload } = await answer;
    const [status = "", statusText = "", url = "", redirected = "", kind = "", headers = ""] =
      fields(payload, 5);
    // Without a prototype: resolving a promise with it must not run a getter of the author's for `then`.
    const response: IncomingResponse & { readonly __proto__: null } = {
      __proto__: null,
      status: Number(status),
      statusText,
      url,
      redirected: redirected === "1",
      headers,
      body: kind === BODY.NONE ? null : this.#responseBody(id),
    };
    return response;
  }

  begin(name: string, args: string, bytes: Uint8Array | null): StartedCall {
    if (bytes === null) return this.#call(name, args);
    const started = this.#open();
    const call = new Waiting(started.id, `${this.#wire.current()}\n${name}\n${args}`, bytes);
    if (this.#last === null) this.#first = call;
    else this.#last.next = call;
    this.#last = call;
    this.#sendWaiting();
    return started;
  }

  cancel(id: number): void {
    this.#wire.push(LEAVE.CALL_CANCEL, id, "");
  }

  async bytesCall(name: string, args: string, bytes: Uint8Array): Promise<ArrayBuffer> {
    const { payload, buffers } = await this.begin(name, args, bytes).answer;
    return buffers[Number(payload)] ?? new ArrayBuffer(0);
  }

  /** The host has come in, and so is done with what left before. */
  entered(): void {
    this.#bytesCalls = 0;
    this.#sendWaiting();
  }

  succeed(id: number, payload: string, buffers: readonly ArrayBuffer[]): void {
    const answer: CallAnswer & { readonly __proto__: null } = { __proto__: null, payload, buffers };
    this.#take(id)?.resolve(answer);
  }

  fail(id: number, payload: string): void {
    const [code = "", message = ""] = fields(payload, 1);
    this.#take(id)?.reject({ code, message });
  }

  #call(name: string, args: string, bytes?: Uint8Array): StartedCall {
    const wire = this.#wire;
    const { id, answer } = this.#open();
    const payload = `${wire.current()}\n${name}\n${args}`;
    if (bytes === undefined) wire.push(LEAVE.CALL, id, payload);
    else wire.pushBytes(LEAVE.CALL, id, payload, bytes);
    return { id, answer };
  }

  #open(): StartedCall {
    const id = ++this.#lastId;
    const owner = this.#wire.current();
    const answer = createAwaitable<CallAnswer>((resolve, reject) => {
      this.#pending.set(id, { owner, resolve, reject });
    });
    return { id, answer };
  }

  #sendWaiting(): void {
    for (let call = this.#first; call !== null; call = this.#first) {
      if (this.#bytesCalls >= BYTES_CALLS_MAX) return;
      this.#bytesCalls++;
      this.#first = call.next;
      if (call.next === null) this.#last = null;
      try {
        this.#wire.pushBytes(LEAVE.CALL, call.id, call.payload, call.bytes);
      } catch (error) {
        this.#pending.get(call.id)?.reject(error);
        this.#pending.delete(call.id);
      }
    }
  }

  #take(id: number): Pending | undefined {
    const entry = this.#pending.get(id);
    this.#pending.delete(id);
    if (entry !== undefined) this.#wire.setCurrent(entry.owner);
    return entry;
  }

  #beginFetch({ method, url, redirect, headers, body, binding }: OutgoingFetch): StartedCall {
    const name = binding === undefined ? CALLS.FETCH : CALLS.FETCH_BOUND;
    const through = binding === undefined ? "" : `${binding}\n`;
    const head = (kind: string): string =>
      `${through}${method}\n${url}\n${redirect}\n${kind}\n${headers}`;
    if (body === null) return this.#call(name, head(BODY.NONE));
    if (typeof body === "string") return this.#call(name, `${head(BODY.TEXT)}\0${body}`);
    if (typeof body !== "function") return this.#call(name, head(BODY.BYTES), body);
    const started = this.#call(name, head(BODY.STREAM));
    void this.#upload(started.id, body);
    return started;
  }

  async #upload(fetchId: number, next: () => Promise<Uint8Array | null>): Promise<void> {
    try {
      for (;;) {
        const chunk = await next();
        if (chunk === null) break;
        if (chunk.byteLength > 0) await this.#call(CALLS.FETCH_PUSH, `${fetchId}`, chunk).answer;
      }
      await this.#call(CALLS.FETCH_PUSH, `${fetchId}\nend`).answer;
    } catch {
      // The fetch itself rejects for whatever reason the upload could not go on; cancelling it ends both.
      this.cancel(fetchId);
    }
  }

  #responseBody(fetchId: number): IncomingBody {
    return {
      text: null,
      readText: async () => (await this.#call(CALLS.FETCH_TEXT, `${fetchId}`).answer).payload,
      pull: async () => {
        const { payload, buffers } = await this.#call(CALLS.FETCH_PULL, `${fetchId}`).answer;
        const bytes = payload === "" ? undefined : buffers[Number(payload)];
        return bytes === undefined ? null : new Uint8Array(bytes);
      },
      cancel: () => this.cancel(fetchId),
    };
  }
}
