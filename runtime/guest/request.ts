// Request. The one of the incoming exchange is made without parsing anything: its address is checked, and its
// headers and signal are made, when somebody asks. Requests that authors construct follow the Fetch standard,
// except that a stream as body needs no `duplex`, as in Workers.

import {
  type Body,
  cloneBody,
  extractBody,
  incomingBody,
  isUnusable,
  isUsed,
  moveBody,
  streamOf,
  takeBytes,
  takeForHost,
  takeText,
} from "./body.ts";
import { type Blob, createBlob } from "./blob.ts";
import { type AbortSignal, abortSignal, createSignal, dependOn, isAbortSignal } from "./events.ts";
import type { FormData } from "./form-data.ts";
import { type Headers, headersFromPacked, packHeaders, packInit, withType } from "./headers.ts";
import { DOMException } from "./dom-exception.ts";
import { exposeInterface } from "./interface.ts";
import { decodeForm } from "./multipart.ts";
import type { IncomingRequest, OutgoingFetch } from "./port.ts";
import { describeConnection, parseCf } from "./requests/connection.ts";
import { DEFAULTS, type Options, parseMethod, parseOptions } from "./request-init.ts";
import type { ReadableStream } from "./streams.ts";
import { URL } from "./url.ts";
import { normalUrl } from "./url-wire.ts";

const parseJson = JSON.parse;
const INTERNAL = {};

export let requestFromHost: (incoming: IncomingRequest) => Request;
type TakenRequest = OutgoingFetch & {
  readonly signal: AbortSignal | null;
  /** Of a streamed body that nobody will read. */
  readonly cancelBody: ((reason: unknown) => void) | null;
};

/** Aborts the signal of a request that requestFromHost made. */
export let abortRequest: (request: object, reason: string) => void;
/** What fetch needs of a request; takes its body. */
export let takeRequest: (request: Request) => TakenRequest;
/** Without its body, which stays. */
export let requestHead: (request: Request) => Pick<OutgoingFetch, "method" | "url" | "headers">;
export let isRequest: (value: unknown) => value is Request;
let newRequest: () => Request;

export class Request {
  #method: string;
  #url: string;
  /** The address is as the client sent it and must pass normalUrl before anybody sees it. */
  #raw: boolean;
  #packed: string;
  #headers: Headers | null;
  #immutable: boolean;
  #body: Body | null;
  #signal: AbortSignal | null;
  /** Why an exchange was aborted before its signal was made. */
  #aborted: string | null;
  #options: Options;
  /** As the author gave it, or what the connection spoke (a string) until somebody looks. */
  #cf: unknown;

  constructor(input: unknown, init: unknown = undefined) {
    this.#method = "GET";
    this.#url = "";
    this.#raw = false;
    this.#packed = "";
    this.#headers = null;
    this.#immutable = false;
    this.#body = null;
    this.#signal = null;
    this.#aborted = null;
    this.#options = DEFAULTS;
    this.#cf = undefined;
    if (input === INTERNAL) return;
    if (arguments.length === 0) throw new TypeError("Request needs an address or a request.");
    this.#initialise(input, init);
  }

  static {
    newRequest = () => new Request(INTERNAL);
    isRequest = (value): value is Request =>
      typeof value === "object" && value !== null && #raw in value;
    requestFromHost = (incoming) => {
      const request = newRequest();
      request.#method = incoming.method;
      request.#url = incoming.url;
      request.#raw = true;
      request.#packed = incoming.headers;
      request.#immutable = true;
      request.#cf = incoming.protocol;
      if (incoming.body !== null) request.#body = incomingBody(incoming.body);
      return request;
    };
    abortRequest = (request, reason) => {
      if (isRequest(request)) request.#abort(reason);
    };
    requestHead = (request) => ({
      method: request.#method,
      url: request.url,
      headers: request.#list(),
    });
    takeRequest = (request) => {
      const body = request.#body === null ? null : takeForHost(request.#body);
      const source = typeof body === "object" && body !== null && "pull" in body;
      return {
        method: request.#method,
        url: request.url,
        headers: request.#list(),
        redirect: request.#options.redirect,
        body: source ? () => body.pull() : body,
        onAbort: null,
        signal: request.#signal,
        cancelBody: source ? (reason) => body.cancel(reason) : null,
      };
    };
  }

  #initialise(input: unknown, init: unknown): void {
    const from = isRequest(input) ? input : null;
    this.#url = from === null ? parseUrl(input) : from.url;
    const given = init === undefined || init === null ? {} : init;
    if (typeof given !== "object" && typeof given !== "function") {
      throw new TypeError("The second argument must be an object.");
    }
    const dictionary = given as Record<string, unknown>;
    const { body, headers } = dictionary;
    this.#options = parseOptions(dictionary, from === null ? DEFAULTS : from.#options);
    const { cf, method, signal } = dictionary;
    this.#cf = cf === undefined ? from?.cf : parseCf(cf);
    this.#method =
      method === undefined ? (from === null ? "GET" : from.#method) : parseMethod(method);
    if (this.#options.mode === "no-cors" && !/^(?:GET|HEAD|POST)$/.test(this.#method)) {
      throw new TypeError("A request with mode no-cors can only be GET, HEAD or POST.");
    }
    this.#follow(signal === undefined ? (from?.signal ?? null) : signal);
    this.#packed =
      headers === undefined ? (from === null ? "" : from.#list()) : packInit(headers, null);
    const replaced = body !== undefined && body !== null;
    const inherited = from === null ? null : from.#body;
    if ((replaced || inherited !== null) && (this.#method === "GET" || this.#method === "HEAD")) {
      throw new TypeError(`A request with method ${this.#method} cannot have a body.`);
    }
    if (replaced) this.#attach(extractBody(body));
    else if (inherited !== null && from !== null) {
      if (isUnusable(inherited)) throw new TypeError("The body has been used already.");
      this.#body = from.#handOver();
    }
  }

  #attach(body: Body): void {
    this.#body = body;
    this.#packed = withType(this.#packed, body.type);
  }

  /** Moves the body to a request made from this one; here it counts as used. */
  #handOver(): Body | null {
    const body = this.#body;
    if (body === null) return null;
    const [mine, theirs] = moveBody(body);
    this.#body = mine;
    return theirs;
  }

  #follow(parent: unknown): void {
    if (parent === null) return;
    if (!isAbortSignal(parent)) throw new TypeError("signal must be an AbortSignal.");
    const signal = createSignal();
    this.#signal = signal;
    dependOn(signal, parent);
  }

  #abort(reason: string): void {
    if (this.#signal === null) this.#aborted ??= reason;
    else abortSignal(this.#signal, new DOMException(reason, "AbortError"));
  }

  #list(): string {
    return this.#headers === null ? this.#packed : packHeaders(this.#headers);
  }

  get method(): string {
    return this.#method;
  }

  get url(): string {
    if (this.#raw) {
      this.#url = normalUrl(this.#url);
      this.#raw = false;
    }
    return this.#url;
  }

  get headers(): Headers {
    if (this.#headers === null) {
      this.#headers = headersFromPacked(this.#packed, this.#immutable ? "immutable" : "none");
    }
    return this.#headers;
  }

  get signal(): AbortSignal {
    if (this.#signal === null) {
      this.#signal = createSignal();
      if (this.#aborted !== null) this.#abort(this.#aborted);
    }
    return this.#signal;
  }

  get body(): ReadableStream<unknown> | null {
    return this.#body === null ? null : streamOf(this.#body);
  }

  get bodyUsed(): boolean {
    return isUsed(this.#body);
  }

  get destination(): string {
    return "";
  }

  get referrer(): string {
    return this.#options.referrer;
  }

  get referrerPolicy(): string {
    return this.#options.referrerPolicy;
  }

  get mode(): string {
    return this.#options.mode;
  }

  get credentials(): string {
    return this.#options.credentials;
  }

  get cache(): string {
    return this.#options.cache;
  }

  get redirect(): string {
    return this.#options.redirect;
  }

  get integrity(): string {
    return this.#options.integrity;
  }

  /** Of Workers. Of an incoming request: what its connection spoke. */
  get cf(): unknown {
    if (typeof this.#cf === "string") this.#cf = describeConnection(this.#cf, this.url);
    return this.#cf;
  }

  get keepalive(): boolean {
    return this.#options.keepalive;
  }

  get isReloadNavigation(): boolean {
    return false;
  }

  get isHistoryNavigation(): boolean {
    return false;
  }

  get duplex(): string {
    return "half";
  }

  clone(): Request {
    if (this.#body !== null && isUnusable(this.#body)) {
      throw new TypeError("The body has been used already.");
    }
    const twin = newRequest();
    twin.#method = this.#method;
    twin.#url = this.url;
    twin.#packed = this.#list();
    twin.#immutable = this.#immutable;
    twin.#options = this.#options;
    twin.#cf = this.cf;
    twin.#body = this.#body === null ? null : cloneBody(this.#body);
    twin.#follow(this.signal);
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

exposeInterface(Request, "Request");

function parseUrl(input: unknown): string {
  const url = new URL(`${input as string}`);
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("A request's address must not hold a user name or a password.");
  }
  return url.href;
}
