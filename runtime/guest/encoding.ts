// TextEncoder and TextDecoder. What the Web is written in (UTF-8, UTF-16, windows-1252) is decoded here, by loops tuned
// for it; all other encodings of the standard by decoders of their own (encodings/).

import { bytesOf, bytesOfShared, typedArrayName } from "./buffer-source.ts";
import type { Decoder } from "./encodings/decoder.ts";
import { encodingOf } from "./encodings/labels.ts";
import { createDecoder } from "./encodings/legacy.ts";
import { exposeInterface } from "./interface.ts";
import { decodeRun, decodeUtf8, encodeUtf8, encodeUtf8Into, incompleteTail } from "./utf8.ts";

export { decodeUtf8, encodeUtf8 };

const apply = Reflect.apply;
const fromCharCode = String.fromCharCode;
const subarray = Uint8Array.prototype.subarray;

/** windows-1252 from 0x80 to 0x9F; the rest equals Latin-1. */
const WINDOWS_1252 =
  "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
  "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";

export class TextEncoder {
  get encoding(): string {
    return "utf-8";
  }

  encode(input: unknown = ""): Uint8Array<ArrayBuffer> {
    return encodeUtf8(typeof input === "string" ? input : `${input as string}`);
  }

  encodeInto(source: unknown, destination: unknown): { read: number; written: number } {
    if (arguments.length < 2) throw new TypeError("encodeInto requires two arguments");
    const text = `${source as string}`;
    if (typedArrayName(destination) !== "Uint8Array") {
      throw new TypeError("The second argument of encodeInto must be a Uint8Array");
    }
    const bytes = bytesOf(destination);
    return bytes === null ? { read: 0, written: 0 } : encodeUtf8Into(text, bytes);
  }
}
exposeInterface(TextEncoder, "TextEncoder");

const EMPTY = new Uint8Array(0);

export class TextDecoder {
  readonly #encoding: string;
  readonly #legacy: Decoder | null;
  readonly #fatal: boolean;
  readonly #ignoreBom: boolean;
  /** The start of a sequence that the next chunk may complete; at most three bytes. */
  #pending: Uint8Array = EMPTY;
  /** Whether the next decode continues a stream. */
  #streaming = false;
  #bomSeen = false;

  constructor(label: unknown = "utf-8", options?: { fatal?: unknown; ignoreBOM?: unknown } | null) {
    const encoding = encodingOf(`${label as string}`);
    if (encoding === undefined) {
      throw new RangeError(`The encoding '${String(label)}' is not supported`);
    }
    this.#encoding = encoding;
    this.#legacy = createDecoder(encoding);
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBom = Boolean(options?.ignoreBOM);
  }

  get encoding(): string {
    return this.#encoding;
  }

  get fatal(): boolean {
    return this.#fatal;
  }

  get ignoreBOM(): boolean {
    return this.#ignoreBom;
  }

  decode(input?: unknown, options?: { stream?: unknown } | null): string {
    const stream = Boolean(options?.stream);
    const chunk = input === undefined ? EMPTY : bytesOfShared(input);
    if (chunk === null) throw new TypeError("decode requires an ArrayBuffer or a view on one");
    if (this.#legacy !== null) return this.#decodeLegacy(this.#legacy, chunk, stream);
    if (!this.#streaming) {
      if (!stream && this.#encoding === "utf-8") {
        return decodeUtf8(chunk, { fatal: this.#fatal, ignoreBom: this.#ignoreBom });
      }
      this.#pending = EMPTY;
      this.#bomSeen = false;
    }
    this.#streaming = stream;
    try {
      return this.#stripBom(this.#decodeStreamed(chunk, stream));
    } catch (error) {
      this.#streaming = false;
      throw error;
    }
  }

  #decodeLegacy(decoder: Decoder, chunk: Uint8Array, stream: boolean): string {
    if (!this.#streaming) decoder.reset();
    // Should it throw, the next chunk begins anew.
    this.#streaming = false;
    const text = decoder.decode(chunk, !stream, this.#fatal);
    if (text === null) {
      throw new TypeError(`The encoded data was not valid for encoding ${this.#encoding}`);
    }
    this.#streaming = stream;
    return text;
  }

  #decodeStreamed(chunk: Uint8Array, stream: boolean): string {
    const bytes = concat(this.#pending, chunk);
    const tail = stream ? this.#tailOf(bytes) : 0;
    const end = bytes.length - tail;
    // A copy: the chunk's memory stays the author's.
    this.#pending = tail === 0 ? EMPTY : new Uint8Array(apply(subarray, bytes, [end]));
    const whole = tail === 0 ? bytes : apply(subarray, bytes, [0, end]);
    if (this.#encoding === "utf-8") return decodeRun(whole, 0, this.#fatal);
    if (this.#encoding === "windows-1252") return decodeWindows1252(whole);
    return decodeUtf16(whole, this.#encoding === "utf-16be", this.#fatal);
  }

  #tailOf(bytes: Uint8Array): number {
    if (this.#encoding === "utf-8") return incompleteTail(bytes);
    if (this.#encoding === "windows-1252") return 0;
    const odd = bytes.length & 1;
    const high = bytes[bytes.length - odd - (this.#encoding === "utf-16be" ? 2 : 1)];
    return high !== undefined && (high & 0xfc) === 0xd8 ? odd + 2 : odd;
  }

  #stripBom(text: string): string {
    if (this.#bomSeen || text.length === 0) return text;
    this.#bomSeen = true;
    const strip =
      !this.#ignoreBom && this.#encoding !== "windows-1252" && text.charCodeAt(0) === 0xfeff;
    return strip ? text.slice(1) : text;
  }
}
exposeInterface(TextDecoder, "TextDecoder");

function concat(head: Uint8Array, rest: Uint8Array): Uint8Array {
  if (head.length === 0) return rest;
  const joined = new Uint8Array(head.length + rest.length);
  for (let i = 0; i < head.length; i++) joined[i] = head[i] as number;
  for (let i = 0; i < rest.length; i++) joined[head.length + i] = rest[i] as number;
  return joined;
}

function decodeWindows1252(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    const mapped = byte >= 0x80 && byte <= 0x9f;
    text += mapped ? WINDOWS_1252[byte - 0x80] : fromCharCode(byte);
  }
  return text;
}

function decodeUtf16(bytes: Uint8Array, bigEndian: boolean, fatal: boolean): string {
  const first = bigEndian ? 8 : 0;
  let text = "";
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    text += fromCharCode(
      ((bytes[i] as number) << first) | ((bytes[i + 1] as number) << (8 - first)),
    );
  }
  const whole = (bytes.length & 1) === 0;
  if (fatal && !(whole && text.isWellFormed())) {
    throw new TypeError(
      `The encoded data was not valid for encoding utf-16${bigEndian ? "be" : "le"}`,
    );
  }
  if (whole) return text.toWellFormed();
  // A high surrogate and half a unit at the end are one fault, not two.
  const high = (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800;
  return high ? text.toWellFormed() : `${text.toWellFormed()}\ufffd`;
}
