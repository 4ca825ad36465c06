// Messages of WebSockets in frames: a message that is longer than a frame goes in parts, the last of which says
// whether it is text.

import { EdgeError } from "../../../sdk/errors.ts";
import { FRAME_BYTES_MAX, OP, type FrameWriter } from "./frames.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function pushMessage(out: FrameWriter, id: number, message: string | Uint8Array): void {
  const bytes = typeof message === "string" ? Buffer.from(message) : message;
  let at = 0;
  for (; bytes.byteLength - at > FRAME_BYTES_MAX; at += FRAME_BYTES_MAX) {
    out.push(OP.SOCKET_PART, id, "", bytes.subarray(at, at + FRAME_BYTES_MAX));
  }
  const op = typeof message === "string" ? OP.SOCKET_TEXT : OP.SOCKET_BYTES;
  out.push(op, id, "", bytes.subarray(at));
}

export class MessageParts {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The message, when this is its last part; null before. Throws when it is longer than any may be. */
  take(op: number, bytes: Uint8Array): string | Uint8Array | null {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > this.#bytesMax) {
      throw new EdgeError("INTERNAL", "A message is longer than any can be.");
    }
    // A frame's bytes are a view of what the socket gave.
    this.#parts.push(op === OP.SOCKET_PART ? Uint8Array.from(bytes) : bytes);
    if (op === OP.SOCKET_PART) return null;
    const whole = new Uint8Array(Buffer.concat(this.#parts, this.#bytes));
    this.#parts = [];
    this.#bytes = 0;
    return op === OP.SOCKET_TEXT ? decoder.decode(whole) : whole;
  }
}

export function packClose(code: number, reason: string): string {
  return `${code}\n${reason}`;
}

/** null: no code that one of ours sends. */
export function parseClose(
  text: string,
): { readonly code: number; readonly reason: string } | null {
  const end = text.indexOf("\n");
  const code = Number(text.slice(0, end));
  if (end < 0 || !Number.isInteger(code) || code < 1_000 || code > 4_999) return null;
  return { code, reason: text.slice(end + 1, end + 1 + REASON_CHARS_MAX) };
}

/** A control frame has 125 bytes, and two of them are the code. */
const REASON_CHARS_MAX = 123;
