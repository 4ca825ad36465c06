// Calls: numbered requests from the guest to the host, each answered once by CALL_OK or CALL_FAIL.

import { BODY, CALLS, LEAVE, OPEN_MAX } from "../../sdk/bridge.ts";
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
 * Calls that leave between two enters, and those of them that have bytes. Each takes the host's thread longer than the
 * guest takes to make it, and one with bytes is a task of its own there: a loop of them would keep the thread from
 * everybody else. The others wait here, in memory that counts as the guest's. Enters are counted and not answers: a cut
 * may lose any step of the guest's.
 */
const CALLS_MAX: number = OPEN_MAX;
const BYTES_CALLS_MAX = 16;

/** A list by links: elements of an array could meet an author's setters. */
class Waiting {
  readonly id: number;
  readonly payload: string;
  readonly bytes: Uint8Array | null;
  next: Waiting | null = null;

  constructor(id: number, payload: string, bytes: Uint8Array | null) {
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
  /** The last that has left: they leave in order. */
  #leftId = 0;
  #left = 0;
  #bytesLeft = 0;
  #first: Waiting | null = null;
  #last: Waiting | null = null;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  async fetch(request: OutgoingFetch): Promise<IncomingResponse> {
    const { id, answer } = this.#beginFetch(request);
    request.onAbort?.(() => {
      this.#take(id)?.reject({ code: "CANCELLED", message: "The subrequest was aborted." });
      this.cancel(id);
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
    const started = this.#open();
    const call = new Waiting(started.id, `${this.#wire.current()}\n${name}\n${args}`, bytes);
    if (this.#last === null) this.#first = call;
    else this.#last.next = call;
    this.#last = call;
    this.#sendWaiting();
    return started;
  }

  cancel(id: number): void {
    if (id <= this.#leftId) this.#wire.push(LEAVE.CALL_CANCEL, id, "");
    else this.#reject(id, { code: "CANCELLED", message: "The call was cancelled." });
  }

  async bytesCall(name: string, args: string, bytes: Uint8Array): Promise<ArrayBuffer> {
    const { payload, buffers } = await this.begin(name, args, bytes).answer;
    return buffers[Number(payload)] ?? new ArrayBuffer(0);
  }

  /** The host has come in, and so is done with what left before. */
  entered(): void {
    this.#left = 0;
    this.#bytesLeft = 0;
    this.#sendWaiting();
  }

  /** Whose call it is; undefined when nobody waits for its answer. */
  ownerOf(id: number): number | undefined {
    return this.#pending.get(id)?.owner;
  }

  succeed(id: number, payload: string, buffers: readonly ArrayBuffer[]): void {
    const answer: CallAnswer & { readonly __proto__: null } = { __proto__: null, payload, buffers };
    this.#take(id)?.resolve(answer);
  }

  fail(id: number, payload: string): void {
    const [code = "", message = ""] = fields(payload, 1);
    this.#take(id)?.reject({ code, message });
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
      const { id, payload, bytes } = call;
      if (this.#left >= CALLS_MAX) return;
      if (bytes !== null && this.#bytesLeft >= BYTES_CALLS_MAX) return;
      this.#first = call.next;
      if (call.next === null) this.#last = null;
      // Nobody waits for it any more.
      if (this.#pending.get(id) === undefined) continue;
      this.#left++;
      this.#leftId = id;
      if (bytes === null) this.#wire.push(LEAVE.CALL, id, payload);
      else this.#sendBytes(id, payload, bytes);
    }
  }

  #sendBytes(id: number, payload: string, bytes: Uint8Array): void {
    this.#bytesLeft++;
    try {
      this.#wire.pushBytes(LEAVE.CALL, id, payload, bytes);
    } catch (error) {
      this.#reject(id, error);
    }
  }

  #reject(id: number, reason: unknown): void {
    this.#pending.get(id)?.reject(reason);
    this.#pending.delete(id);
  }

  #take(id: number): Pending | undefined {
    const entry = this.#pending.get(id);
    this.#pending.delete(id);
    if (entry !== undefined) this.#wire.setCurrent(entry.owner);
    return entry;
  }

  #beginFetch(request: OutgoingFetch): StartedCall {
    const { method, url, redirect, headers, body, binding } = request;
    const unbound = request.endsWithRequest === true ? CALLS.FETCH_EVENTS : CALLS.FETCH;
    const name = binding === undefined ? unbound : CALLS.FETCH_BOUND;
    const through = binding === undefined ? "" : `${binding}\n`;
    const head = (kind: string): string =>
      `${through}${method}\n${url}\n${redirect}\n${kind}\n${headers}`;
    if (body === null) return this.begin(name, head(BODY.NONE), null);
    if (typeof body === "string") return this.begin(name, `${head(BODY.TEXT)}\0${body}`, null);
    if (typeof body !== "function") return this.begin(name, head(BODY.BYTES), body);
    const started = this.begin(name, head(BODY.STREAM), null);
    void this.#upload(started.id, body);
    return started;
  }

  async #upload(fetchId: number, next: () => Promise<Uint8Array | null>): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#nextOf(fetchId, next);
        if (chunk === null) break;
        if (chunk.byteLength > 0) await this.begin(CALLS.FETCH_PUSH, `${fetchId}`, chunk).answer;
      }
      await this.begin(CALLS.FETCH_PUSH, `${fetchId}\nend`, null).answer;
    } catch {
      // The fetch itself rejects for whatever reason the upload could not go on; cancelling it ends both.
      this.cancel(fetchId);
    }
  }

  async #nextOf(
    fetchId: number,
    next: () => Promise<Uint8Array | null>,
  ): Promise<Uint8Array | null> {
    try {
      return await next();
    } catch (cause) {
      const message = "The stream of the request's body failed.";
      this.#reject(fetchId, { __proto__: null, code: "FETCH_FAILED", message, cause });
      throw cause;
    }
  }

  #responseBody(fetchId: number): IncomingBody {
    return {
      text: null,
      readText: async () => (await this.begin(CALLS.FETCH_TEXT, `${fetchId}`, null).answer).payload,
      pull: async () => {
        const { payload, buffers } = await this.begin(CALLS.FETCH_PULL, `${fetchId}`, null).answer;
        const bytes = payload === "" ? undefined : buffers[Number(payload)];
        return bytes === undefined ? null : new Uint8Array(bytes);
      },
      cancel: () => this.cancel(fetchId),
    };
  }
}
