// What Request and Response carry. A body stays in the form it came in (text, bytes, or still on the host's
// side) until somebody touches `.body`; only then a stream is made. The shortcuts must not be told from the
// stream by anything an author can observe; body.test.ts runs each against its twin that goes by a stream.

import { bytesOf } from "./buffer-source.ts";
import { blobBytes, chunksOf, concatBytes, isBlob } from "./blob.ts";
import { decodeUtf8, encodeUtf8 } from "./encoding.ts";
import { DOMException } from "./dom-exception.ts";
import { isFormData } from "./form-data.ts";
import { settle } from "./job.ts";
import { encodeForm } from "./multipart.ts";
import type { IncomingBody } from "./port.ts";
import {
  type ByteSource,
  type ByteStream,
  cancelRead,
  copied,
  createByteStream,
  isDisturbed,
  isLocked,
  isReadableStream,
  proxy,
  readerOf,
  readNext,
  type ReadableStream,
  type Reader,
  retire,
  tee,
} from "./streams.ts";
import { URLSearchParams } from "./url.ts";

const apply = Reflect.apply;
const copy = Uint8Array.prototype.slice;
const toWellFormed = String.prototype.toWellFormed;
const sliceText = String.prototype.slice;

/** Internal; never reachable from author code. At most one of text, bytes and incoming is not null. */
export class Body {
  readonly text: string | null;
  readonly bytes: Uint8Array | null;
  readonly incoming: IncomingBody | null;
  /** Content type that this kind of body brings along. */
  readonly type: string | null;
  /** The bytes belong to somebody else as well (a blob, a clone). */
  shared: boolean;
  stream: ReadableStream<unknown> | null;
  used: boolean;
  /** Fails what still reads from the host, when the fetch it belongs to is aborted. */
  fail: ((reason: unknown) => void) | null;
  /** Set once aborted: every later read fails with it. */
  failure: { readonly reason: unknown } | null;

  constructor(
    text: string | null,
    bytes: Uint8Array | null,
    incoming: IncomingBody | null,
    type: string | null,
  ) {
    this.text = text;
    this.bytes = bytes;
    this.incoming = incoming;
    this.type = type;
    this.shared = false;
    this.stream = null;
    this.used = false;
    this.fail = null;
    this.failure = null;
  }
}

export const TEXT_TYPE = "text/plain;charset=UTF-8";

/** Whoever extends it adds fields to an object that is there. */
class Given {
  constructor(object: object) {
    return object;
  }
}

/**
 * Which body feeds a stream made here, so that a stream passed on untouched is read at its source. In a field that
 * nobody sees, since the garbage collector pays for each entry of a WeakMap.
 */
class Origin extends Given {
  readonly #body: Body;

  constructor(stream: ReadableStream<unknown>, body: Body) {
    super(stream);
    this.#body = body;
  }

  static of(stream: object): Body | undefined {
    return #body in stream ? stream.#body : undefined;
  }
}

export function textBody(text: string, type: string | null): Body {
  return new Body(text, null, null, type);
}

export function incomingBody(incoming: IncomingBody): Body {
  return incoming.text === null
    ? new Body(null, null, incoming, null)
    : new Body(incoming.text, null, null, null);
}

function streamBody(stream: ReadableStream<unknown>): Body {
  const body = new Body(null, null, null, null);
  body.stream = stream;
  return body;
}

/** The body out of what an author passes. null and undefined are no body; the caller has sorted them out. */
export function extractBody(value: unknown): Body {
  if (typeof value === "string") return textBody(value, TEXT_TYPE);
  if (typeof value === "object" && value !== null) {
    if (isReadableStream(value)) {
      if (isLocked(value) || isDisturbed(value)) {
        throw new TypeError("The stream is locked or has been read from.");
      }
      return streamBody(value);
    }
    if (isBlob(value)) {
      const body = new Body(null, blobBytes(value), null, value.type === "" ? null : value.type);
      body.shared = true;
      return body;
    }
    if (isFormData(value)) {
      const form = encodeForm(value);
      return new Body(null, form.bytes, null, form.type);
    }
    if (value instanceof URLSearchParams) {
      return textBody(`${value as unknown as string}`, FORM_TYPE);
    }
    // Last: asking costs an exception where it is none.
    const bytes = bytesOf(value);
    if (bytes !== null) {
      return new Body(null, apply(copy, bytes, []) as Uint8Array, null, null);
    }
  }
  return textBody(`${value as string}`, TEXT_TYPE);
}

const FORM_TYPE = "application/x-www-form-urlencoded;charset=UTF-8";

export function isUsed(body: Body | null): boolean {
  return body !== null && (body.used || (body.stream !== null && isDisturbed(body.stream)));
}

export function isUnusable(body: Body): boolean {
  return isUsed(body) || (body.stream !== null && isLocked(body.stream));
}

/** Takes the right to read; throws when it was taken before. */
function begin(body: Body): void {
  if (body.failure !== null) throw body.failure.reason;
  if (isUnusable(body)) throw new TypeError("The body has been used already.");
  body.used = true;
}

function sourceOf(body: Body): ByteSource {
  const { incoming } = body;
  if (incoming !== null) return incoming;
  return body.bytes === null ? chunksOfText(body.text ?? "") : chunksOf(body.bytes);
}

/** Encoded when it is read: most streams are only passed on. */
function chunksOfText(text: string): ByteSource {
  let made: ByteSource | null = null;
  const chunks = (): ByteSource => (made ??= chunksOf(encodeUtf8(text)));
  return { pull: () => chunks().pull(), cancel: () => chunks().cancel() };
}

/** The body's stream, made at the first call. */
export function streamOf(body: Body): ReadableStream<unknown> {
  if (body.stream !== null) return body.stream;
  const made: ByteStream = createByteStream(sourceOf(body));
  body.stream = made.stream;
  if (body.used) retire(made.stream);
  else {
    body.fail = made.fail;
    new Origin(made.stream, body);
    if (body.failure !== null) made.fail(body.failure.reason);
  }
  return made.stream;
}

/** Makes what reads from the host, now or later, fail. Whoever fetched it cancels it at the host. */
export function failBody(body: Body, reason: unknown): void {
  if (body.incoming === null || body.failure !== null) return;
  body.failure = { reason };
  body.fail?.(reason);
}

function decode(text: string): string {
  const plain = text.charCodeAt(0) === 0xfeff ? (apply(sliceText, text, [1]) as string) : text;
  return apply(toWellFormed, plain, []) as string;
}

/** The whole body as text. Synchronous where the text is at hand. */
export function takeText(body: Body | null): string | Promise<string> {
  if (body === null) return "";
  const viaStream = body.stream !== null;
  begin(body);
  if (viaStream) return readStream(body.stream as ReadableStream<unknown>).then(decodeUtf8);
  if (body.text !== null) return decode(body.text);
  if (body.bytes !== null) return decodeUtf8(body.bytes);
  const incoming = body.incoming;
  if (incoming === null) return "";
  return new Promise((resolve, reject) => {
    body.fail = reject;
    settle(
      incoming.readText(),
      (text) => {
        body.fail = null;
        resolve(decode(text));
      },
      reject,
    );
  });
}

/** The whole body as bytes that belong to the caller. */
export function takeBytes(
  body: Body | null,
): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
  if (body === null) return new Uint8Array(0);
  const viaStream = body.stream !== null;
  begin(body);
  if (viaStream) return readStream(body.stream as ReadableStream<unknown>);
  if (body.text !== null) return encodeUtf8(body.text);
  if (body.bytes !== null) return apply(copy, body.bytes, []) as Uint8Array<ArrayBuffer>;
  return new Promise((resolve, reject) => {
    body.fail = reject;
    readIncoming(sourceOf(body)).then((bytes) => {
      body.fail = null;
      resolve(bytes);
    }, reject);
  });
}

async function readIncoming(source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await source.pull();
    if (chunk === null) return concatBytes(chunks);
    chunks[chunks.length] = chunk;
  }
}

async function readStream(stream: ReadableStream<unknown>): Promise<Uint8Array<ArrayBuffer>> {
  const reader = readerOf(stream);
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await readNext(reader);
    if (done) return concatBytes(chunks);
    chunks[chunks.length] = checkChunk(value);
  }
}

function checkChunk(value: unknown): Uint8Array {
  const bytes = value instanceof Uint8Array ? bytesOf(value) : null;
  if (bytes === null) throw new TypeError("A body's stream may only give Uint8Array chunks.");
  return bytes;
}

/** A second body with the same content; the first goes on as before. */
export function cloneBody(body: Body): Body {
  if (isUnusable(body)) throw new TypeError("The body has been used already.");
  if (body.stream === null && body.incoming === null) {
    const twin = new Body(body.text, body.bytes, null, body.type);
    body.shared = true;
    twin.shared = true;
    return twin;
  }
  const stream = streamOf(body);
  const [mine, other] = tee(stream);
  body.stream = mine;
  // A byte stream's tee copies by itself; chunks of the author's own streams would be shared.
  return streamBody(Origin.of(stream) === undefined ? copied(other) : other);
}

export interface PulledBody {
  pull(): Promise<Uint8Array | null>;
  cancel(reason: unknown): void;
}

/** Hands the body to the bridge: text, bytes that are its own from now on, or something to pull from. */
export function takeForHost(body: Body): string | Uint8Array | PulledBody {
  const { stream } = body;
  if (stream !== null) {
    if (isUnusable(body)) throw new TypeError("The body has been used already.");
    body.used = true;
    const origin = Origin.of(stream);
    // An untouched stream of our own: whoever feeds it can be asked directly.
    if (origin !== undefined && origin.failure === null) {
      retire(stream);
      origin.used = true;
      return direct(origin);
    }
    return pulled(readerOf(stream));
  }
  begin(body);
  return direct(body);
}

function direct(body: Body): string | Uint8Array | PulledBody {
  if (body.text !== null) return body.text;
  if (body.bytes !== null) {
    return body.shared ? (apply(copy, body.bytes, []) as Uint8Array) : body.bytes;
  }
  const incoming = body.incoming;
  if (incoming === null) return "";
  return {
    pull: () => (body.failure === null ? incoming.pull() : rejected(body.failure.reason)),
    cancel: () => incoming.cancel(),
  };
}

async function rejected(reason: unknown): Promise<never> {
  throw reason;
}

function pulled(reader: Reader): PulledBody {
  return {
    async pull() {
      const { done, value } = await readNext(reader);
      if (done) return null;
      // A copy: the author may go on using the chunk, and the bridge transfers what it gets.
      return apply(copy, checkChunk(value), []) as Uint8Array;
    },
    cancel(reason) {
      // What the author's streams are cancelled with is looked at as errors are.
      const why = typeof reason === "string" ? new DOMException(reason, "AbortError") : reason;
      void cancelRead(reader, why);
    },
  };
}

/** The body for a request made from another one, and what stays behind: used up. */
export function moveBody(body: Body): [left: Body, moved: Body] {
  const left = new Body("", null, null, null);
  left.used = true;
  if (body.stream === null) return [left, body];
  // The author may hold the old stream: it becomes locked and read, its content goes on in a new one.
  return [body, streamBody(proxy(body.stream))];
}
