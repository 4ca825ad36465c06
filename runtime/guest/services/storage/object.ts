// Objects as authors see them: Workers' R2Object and R2ObjectBody. Their fields are properties of their own, so that
// they show in JSON.

import type { Value } from "../../../../sdk/services/values.ts";
import { createBlob, concatBytes, type Blob } from "../../blob.ts";
import { Body, incomingBody, isUsed, streamOf, takeBytes, takeText } from "../../body.ts";
import { GuestDate } from "../../clock.ts";
import { isHeaders } from "../../headers.ts";
import { exposeInterface } from "../../interface.ts";
import type { ReadableStream } from "../../streams.ts";
import { decodeUtf8 } from "../../utf8.ts";
import type { OpenAnswer } from "../client.ts";
import { HTTP_FIELDS, writeHeader } from "./options.ts";

/** As the host says it (services/storage/port.ts). */
export interface WireObject {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  readonly uploadedMs: number;
  readonly http: Readonly<Record<string, string | number | null>>;
  readonly custom: Readonly<Record<string, string>>;
  readonly checksums: Readonly<Record<string, Uint8Array>>;
}

export interface Span {
  readonly offset: number;
  readonly length: number;
}

interface HttpMetadata {
  contentType?: string;
  contentLanguage?: string;
  contentDisposition?: string;
  contentEncoding?: string;
  cacheControl?: string;
  cacheExpiry?: Date;
}

const apply = Reflect.apply;
const keysOf = Object.keys;
const parseJson = JSON.parse;
const copyBytes = Uint8Array.prototype.slice;
const toUtc = Date.prototype.toUTCString;
const toText = Number.prototype.toString;
/** Only what is made here has it. */
const INTERNAL = {};

export let createObject: (wire: WireObject, span: Span | null) => R2Object;
export let createObjectBody: (wire: WireObject, span: Span, body: Body) => R2ObjectBody;

class R2Checksums {
  constructor(sums: WireObject["checksums"]) {
    const names = keysOf(sums);
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string;
      const bytes = apply(copyBytes, sums[name], []) as Uint8Array<ArrayBuffer>;
      (this as unknown as Record<string, ArrayBuffer>)[name] = bytes.buffer;
    }
  }

  toJSON(): Record<string, string> {
    const hex: Record<string, string> = {};
    const names = keysOf(this);
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string;
      hex[name] = toHex((this as unknown as Record<string, ArrayBuffer>)[name]);
    }
    return hex;
  }
}

function toHex(buffer: ArrayBuffer | undefined): string {
  const bytes = new Uint8Array(buffer ?? new ArrayBuffer(0));
  let hex = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    hex += (byte < 16 ? "0" : "") + (apply(toText, byte, [16]) as string);
  }
  return hex;
}

class R2Object {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  readonly httpEtag: string;
  readonly uploaded: Date;
  readonly httpMetadata: HttpMetadata;
  readonly customMetadata: Record<string, string>;
  readonly checksums: R2Checksums;
  readonly storageClass: string;
  readonly range: Span | undefined;

  constructor(internal: unknown, wire: WireObject, span: Span | null) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.key = wire.key;
    this.version = wire.version;
    this.size = wire.size;
    this.etag = wire.etag;
    this.httpEtag = `"${wire.etag}"`;
    this.uploaded = new GuestDate(wire.uploadedMs);
    this.httpMetadata = httpMetadata(wire.http);
    this.customMetadata = wire.custom;
    this.checksums = new R2Checksums(wire.checksums);
    this.storageClass = "Standard";
    this.range = span ?? undefined;
  }

  static {
    createObject = (wire, span) => new R2Object(INTERNAL, wire, span);
  }

  writeHttpMetadata(headers: unknown): void {
    if (!isHeaders(headers)) throw new TypeError("writeHttpMetadata takes Headers.");
    const metadata = this.httpMetadata;
    for (let at = 0; at < HTTP_FIELDS.length; at++) {
      const [field, header] = HTTP_FIELDS[at] as readonly [keyof HttpMetadata, string];
      const value = metadata[field];
      if (value !== undefined) writeHeader(headers, header, `${value as string}`);
    }
    const { cacheExpiry } = metadata;
    if (cacheExpiry === undefined) return;
    writeHeader(headers, "expires", apply(toUtc, cacheExpiry, []) as string);
  }
}

function httpMetadata(http: WireObject["http"]): HttpMetadata {
  const metadata: Record<string, unknown> = {};
  for (let at = 0; at < HTTP_FIELDS.length; at++) {
    const [field] = HTTP_FIELDS[at] as readonly [string, string];
    const value = http[field];
    if (value !== null && value !== undefined) metadata[field] = value;
  }
  const expiry = http["cacheExpiryMs"];
  if (typeof expiry === "number") metadata["cacheExpiry"] = new GuestDate(expiry);
  return metadata;
}

class R2ObjectBody extends R2Object {
  readonly #body: Body;

  constructor(
    internal: unknown,
    wire: WireObject,
    at: { readonly span: Span; readonly body: Body },
  ) {
    super(internal, wire, at.span);
    this.#body = at.body;
  }

  static {
    createObjectBody = (wire, span, body) => new R2ObjectBody(INTERNAL, wire, { span, body });
  }

  get body(): ReadableStream<unknown> {
    return streamOf(this.#body);
  }

  get bodyUsed(): boolean {
    return isUsed(this.#body);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await takeBytes(this.#body)).buffer;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return takeBytes(this.#body);
  }

  async text(): Promise<string> {
    return takeText(this.#body);
  }

  async json(): Promise<unknown> {
    return parseJson(await takeText(this.#body));
  }

  async blob(): Promise<Blob> {
    const { contentType } = this.httpMetadata;
    return createBlob(await takeBytes(this.#body), `${contentType ?? ""}`);
  }
}

exposeInterface(R2Checksums, "R2Checksums");
exposeInterface(R2Object, "R2Object");
exposeInterface(R2ObjectBody, "R2ObjectBody");

export type { R2Object, R2ObjectBody };

export function bodyOfBytes(bytes: Uint8Array): Body {
  return new Body(null, bytes, null, null);
}

/** Read from the host as it is asked for. */
export function bodyOfAnswer(answer: OpenAnswer): Body {
  const pull = async (): Promise<Uint8Array | null> => bytesOrEnd(await answer.pull());
  return incomingBody({
    text: null,
    pull,
    cancel: () => answer.cancel(),
    async readText() {
      const pieces: Uint8Array[] = [];
      for (;;) {
        const piece = await pull();
        if (piece === null) return decodeUtf8(concatBytes(pieces), { ignoreBom: true });
        pieces[pieces.length] = piece;
      }
    },
  });
}

function bytesOrEnd(value: Value): Uint8Array | null {
  return value === undefined ? null : (value as Uint8Array);
}
