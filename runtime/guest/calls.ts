// Calls: numbered requests from the guest to the host, each answered once by CALL_OK or CALL_FAIL.

import { BODY, CALLS, LEAVE } from "../../sdk/bridge.ts";
import { fields, type Wire } from "./payload.ts";
import type { IncomingBody, IncomingResponse, OutgoingFetch, Port } from "./port.ts";

export interface Calls {
  readonly fetch: Port["fetch"];
  readonly bytesCall: Port["bytesCall"];
  succeed(id: number, payload: string, buffers: readonly ArrayBuffer[]): void;
  fail(id: number, payload: string): void;
}

interface Answer {
  readonly payload: string;
  readonly buffers: readonly ArrayBuffer[];
}

interface Pending {
  /** The request that made the call: its code runs next when the answer comes. */
  readonly owner: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

export function createCalls(wire: Wire): Calls {
  const pending = new Map<number, Pending>();
  let lastId = 0;

  function call(
    name: string,
    args: string,
    bytes?: Uint8Array,
  ): { id: number; answer: Promise<Answer> } {
    const id = ++lastId;
    const answer = new Promise<Answer>((resolve, reject) => {
      pending.set(id, { owner: wire.current(), resolve, reject });
    });
    const payload = `${wire.current()}\n${name}\n${args}`;
    if (bytes === undefined) wire.push(LEAVE.CALL, id, payload);
    else wire.pushBytes(LEAVE.CALL, id, payload, bytes);
    return { id, answer };
  }

  function take(id: number): Pending | undefined {
    const entry = pending.get(id);
    pending.delete(id);
    if (entry !== undefined) wire.setCurrent(entry.owner);
    return entry;
  }

  function responseBody(fetchId: number): IncomingBody {
    return {
      text: null,
      async readText() {
        return (await call(CALLS.FETCH_TEXT, `${fetchId}`).answer).payload;
      },
      async pull() {
        const { payload, buffers } = await call(CALLS.FETCH_PULL, `${fetchId}`).answer;
        const bytes = payload === "" ? undefined : buffers[Number(payload)];
        return bytes === undefined ? null : new Uint8Array(bytes);
      },
      cancel: () => wire.push(LEAVE.CALL_CANCEL, fetchId, ""),
    };
  }

  async function upload(fetchId: number, next: () => Promise<Uint8Array | null>): Promise<void> {
    try {
      for (;;) {
        const chunk = await next();
        if (chunk === null) break;
        if (chunk.byteLength > 0) await call(CALLS.FETCH_PUSH, `${fetchId}`, chunk).answer;
      }
      await call(CALLS.FETCH_PUSH, `${fetchId}\nend`).answer;
    } catch {
      // The fetch itself rejects for whatever reason the upload could not go on; cancelling it ends both.
      wire.push(LEAVE.CALL_CANCEL, fetchId, "");
    }
  }

  function begin(request: OutgoingFetch): { id: number; answer: Promise<Answer> } {
    const { method, url, redirect, headers, body } = request;
    const head = (kind: string): string => `${method}\n${url}\n${redirect}\n${kind}\n${headers}`;
    if (body === null) return call(CALLS.FETCH, head(BODY.NONE));
    if (typeof body === "string") return call(CALLS.FETCH, `${head(BODY.TEXT)}\0${body}`);
    if (typeof body !== "function") return call(CALLS.FETCH, head(BODY.BYTES), body);
    const started = call(CALLS.FETCH, head(BODY.STREAM));
    void upload(started.id, body);
    return started;
  }

  async function fetch(request: OutgoingFetch): Promise<IncomingResponse> {
    const { id, answer } = begin(request);
    request.onAbort?.(() => {
      wire.push(LEAVE.CALL_CANCEL, id, "");
      take(id)?.reject({ code: "CANCELLED", message: "The subrequest was aborted." });
    });
    const { payload } = await answer;
    const [status = "", statusText = "", url = "", redirected = "", kind = "", headers = ""] =
      fields(payload, 5);
    return {
      status: Number(status),
      statusText,
      url,
      redirected: redirected === "1",
      headers,
      body: kind === BODY.NONE ? null : responseBody(id),
    };
  }

  return {
    fetch,
    async bytesCall(name, args, bytes) {
      const { payload, buffers } = await call(name, args, bytes).answer;
      return buffers[Number(payload)] ?? new ArrayBuffer(0);
    },
    succeed(id, payload, buffers) {
      take(id)?.resolve({ payload, buffers });
    },
    fail(id, payload) {
      const [code = "", message = ""] = fields(payload, 1);
      take(id)?.reject({ code, message });
    },
  };
}
