// The seam inside the isolate, between the bridge (bridge.ts: packs, batches, numbers) and the web platform
// (everything else in this folder: Headers, Request, fetch, timers, crypto, console). The platform sees the
// world only through Port; the bridge sees the platform only through Platform. Neither imports the other;
// boot.ts joins them. Nothing here may be reachable from author code.

/** A body that is still on the host's side. One reader; each method at most once, except pull. */
export interface IncomingBody {
  /** Complete text when the host sent it along (UTF-8 decoded, BOM kept), else null. */
  readonly text: string | null;
  readText(): Promise<string>;
  /** The next chunk, owned by the caller; null at the end. */
  pull(): Promise<Uint8Array | null>;
  /** No more is wanted. */
  cancel(): void;
}

export interface IncomingRequest {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  /** "name\nvalue\n" repeated, names in lower case. */
  readonly headers: string;
  readonly body: IncomingBody | null;
  /** HTTP's version, a space, TLS's; "" when nobody could tell. */
  readonly protocol: string;
}

export interface OutgoingFetch {
  readonly method: string;
  readonly url: string;
  readonly headers: string;
  readonly redirect: "follow" | "manual" | "error";
  /** string: text; Uint8Array: owned by the callee; function: pulled chunk by chunk, null ends it. */
  readonly body: string | Uint8Array | (() => Promise<Uint8Array | null>) | null;
  /** The binding of the endpoint that answers; absent: the network. */
  readonly binding?: string;
  /** Present: it is over with the request that makes it, its response's body too. */
  readonly endsWithRequest?: true;
  /** Calls its argument once when the author's signal aborts. */
  readonly onAbort: ((listener: () => void) => void) | null;
}

export interface IncomingResponse {
  readonly status: number;
  readonly statusText: string;
  /** Final address after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: string;
  readonly body: IncomingBody | null;
}

export interface CallAnswer {
  readonly payload: string;
  readonly buffers: readonly ArrayBuffer[];
}

export interface StartedCall {
  readonly id: number;
  readonly answer: Promise<CallAnswer>;
}

/** What the platform may ask of the outside. Failures reject with { code, message } as plain data. */
export interface Port {
  /** Milliseconds since the epoch, constant within a slice. */
  now(): number;
  /** Milliseconds since the isolate was booted, constant within a slice. */
  monotonic(): number;
  fetch(request: OutgoingFetch): Promise<IncomingResponse>;
  /** Begins a call that is answered once. The bytes' buffer is transferred away. */
  begin(name: string, args: string, bytes: Uint8Array | null): StartedCall;
  /** Nobody waits for this call, or for what follows its answer, any more. */
  cancel(id: number): void;
  /** A call that takes and gives bytes (crypto). The argument's buffer is transferred away. */
  bytesCall(name: string, args: string, bytes: Uint8Array): Promise<ArrayBuffer>;
  setTimer(id: number, ms: number): void;
  /** How many may be set at once. */
  readonly timersMax: number;
  clearTimer(id: number): void;
  /** The isolate's limit. */
  readonly memoryBytes: number;
  log(level: "debug" | "info" | "warn" | "error", text: string): void;
  /** As the `ctx` of the request that runs now. False when none does. */
  waitUntil(work: unknown): boolean;
  /** Its `ctx.exports`; null when none runs. */
  exports(): object | null;
}

/** How messages leave for the client, or for the server that was dialled. */
export interface SocketWire {
  /** Characters and bytes that have not left the process, as far as it is known. */
  readonly buffered: number;
  /** Messages from it are wanted from now on. */
  want(): void;
  send(message: string | ArrayBuffer): void;
  close(code: number, reason: string): void;
}

/** The end of a WebSocket that stands for the network. */
export interface SocketEnd {
  /** Once. */
  attach(wire: SocketWire): void;
  message(data: string | ArrayBuffer): void;
  closed(code: number, reason: string): void;
}

/** What the reply to the host is made of. */
export interface OutgoingResponse {
  readonly status: number;
  readonly headers: string;
  /** string: text; Uint8Array: owned by the bridge; function: pulled chunk by chunk, null ends it. */
  readonly body: string | Uint8Array | ResponseSource | null;
  /** The connection becomes a WebSocket. */
  readonly socket: SocketEnd | null;
}

export interface ResponseSource {
  /** The next chunk, owned by the caller; null at the end; rejects when the stream errors. */
  pull(): Promise<Uint8Array | null>;
  cancel(reason: string): void;
}

/** An AbortSignal of the author's, and the way to abort it. */
export interface ContextSignal {
  readonly signal: object;
  /** `name`: of the DOMException that is its reason. */
  abort(message: string, name: string): void;
}

/** What happens to a handler beside requests, as its method gets it. */
export interface IncomingEvent {
  /** The method's first argument: the author's. */
  readonly argument: object;
  /** The handler may be without the method. */
  readonly isOptional?: true;
  /** What the host is told when the method has come to its end: a text, or a reply that the method has returned. */
  outcome(result: unknown): string | OutgoingResponse;
}

/** What the author's code exports. */
export interface AuthorModule {
  /** "": by default. Throws when there is nothing of this name. */
  named(name: string): unknown;
  names(): readonly string[];
}

/** What the bridge may ask of the web platform. Captured at boot, before anything else runs. */
export interface Platform {
  /** In each new isolate, once, before the first request: restores what a snapshot cannot hold, seeds randomness. */
  thaw(port: Port, seed: Uint8Array, encodings?: SharedArrayBuffer): void;
  /** The handler's `env` and `ctx.services`, of the text that the host gives at boot. Once, after thaw. */
  createEnvironment(text: string, port: Port): { readonly env: object; readonly services: object };
  /** Builds the author's Request. */
  createRequest(incoming: IncomingRequest): object;
  /** null: there is no event of this name. */
  createEvent(name: string, text: string, handler: unknown): IncomingEvent | null;
  /** Aborts the signal of a request that createRequest made. */
  abortRequest(request: object, reason: string): void;
  createSignal(): ContextSignal;
  /** `ctx.exports`: `call` asks the export of this name. */
  createLoopback(
    names: readonly string[],
    call: (name: string, request: object, props: object) => Promise<unknown>,
  ): object;
  /** null when `value` is no Response of this platform. Throws TypeError when its body was used already. */
  takeResponse(value: unknown): OutgoingResponse | null;
  /** A timer that the host reports as due. */
  fireTimer(id: number): void;
  /** Whether reportRejection has listeners. */
  listensForRejections(): boolean;
  /** A promise that nobody handled, as ENTER.REJECTION has it. */
  reportRejection(payload: string): void;
  /** Name, message and stack of anything that can be thrown; never throws itself, never runs author code twice. */
  describeError(thrown: unknown): { name: string; message: string; stack: string };
}
