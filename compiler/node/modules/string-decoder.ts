// node:string_decoder: pieces of bytes to text, none of whose characters is cut.

import { Buffer } from "node:buffer";

type Decoder = InstanceType<typeof TextDecoder>;

const STREAMED = new Set(["utf8", "utf-8", "utf16le", "utf-16le", "ucs2", "ucs-2"]);
/** Bytes that make whole characters of these. */
const GROUPS: Readonly<Record<string, number>> = { base64: 3, base64url: 3 };

export class StringDecoder {
  readonly encoding: BufferEncoding;
  #decoder: Decoder | null;
  #rest: Buffer = Buffer.alloc(0);

  constructor(encoding = "utf8") {
    const name = encoding.toLowerCase();
    if (!Buffer.isEncoding(name)) throw new TypeError(`Unknown encoding: ${encoding}`);
    this.encoding = name;
    this.#decoder = STREAMED.has(name) ? this.#open() : null;
  }

  write(bytes: Uint8Array | string): string {
    if (typeof bytes === "string") return bytes;
    if (this.#decoder !== null) return this.#decoder.decode(bytes, { stream: true });
    const all = Buffer.concat([this.#rest, bytes]);
    const whole = all.length - (all.length % (GROUPS[this.encoding] ?? 1));
    this.#rest = all.subarray(whole);
    return all.subarray(0, whole).toString(this.encoding);
  }

  end(bytes?: Uint8Array | string): string {
    const text = bytes === undefined ? "" : this.write(bytes);
    const rest = this.#decoder?.decode() ?? this.#rest.toString(this.encoding);
    this.#rest = Buffer.alloc(0);
    if (this.#decoder !== null) this.#decoder = this.#open();
    return text + rest;
  }

  #open(): Decoder {
    const isUtf8 = this.encoding.startsWith("utf8") || this.encoding === "utf-8";
    return new TextDecoder(isUtf8 ? "utf-8" : "utf-16le", { ignoreBOM: true });
  }
}
