// A request body that arrives in pushes. Holds at most one chunk: a push is answered when the chunk was taken
// by the connection, and the guest sends the next one only then. That is the whole backpressure.

import { EdgeError } from "../../../sdk/errors.ts";
import type { Call } from "../call.ts";
import { chunkToSend } from "./sent-chunks.ts";

/** How long the connection waits for a chunk of the guest; as long as it waits for one of the peer. */
export const UPLOAD_IDLE_MS_MAX = 120_000;

export interface UploadOptions {
  readonly idleMsMax: number;
  /** The connection has waited too long. A guest that was cut off would else hold it for good. */
  readonly onIdle: () => void;
}

export class Upload {
  readonly stream: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #waiting: { readonly call: Call; readonly bytes: ArrayBuffer } | null = null;
  #demand: (() => void) | null = null;
  readonly #options: UploadOptions;
  #idle: NodeJS.Timeout | undefined;
  #state: "open" | "unwanted" | "ended" = "open";

  constructor(options: UploadOptions) {
    this.#options = options;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        // The peer answered without reading on. What is pushed now waits for the end of the fetch: failing it
        // at once would make the guest cancel the fetch, and with it an answer such as 413 that it should see.
        cancel: () => {
          this.#state = "unwanted";
          clearTimeout(this.#idle);
        },
      },
      { highWaterMark: 0 },
    );
  }

  get complete(): boolean {
    return this.#state === "ended";
  }

  push(call: Call, bytes: ArrayBuffer): void {
    if (this.#state === "ended" || this.#waiting !== null) {
      return call.fail("CALL_INVALID", "The stream takes one chunk at a time.");
    }
    if (bytes.byteLength === 0) return call.ok("");
    this.#waiting = { call, bytes };
    if (this.#demand !== null) this.#hand();
  }

  end(call: Call): void {
    if (this.#state === "ended" || this.#waiting !== null) {
      return call.fail("CALL_INVALID", "The stream has ended or waits.");
    }
    if (this.#state === "open") {
      this.#controller?.close();
      this.#demand?.();
    }
    this.#state = "ended";
    clearTimeout(this.#idle);
    call.ok("");
  }

  /** The fetch is over; a chunk that still waits is refused. */
  close(): void {
    this.#waiting?.call.fail("CANCELLED", "Nobody reads the stream any more.");
    this.#waiting = null;
    clearTimeout(this.#idle);
    // Lets go of whoever still waits for a chunk.
    if (this.#state === "open") this.#controller?.error(new EdgeError("CANCELLED"));
    this.#state = "ended";
  }

  #pull(): Promise<void> {
    return new Promise((resolve) => {
      this.#demand = resolve;
      if (this.#waiting !== null) this.#hand();
      else this.#idle = setTimeout(this.#options.onIdle, this.#options.idleMsMax).unref();
    });
  }

  #hand(): void {
    const { call, bytes } = this.#waiting ?? {};
    const demand = this.#demand;
    this.#waiting = null;
    this.#demand = null;
    clearTimeout(this.#idle);
    if (bytes !== undefined && this.#state === "open") {
      this.#controller?.enqueue(chunkToSend(bytes));
      call?.ok("");
    }
    demand?.();
  }
}
