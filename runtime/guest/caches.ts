// The Cache API: `caches.default` and `caches.open(name)`, as Workers has them, for the endpoint alone and per node.
// The rules of HTTP are the host's (services/cache/responses.ts); here requests and responses become what crosses.

import { STREAM, type Value } from "../../sdk/services/values.ts";
import { concatBytes } from "./blob.ts";
import { DOMException } from "./dom-exception.ts";
import { exposeInterface } from "./interface.ts";
import type { IncomingBody, Port } from "./port.ts";
import { isRequest, Request, requestHead } from "./request.ts";
import {
  responseFromHost,
  responseHead,
  takeResponse,
  type Response,
  type ResponseHead,
} from "./response.ts";
import type { OpenAnswer, ServiceClient } from "./services/client.ts";
import { createServiceClient } from "./services/host-client.ts";
import { isPulled, sendStream } from "./services/sent-stream.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Only what is made here has it. */
const INTERNAL = {};
/** The name of the binding that every endpoint has. */
const BINDING = "";
/** Not one that `open` takes for another. */
const DEFAULT = "default";
const SWITCHING_PROTOCOLS = 101;
const NO_CONTENT = 204;
const RESET_CONTENT = 205;
const PARTIAL_CONTENT = 206;
const NOT_MODIFIED = 304;
const exec = RegExp.prototype.exec;
const indexOf = String.prototype.indexOf;
const slice = String.prototype.slice;
const apply = Reflect.apply;
const HTTP = /^https?:/;
const VARIES_BY_ALL = /(?:^|\n)vary\n(?:[^\n]*,)?\s*\*\s*(?:,[^\n]*)?\n/;

let client: ServiceClient | null = null;
let topLevelCalls = 0;

export function thawCaches(port: Port): void {
  client = createServiceClient(port, BINDING);
}

/** How often a cache was asked before thaw. */
export function topLevelCacheCount(): number {
  return topLevelCalls;
}

function reach(): ServiceClient {
  if (client !== null) return client;
  topLevelCalls++;
  throw new DOMException("A cache cannot be asked while the module loads.", "InvalidStateError");
}

interface Asked {
  readonly method: string;
  readonly place: readonly [url: string, headers: string];
}

function askedBy(input: unknown): Asked {
  const request = isRequest(input) ? input : new Request(input);
  const { method, url, headers } = requestHead(request);
  if (apply(exec, HTTP, [url]) === null) {
    throw new TypeError("A cache stores what has an http or https address.");
  }
  const fragment = apply(indexOf, url, ["#"]) as number;
  const address = fragment < 0 ? url : (apply(slice, url, [0, fragment]) as string);
  return { method, place: [address, headers] };
}

function ignoresMethod(options: unknown): boolean {
  return typeof options === "object" && options !== null && !!Reflect.get(options, "ignoreMethod");
}

type Head = readonly [status: number, statusText: string, headers: string, body: Uint8Array | null];

/** A body that came with its head, or one that follows. */
function bodyOf(whole: Uint8Array | null, open: OpenAnswer): IncomingBody {
  let rest = whole;
  const pull = async (): Promise<Uint8Array | null> => {
    if (whole !== null) {
      const bytes = rest;
      rest = null;
      return bytes;
    }
    return ((await open.pull()) as Uint8Array | undefined) ?? null;
  };
  return {
    text: null,
    pull,
    cancel: () => open.cancel(),
    async readText() {
      const chunks: Uint8Array[] = [];
      for (;;) {
        const chunk = await pull();
        if (chunk === null) return decodeUtf8(concatBytes(chunks), { ignoreBom: true });
        chunks[chunks.length] = chunk;
      }
    },
  };
}

/** Throws before the body is taken: what cannot be stored can still be the reply. */
function storable(response: unknown): ResponseHead {
  const head = responseHead(response);
  if (head === null) throw new TypeError("put takes a request and a response.");
  switch (head.status) {
    case PARTIAL_CONTENT:
      throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
    case NOT_MODIFIED:
      throw new TypeError("Cannot cache a response without its body (304).");
    case SWITCHING_PROTOCOLS:
    case 0:
      throw new TypeError("Cannot cache a WebSocket, or an error that is none of HTTP.");
  }
  if (apply(exec, VARIES_BY_ALL, [head.headers]) !== null) {
    throw new TypeError("Cannot cache response with 'Vary: *' header.");
  }
  return head;
}

function hasNoBody(status: number): boolean {
  return status === NO_CONTENT || status === RESET_CONTENT || status === NOT_MODIFIED;
}

export class Cache {
  readonly #name: string;

  constructor(internal: unknown = undefined, name: unknown = undefined) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#name = name as string;
  }

  /** undefined when nothing is stored for the request. */
  async match(request: unknown, options: unknown = undefined): Promise<Response | undefined> {
    const { method, place } = askedBy(request);
    if (method !== "GET" && !ignoresMethod(options)) return undefined;
    const open = await reach().open("match", [this.#name, place]);
    const head = open.head as Head | null;
    if (head === null) return undefined;
    // Not by the iterator of arrays, which the author may have replaced.
    const status = head[0];
    const statusText = head[1];
    const headers = head[2];
    const whole = head[3];
    return responseFromHost({
      status,
      statusText,
      headers,
      url: place[0],
      redirected: false,
      body: hasNoBody(status) ? null : bodyOf(whole, open),
    });
  }

  /** Takes the response's body. What its headers forbid to store is not stored, without an error. */
  async put(request: unknown, response: unknown): Promise<void> {
    const { method, place } = askedBy(request);
    if (method !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
    const client = reach();
    const head = storable(response);
    const body = takeResponse(response)?.body ?? "";
    const content: Value = isPulled(body) ? STREAM : body;
    const parts = [head.status, head.statusText, head.headers];
    const args: readonly Value[] = [this.#name, place, parts, content];
    if (isPulled(body)) await sendStream(client, { method: "store", args, body });
    else await client.call("store", args);
  }

  /** Whether something was stored for the address. */
  async delete(request: unknown, options: unknown = undefined): Promise<boolean> {
    const { method, place } = askedBy(request);
    if (method !== "GET" && !ignoresMethod(options)) return false;
    return (await reach().call("forget", [this.#name, place])) as boolean;
  }
}

export class CacheStorage {
  readonly #default: Cache;

  constructor(internal: unknown = undefined) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#default = new Cache(INTERNAL, DEFAULT);
  }

  get default(): Cache {
    return this.#default;
  }

  /** Caches need no making; two of one name are one. */
  async open(name: unknown): Promise<Cache> {
    return new Cache(INTERNAL, `:${name as string}`);
  }
}

exposeInterface(Cache, "Cache");
exposeInterface(CacheStorage, "CacheStorage");

export const caches: CacheStorage = new CacheStorage(INTERNAL);
