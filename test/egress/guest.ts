// Plays the guest's end of the egress calls (runtime/guest/calls.ts) against a CallService, with real promises.

import type { Call, CallService } from "../../runtime/isolate/call.ts";
import { BODY, CALLS } from "../../sdk/bridge.ts";
import { EdgeError } from "../../sdk/errors.ts";

export interface Head {
  readonly id: number;
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly redirected: boolean;
  readonly hasBody: boolean;
  readonly headers: readonly (readonly [string, string])[];
  header(name: string): string | undefined;
}

export interface FetchInit {
  readonly method?: string;
  readonly redirect?: string;
  readonly headers?: string;
  readonly body?: string | Uint8Array;
  /** The body follows by push and end. */
  readonly streamed?: boolean;
  readonly owner?: number;
}

type Answer = string | ArrayBuffer;

export class Guest {
  readonly #service: CallService;
  #lastId = 0;

  constructor(service: CallService) {
    this.#service = service;
  }

  raw(
    name: string,
    args: string,
    more: { bytes?: ArrayBuffer; owner?: number } = {},
  ): { id: number; answer: Promise<Answer> } {
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const call: Call = {
      id,
      owner: more.owner ?? 1,
      args,
      bytes: more.bytes ?? null,
      trail: () => "",
      isOwned: () => true,
      renew: () => undefined,
      note: () => undefined,
      hold: () => true,
      keep: () => () => undefined,
      ok: resolve,
      okBytes: resolve,
      fail: (code, message) => reject(new EdgeError(code, message)),
    };
    // Failures are looked at by whoever awaits, perhaps later.
    promise.catch(() => undefined);
    if (!this.#service.call(name, call)) throw new Error(`${name} is not this service's`);
    return { id, answer: promise };
  }

  begin(url: string, init: FetchInit = {}): { id: number; head: Promise<Head> } {
    const { body, streamed = false } = init;
    const kind = kindOf(body, streamed);
    const method = init.method ?? (kind === BODY.NONE ? "GET" : "POST");
    const text = kind === BODY.TEXT ? `\0${body as string}` : "";
    const args = `${method}\n${url}\n${init.redirect ?? "follow"}\n${kind}\n${init.headers ?? ""}${text}`;
    const bytes = body instanceof Uint8Array ? { bytes: new Uint8Array(body).buffer } : {};
    const owner = init.owner === undefined ? {} : { owner: init.owner };
    const { id, answer } = this.raw(CALLS.FETCH, args, { ...bytes, ...owner });
    const head = answer.then((payload) => parseHead(id, asText(payload)));
    head.catch(() => undefined);
    return { id, head };
  }

  fetch(url: string, init?: FetchInit): Promise<Head> {
    return this.begin(url, init).head;
  }

  async pull(id: number): Promise<Uint8Array | null> {
    const answer = await this.raw(CALLS.FETCH_PULL, `${id}`).answer;
    return typeof answer === "string" ? null : new Uint8Array(answer);
  }

  async text(id: number): Promise<string> {
    return asText(await this.raw(CALLS.FETCH_TEXT, `${id}`).answer);
  }

  async bytes(id: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for (let chunk = await this.pull(id); chunk !== null; chunk = await this.pull(id)) {
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  push(id: number, chunk: Uint8Array): Promise<Answer> {
    return this.raw(CALLS.FETCH_PUSH, `${id}`, { bytes: new Uint8Array(chunk).buffer }).answer;
  }

  end(id: number): Promise<Answer> {
    return this.raw(CALLS.FETCH_PUSH, `${id}\nend`).answer;
  }

  cancel(id: number): void {
    this.#service.cancel(id);
  }

  close(): void {
    this.#service.close();
  }
}

function kindOf(body: string | Uint8Array | undefined, streamed: boolean): string {
  if (streamed) return BODY.STREAM;
  if (body === undefined) return BODY.NONE;
  return typeof body === "string" ? BODY.TEXT : BODY.BYTES;
}

function asText(answer: Answer): string {
  if (typeof answer !== "string") throw new Error("The answer is bytes.");
  return answer;
}

function parseHead(id: number, payload: string): Head {
  const [status = "", statusText = "", url = "", redirected = "", kind = "", ...list] =
    payload.split("\n");
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < list.length; i += 2) headers.push([list[i] ?? "", list[i + 1] ?? ""]);
  return {
    id,
    status: Number(status),
    statusText,
    url,
    redirected: redirected === "1",
    hasBody: kind !== BODY.NONE,
    headers,
    header: (name) => headers.find(([key]) => key === name)?.[1],
  };
}

/** The code and message of a failure; throws when there is none. */
export async function failure(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof EdgeError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("It was expected to fail.");
}
