// Small chunks of a request body, put together as they come: one read of the socket may hold 90 000 of a byte each,
// and every one that goes its own way keeps this thread for a microsecond more. They wait until the end of the turn.

import type { Code } from "../../../sdk/errors.ts";
import type { InboundBody } from "../body.ts";

/** Larger ones get a buffer of their own; smaller ones share Node's pool, which costs less than such a buffer. */
export const SMALL_BYTES_MAX = 1_023;
/** What is put together at most. */
export const PIECE_BYTES_MAX: number = 16 * 1024;
/** Most often only one comes. */
const PIECE_BYTES_FIRST = 64;

/** No honest client cuts a long body into chunks of this size: their frames are about as long. */
export const TINY_BYTES_MAX = 8;
/**
 * So many of them in one turn are too many. Each costs this thread more than a microsecond, and uWS hands over all that
 * it has read, whatever becomes of the connection meanwhile; but there is no second time.
 */
export const TINY_CHUNKS_MAX = 32_768;

/** The exchange, at the end of a turn. */
export interface Refuser {
  refuse(code: Code, detail: string): void;
  reset(): void;
}

type Taker = Pick<InboundBody, "push" | "end" | "ended" | "fail" | "closed">;

/** A chunk as uWS hands it over: it is gone when this returns. Most bodies are one chunk, and need no `small`. */
export function receive(
  body: Taker,
  small: SmallChunks | null,
  chunk: ArrayBuffer,
  last: boolean,
  refuser: Refuser,
): SmallChunks | null {
  const isSmall = chunk.byteLength <= SMALL_BYTES_MAX;
  if (isSmall && !last) {
    const chunks = small ?? new SmallChunks(body, refuser);
    chunks.put(chunk);
    return chunks;
  }
  small?.flush();
  if (chunk.byteLength > 0 && !body.closed) {
    body.push(isSmall ? Buffer.from(new Uint8Array(chunk)) : new Uint8Array(chunk.slice(0)));
  }
  if (last) body.end();
  return small;
}

export class SmallChunks {
  readonly #body: Taker;
  readonly #refuser: Refuser;
  readonly #endTurn = (): void => this.#end();
  /** In this turn. */
  #count = 0;
  #tiny = 0;
  #piece: Buffer | null = null;
  #length = 0;

  constructor(body: Taker, refuser: Refuser) {
    this.#body = body;
    this.#refuser = refuser;
  }

  /** At most SMALL_BYTES_MAX. */
  put(chunk: ArrayBuffer): void {
    if (this.#count++ === 0) setImmediate(this.#endTurn);
    if (chunk.byteLength <= TINY_BYTES_MAX) this.#tiny++;
    if (this.#body.closed) return;
    if (this.#length + chunk.byteLength > PIECE_BYTES_MAX) this.flush();
    const length = this.#length + chunk.byteLength;
    if (this.#piece === null || this.#piece.length < length) this.#grow(length);
    this.#piece?.set(new Uint8Array(chunk), this.#length);
    this.#length = length;
  }

  /** Before any other chunk, and before the end. */
  flush(): void {
    if (this.#piece === null || this.#length === 0) return;
    const whole = this.#piece.subarray(0, this.#length);
    this.#piece = null;
    this.#length = 0;
    this.#body.push(whole);
  }

  #end(): void {
    const isRefused = this.#tiny > TINY_CHUNKS_MAX && !this.#body.ended;
    this.#count = this.#tiny = 0;
    if (!isRefused) return this.flush();
    const detail = "The body comes in too many tiny chunks.";
    this.#body.fail(detail);
    // Whichever can still be done.
    this.#refuser.refuse("BAD_REQUEST", detail);
    this.#refuser.reset();
  }

  #grow(length: number): void {
    const before = this.#piece;
    const bytes = Math.max(PIECE_BYTES_FIRST, 2 * length);
    this.#piece = Buffer.allocUnsafe(Math.min(bytes, PIECE_BYTES_MAX));
    before?.copy(this.#piece, 0, 0, this.#length);
  }
}
