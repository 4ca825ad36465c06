// One fetch of a guest, from its call until its response body is used up, cancelled or broken.

import { setImmediate as turn } from "node:timers/promises";
import type { Code } from "../../../sdk/errors.ts";
import type { Call } from "../call.ts";
import { abortInTurn } from "./aborts.ts";
import { describeFailure } from "./failure.ts";
import type { FetchArguments } from "./fetch-arguments.ts";
import { packHead, type Fetched } from "./response-head.ts";
import type { Outgoing } from "./undici.ts";
import { Upload } from "./upload.ts";

/** A body read whole as text; a guest's heap would not hold much more. Streams are not limited. */
export const RESPONSE_TEXT_BYTES_MAX: number = 32 * 1024 * 1024;

/** Of such a body, in one turn of the event loop: a server may send one of a byte in every six that it sends. */
const TURN_CHUNKS_MAX = 512;

/** How a fetch reaches whoever answers it: over the network, or another endpoint of this node. */
export type Send = (
  outgoing: Outgoing,
  options: {
    readonly signal: AbortSignal;
    readonly onHop: () => void;
    /** As Call.trail. */
    readonly trail: () => string;
    /** As Call.note. */
    readonly note: (text: string) => void;
  },
) => Promise<Fetched>;

export interface SubrequestHost {
  readonly send: Send;
  readonly uploadIdleMsMax: number;
  /** Throws when the exchange has no subrequest left. */
  readonly onHop: () => void;
  /** The head arrived or never will. */
  readonly onHead: (subrequest: Subrequest) => void;
  /** Nothing more can be asked of it. */
  readonly onOver: (subrequest: Subrequest) => void;
}

export class Subrequest {
  readonly id: number;
  readonly owner: number;
  readonly #call: Call;
  readonly #arguments: FetchArguments;
  readonly #host: SubrequestHost;
  readonly #abort = new AbortController();
  readonly #upload: Upload | null;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  /** The call that the next piece of the body answers. */
  #reading: Call | null = null;
  #touched = false;
  #over = false;

  constructor(call: Call, parsed: FetchArguments, host: SubrequestHost) {
    this.id = call.id;
    this.owner = call.owner;
    this.#call = call;
    this.#arguments = parsed;
    this.#host = host;
    this.#upload = parsed.body === "stream" ? this.#createUpload() : null;
  }

  #createUpload(): Upload {
    return new Upload({
      idleMsMax: this.#host.uploadIdleMsMax,
      onIdle: () => this.fail("FETCH_FAILED", "The subrequest's body stopped arriving."),
    });
  }

  /** Whether its response waits for somebody to begin reading it. */
  get unread(): boolean {
    return this.#reader !== null && !this.#touched;
  }

  start(): void {
    void this.#run();
  }

  async #run(): Promise<void> {
    const { body, ...rest } = this.#arguments;
    try {
      const response = await this.#host.send(
        { ...rest, body: body === "stream" ? (this.#upload?.stream ?? null) : body },
        {
          signal: this.#abort.signal,
          onHop: this.#host.onHop,
          trail: () => this.#call.trail(),
          note: (text) => this.#call.note(text),
        },
      );
      if (this.#over) return;
      // Held by a reader from now on, so that undici does not cancel it when the Response is collected.
      this.#reader = response.body?.getReader() ?? null;
      this.#host.onHead(this);
      if (this.#over) return;
      this.#call.ok(packHead(response));
      if (this.#reader === null) this.#finish();
    } catch (error) {
      const { code, message } = describeFailure(error, this.#arguments.host);
      this.fail(code, message);
    }
  }

  push(call: Call, end: boolean): void {
    if (this.#upload === null) {
      call.fail("CALL_INVALID", "The subrequest has no streamed body.");
    } else if (end) {
      this.#upload.end(call);
    } else {
      this.#upload.push(call, call.bytes ?? new ArrayBuffer(0));
    }
  }

  pull(call: Call): void {
    void this.#read(call, (reader) => this.#nextChunk(reader, call));
  }

  text(call: Call): void {
    void this.#read(call, (reader) => this.#wholeText(reader, call));
  }

  async #read(
    call: Call,
    read: (reader: ReadableStreamDefaultReader<Uint8Array>) => Promise<void>,
  ): Promise<void> {
    const reader = this.#reader;
    if (reader === null || this.#reading !== null) {
      call.fail("CALL_INVALID", "The response is not there, or is being read already.");
      return;
    }
    this.#reading = call;
    this.#touched = true;
    try {
      await read(reader);
    } catch (error) {
      const { code, message } = describeFailure(error, this.#arguments.host);
      this.fail(code, message);
    }
  }

  async #nextChunk(reader: ReadableStreamDefaultReader<Uint8Array>, call: Call): Promise<void> {
    const { done, value } = await reader.read();
    if (this.#over) return;
    this.#reading = null;
    if (done) {
      call.ok("");
      this.#finish();
    } else {
      call.okBytes(wholeBuffer(value));
    }
  }

  async #wholeText(reader: ReadableStreamDefaultReader<Uint8Array>, call: Call): Promise<void> {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let text = "";
    let length = 0;
    for (let chunks = 1; ; chunks++) {
      const { done, value } = await reader.read();
      if (chunks % TURN_CHUNKS_MAX === 0) await turn();
      if (this.#over) return;
      if (done) break;
      length += value.byteLength;
      if (!call.hold(value.byteLength)) {
        this.fail(
          "MEMORY_LIMIT",
          "Too much of responses is held for this endpoint; read it as a stream.",
        );
        return;
      }
      if (length > RESPONSE_TEXT_BYTES_MAX) {
        const limit = `${RESPONSE_TEXT_BYTES_MAX} bytes`;
        this.fail("FETCH_FAILED", `The response is longer than ${limit}; read it as a stream.`);
        return;
      }
      text += decoder.decode(value, { stream: true });
    }
    this.#reading = null;
    call.ok(text + decoder.decode());
    this.#finish();
  }

  /** Ends it by force: whoever waits for anything of it is told why. Idempotent. */
  fail(code: Code, message: string): void {
    if (this.#over) return;
    this.#call.fail(code, message);
    this.#reading?.fail(code, message);
    this.#end(true);
  }

  #finish(): void {
    // An upload that nobody will read to its end would hold the connection.
    this.#end(this.#upload !== null && !this.#upload.complete);
  }

  #end(abort: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#reading = null;
    if (abort) {
      abortInTurn(this.#abort);
      // Its own abort makes a pending read reject, which #read or nobody hears.
      this.#reader?.cancel().catch(() => undefined);
    }
    this.#upload?.close();
    this.#host.onOver(this);
  }
}

/** Transferred to the guest whole, so it must hold nothing but the chunk. */
function wholeBuffer(chunk: Uint8Array): ArrayBuffer {
  const { buffer, byteLength } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) return buffer;
  return new Uint8Array(chunk).buffer;
}
