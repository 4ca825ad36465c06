// One call of a service, from its beginning until its answer, and what follows it, has ended.

import { EdgeError, errorData } from "../../../sdk/errors.ts";
import { Streamed, type ServicePort } from "../../../sdk/services/service.ts";
import { packValue, STREAM, type Value } from "../../../sdk/services/values.ts";
import type { Call } from "../call.ts";
import { Upload, UPLOAD_IDLE_MS_MAX } from "../egress/upload.ts";

export interface Asked {
  readonly method: string;
  readonly args: readonly Value[];
}

export class ServiceCall {
  readonly owner: number;
  readonly #call: Call;
  readonly #onOver: () => void;
  readonly #abort = new AbortController();
  #upload: Upload | null = null;
  #rest: AsyncIterator<Value> | null = null;
  /** The call that the next piece answers. */
  #pulling: Call | null = null;
  #over = false;

  constructor(call: Call, onOver: () => void) {
    this.owner = call.owner;
    this.#call = call;
    this.#onOver = onOver;
  }

  /** Whether its answer goes on. */
  get lasts(): boolean {
    return this.#rest !== null;
  }

  start(port: ServicePort, { method, args }: Asked): void {
    if (args.includes(STREAM)) {
      this.#upload = new Upload({ idleMsMax: UPLOAD_IDLE_MS_MAX, onIdle: () => this.cancel() });
    }
    void this.#run(port, { method, args });
  }

  async #run(port: ServicePort, { method, args }: Asked): Promise<void> {
    try {
      const answer = await port.call(method, args, {
        request: this.owner,
        signal: this.#abort.signal,
        body: this.#upload?.stream ?? null,
        hold: (bytes) => this.#call.hold(bytes),
        note: (text) => this.#call.note(text),
      });
      if (this.#over) {
        if (answer instanceof Streamed) void endRest(answer.rest[Symbol.asyncIterator]());
        return;
      }
      if (answer instanceof Streamed) {
        this.#rest = answer.rest[Symbol.asyncIterator]();
        answerCall(this.#call, answer.head);
      } else {
        answerCall(this.#call, answer);
        this.#end();
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  push(call: Call, end: boolean): void {
    if (this.#upload === null) call.fail("CALL_INVALID", "The call has no stream.");
    else if (end) this.#upload.end(call);
    else this.#upload.push(call, call.bytes ?? new ArrayBuffer(0));
  }

  pull(call: Call): void {
    if (this.#rest === null || this.#pulling !== null) {
      call.fail("CALL_INVALID", "The call's answer has no more, or is being read already.");
      return;
    }
    this.#pulling = call;
    void this.#next(this.#rest, call);
  }

  async #next(rest: AsyncIterator<Value>, call: Call): Promise<void> {
    try {
      const next: IteratorResult<Value, unknown> = await rest.next();
      if (this.#over) return;
      this.#pulling = null;
      if (next.done === true) {
        call.ok("");
        this.#end();
      } else {
        answerCall(call, next.value);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The handler wants it no more, or has died. Idempotent. */
  cancel(): void {
    if (this.#over) return;
    this.#abort.abort();
    this.#fail(new EdgeError("CANCELLED", "The call was cancelled."));
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    const { code, message } = errorData(error);
    this.#call.fail(code, message);
    this.#pulling?.fail(code, message);
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#upload?.close();
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) void endRest(rest);
    this.#onOver();
  }
}

/** Throws where it is more than may be held for the isolate. */
export function answerCall(call: Call, value: Value): void {
  const { text, bytes } = packValue(value, latin1);
  const size = text.length + (bytes?.byteLength ?? 0);
  if (!call.hold(size)) {
    throw new EdgeError(
      "MEMORY_LIMIT",
      "The answer is larger than what may wait for this endpoint.",
    );
  }
  if (bytes === null) call.ok(`\n${text}`);
  else call.okBytes(bytes.buffer as ArrayBuffer, text);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

async function endRest(rest: AsyncIterator<Value>): Promise<void> {
  try {
    await rest.return?.();
  } catch {
    // It is wanted no more; how its end went was for the service to log.
  }
}
