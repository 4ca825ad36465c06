// Response. A fresh one with text and no init costs one object and shares a constant header list; Headers are
// made when somebody asks for them. takeResponse hands over what is there without looking into it;
// response.test.ts compares that with a Response whose headers and body were touched.

import {
  type Body,
  cloneBody,
  extractBody,
  failBody,
  incomingBody,
  isUnusable,
  isUsed,
  streamOf,
  takeBytes,
  takeForHost,
  takeText,
  textBody,
} from "./body.ts";
import { type Blob, createBlob } from "./blob.ts";
import type { FormData } from "./form-data.ts";
import { type Headers, headersFromPacked, packHeaders, packInit } from "./headers.ts";
import { exposeInterface } from "./interface.ts";
import { decodeForm } from "./multipart.ts";
import type { IncomingResponse, OutgoingResponse } from "./port.ts";
import type { ReadableStream } from "./streams.ts";
import { takeSocket } from "./sockets/web-socket.ts";
import { URL } from "./url.ts";

const stringify = JSON.stringify;
const parseJson = JSON.parse;
const TEXT_HEADERS = "content-type\ntext/plain;charset=UTF-8\n";
const JSON_HEADERS = "content-type\napplication/json\n";
const INTERNAL = {};

export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: string;
}

type ResponseType = "basic" | "default" | "error";

/** A reply of the host as an author's Response. */
export let responseFromHost: (incoming: IncomingResponse) => Response;
export let isResponse: (value: unknown) => value is Response;
/** A server has opened a WebSocket. */
export let responseOfSocket: (url: string, headers: string, socket: object) => Response;
export let failResponse: (response: Response, reason: unknown) => void;
/** Its bytes; rejects when they were read before. */
export let takeBody: (response: Response) => Promise<Uint8Array>;
export let takeResponse: (value: unknown) => OutgoingResponse | null;
/** Without its body, which stays; null when it is no Response. */
export let responseHead: (value: unknown) => ResponseHead | null;
let fresh: (status: number, packed: string, body: Body | null) => Response;
let makeError: () => Response;

export class Response {
  #status: number;
  #statusText: string;
  /** The header list while nobody has asked for `headers`. */
  #packed: string;
  #headers: Headers | null;
  #immutable: boolean;
  #body: Body | null;
  #url: string;
  #redirected: boolean;
  #type: ResponseType;
  /** What the author has given as webSocket. */
  #socket: unknown = null;

  constructor(body: unknown = null, init: unknown = undefined) {
    this.#status = 200;
    this.#statusText = "";
    this.#packed = "";
    this.#headers = null;
    this.#immutable = false;
    this.#body = null;
    this.#url = "";
    this.#redirected = false;
    this.#type = "default";
    if (body === INTERNAL) return;
    if (typeof body === "string" && init === undefined) {
      this.#body = textBody(body, null);
      this.#packed = TEXT_HEADERS;
      return;
    }
    const extracted = body === null || body === undefined ? null : extractBody(body);
    this.#initialise(extracted, init);
  }

  static {
    fresh = (status, packed, body) => {
      const response = new Response(INTERNAL);
      response.#status = status;
      response.#packed = packed;
      response.#body = body;
      return response;
    };
    makeError = () => {
      const response = fresh(0, "", null);
      response.#type = "error";
      response.#immutable = true;
      return response;
    };
    isResponse = (value): value is Response =>
      typeof value === "object" && value !== null && #packed in value;
    responseFromHost = (incoming) => {
      const { status, headers, body } = incoming;
      const response = fresh(status, headers, body === null ? null : incomingBody(body));
      response.#statusText = incoming.statusText;
      response.#url = withoutFragment(incoming.url);
      response.#redirected = incoming.redirected;
      response.#type = "basic";
      response.#immutable = true;
      return response;
    };
    responseOfSocket = (url, headers, socket) => {
      const response = fresh(101, headers, null);
      response.#url = url;
      response.#immutable = true;
      response.#socket = socket;
      return response;
    };
    failResponse = (response, reason) => {
      if (response.#body !== null) failBody(response.#body, reason);
    };
    takeBody = async (response) => takeBytes(response.#body);
    responseHead = (value) => {
      if (!isResponse(value)) return null;
      return { status: value.#status, statusText: value.#statusText, headers: value.#list() };
    };
    takeResponse = (value) => {
      if (!isResponse(value)) return null;
      if (value.#type === "error") return null;
      const body = value.#body === null ? null : takeForHost(value.#body);
      const socket = value.#socket === null ? null : takeSocket(value.#socket);
      return { status: value.#status, headers: value.#list(), body, socket };
    };
  }

  static error(): Response {
    return makeError();
  }

  static redirect(url: unknown, status: unknown = 302): Response {
    if (arguments.length === 0) throw new TypeError("redirect needs an address.");
    const location = new URL(`${url as string}`).href;
    const code = toShort(status);
    if (code !== 301 && code !== 302 && code !== 303 && code !== 307 && code !== 308) {
      throw new RangeError("A redirect's status must be 301, 302, 303, 307 or 308.");
    }
    const response = fresh(code, `location\n${location}\n`, null);
    response.#immutable = true;
    return response;
  }

  static json(data: unknown, init: unknown = undefined): Response {
    if (arguments.length === 0) throw new TypeError("json needs a value.");
    const text: unknown = stringify(data);
    if (typeof text !== "string") throw new TypeError("The value cannot be written as JSON.");
    if (init === undefined) return fresh(200, JSON_HEADERS, textBody(text, null));
    const response = fresh(200, "", null);
    response.#initialise(textBody(text, "application/json"), init);
    return response;
  }

  #initialise(body: Body | null, init: unknown): void {
    let typed = false;
    if (init !== undefined && init !== null) {
      if (typeof init !== "object" && typeof init !== "function") {
        throw new TypeError("The second argument must be an object.");
      }
      const { headers, status, statusText, webSocket } = init as Record<string, unknown>;
      const code = status === undefined ? 200 : toShort(status);
      const phrase = statusText === undefined ? "" : reasonPhrase(statusText);
      this.#socket = webSocket ?? null;
      if (this.#socket === null ? code < 200 || code > 599 : code !== 101) {
        throw new RangeError(
          "A response's status lies between 200 and 599, and is 101 with a webSocket.",
        );
      }
      this.#status = code;
      this.#statusText = phrase;
      if (headers !== undefined) {
        this.#packed = packInit(headers, body === null ? null : body.type);
        typed = true;
      }
    }
    if (body === null) return;
    if (isNullBodyStatus(this.#status)) {
      throw new TypeError(`A response with status ${this.#status} cannot have a body.`);
    }
    this.#body = body;
    if (!typed && body.type !== null) this.#packed = `content-type\n${body.type}\n`;
  }

  #list(): string {
    return this.#headers === null ? this.#packed : packHeaders(this.#headers);
  }

  get type(): ResponseType {
    return this.#type;
  }

  get url(): string {
    return this.#url;
  }

  get redirected(): boolean {
    return this.#redirected;
  }

  get status(): number {
    return this.#status;
  }

  get ok(): boolean {
    return this.#status >= 200 && this.#status <= 299;
  }

  get statusText(): string {
    return this.#statusText;
  }

  get webSocket(): unknown {
    return this.#socket;
  }

  get headers(): Headers {
    if (this.#headers === null) {
      this.#headers = headersFromPacked(this.#packed, this.#immutable ? "immutable" : "none");
    }
    return this.#headers;
  }

  get body(): ReadableStream<unknown> | null {
    return this.#body === null ? null : streamOf(this.#body);
  }

  get bodyUsed(): boolean {
    return isUsed(this.#body);
  }

  clone(): Response {
    if (this.#body !== null && isUnusable(this.#body)) {
      throw new TypeError("The body has been used already.");
    }
    const body = this.#body === null ? null : cloneBody(this.#body);
    const twin = fresh(this.#status, this.#list(), body);
    twin.#statusText = this.#statusText;
    twin.#immutable = this.#immutable;
    twin.#url = this.#url;
    twin.#redirected = this.#redirected;
    twin.#type = this.#type;
    return twin;
  }

  async text(): Promise<string> {
    return takeText(this.#body);
  }

  async json(): Promise<unknown> {
    const text = takeText(this.#body);
    return parseJson(typeof text === "string" ? text : await text);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await takeBytes(this.#body)).buffer;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return takeBytes(this.#body);
  }

  async blob(): Promise<Blob> {
    return createBlob(await takeBytes(this.#body), this.headers.get("content-type") ?? "");
  }

  async formData(): Promise<FormData> {
    return decodeForm(await takeBytes(this.#body), this.headers.get("content-type"));
  }
}

exposeInterface(Response, "Response");

function isNullBodyStatus(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/** Web IDL's unsigned short. */
function toShort(value: unknown): number {
  const number = Math.trunc(Number(value));
  return Number.isFinite(number) ? ((number % 65_536) + 65_536) % 65_536 : 0;
}

function reasonPhrase(value: unknown): string {
  const text = `${value as string}`;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) {
      throw new TypeError("The status text holds characters that it must not.");
    }
  }
  return text;
}

function withoutFragment(url: string): string {
  const hash = url.indexOf("#");
  return hash < 0 ? url : url.slice(0, hash);
}
