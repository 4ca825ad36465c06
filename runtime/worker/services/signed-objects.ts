// Objects of embedded storages under signed addresses, for clients: no handler runs, no route is asked. The object has
// the origin of the node's handlers, whoever has uploaded it, so that a browser is told to let nothing in it run.
//
// A transfer is one lasting call of the service. It ends with its client, or when that neither gives nor takes.

import { Readable } from "node:stream";
import { EdgeError, type Code } from "../../../sdk/errors.ts";
import type { Exchange, HeaderList } from "../../../sdk/exchange.ts";
import {
  STORAGE_PUT_BYTES_MAX,
  type StorageBackend,
  type StorageObject,
} from "../../../sdk/services/storage.ts";
import { HeaderMap, isUnchanged, spanOf } from "../../../sdk/text/http-caching.ts";
import type { ServiceActor } from "../../../services/actor.ts";
import { readHead } from "../../../services/storage/arguments.ts";
import { readAddress, type ObjectAddress } from "../../../services/storage/disk/address.ts";
import type { RequestTicket } from "../request-ticket.ts";

/** Half of what runs at once in a storage: handlers have the other half, however slow the clients of addresses are. */
export const TRANSFERS_MAX = 32;
/** Who gives or takes nothing for so long has gone, or holds its place for the sake of it. */
export const STALL_MS = 30_000;
/** Received and not yet written, of one upload. */
const WINDOW_BYTES: number = 256 * 1_024;
/** Whose turn it is in the actor's mailbox; no endpoint has this name. */
const CALLER = "(signed addresses)";
const CONTAINED: HeaderList =
  "content-security-policy\nsandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:\n" +
  "x-content-type-options\nnosniff\nreferrer-policy\nno-referrer\n";

/** What is the client's fault here is a handler's elsewhere. */
const CODES_OF_CLIENTS: Readonly<Partial<Record<Code, Code>>> = {
  SERVICE_INPUT: "INPUT_INVALID",
  SERVICE_TOO_LARGE: "BODY_TOO_LARGE",
};

export interface SignedObjectsOptions {
  readonly key: Uint8Array;
  /** By id; null: there is none, or it is not embedded. */
  readonly actorOf: (service: string) => ServiceActor<StorageBackend> | null;
  /** The wall clock. */
  readonly now: () => number;
  readonly stallMs?: number;
}

interface Transfer {
  readonly exchange: Exchange;
  readonly address: ObjectAddress;
  readonly stallMs: number;
}

export class SignedObjects {
  readonly #options: SignedObjectsOptions;
  #transfers = 0;

  constructor(options: SignedObjectsOptions) {
    this.#options = options;
  }

  serve(ticket: RequestTicket): void {
    const { key, actorOf, now } = this.#options;
    const address = readAddress(key, ticket.exchange, now());
    if (address === null) return ticket.fail("ADDRESS_UNSIGNED");
    const actor = actorOf(address.service);
    if (actor === null) return ticket.fail("OBJECT_NOT_FOUND");
    if (this.#transfers >= TRANSFERS_MAX) return ticket.fail("OVERLOADED");
    this.#transfers++;
    void this.#run(ticket, { address, actor }).finally(() => this.#transfers--);
  }

  async #run(
    ticket: RequestTicket,
    {
      address,
      actor,
    }: { readonly address: ObjectAddress; readonly actor: ServiceActor<StorageBackend> },
  ): Promise<void> {
    const { stallMs = STALL_MS } = this.#options;
    const over = new AbortController();
    ticket.whenDone(() => over.abort());
    const transfer = { exchange: ticket.exchange, address, stallMs };
    const move = address.method === "GET" ? sendObject : storeObject;
    try {
      await actor.run((backend, signal) => move(backend, transfer, signal), {
        caller: CALLER,
        signal: over.signal,
        lasting: true,
      });
    } catch (error) {
      const code = error instanceof EdgeError ? error.code : "INTERNAL";
      ticket.fail(CODES_OF_CLIENTS[code] ?? code);
    }
  }
}

async function sendObject(
  backend: StorageBackend,
  { exchange, address: { bucket, key }, stallMs }: Transfer,
  signal: AbortSignal,
): Promise<void> {
  const object = await backend.head(bucket, key, signal);
  if (object === null) throw new EdgeError("OBJECT_NOT_FOUND");
  const { size, etag } = object;
  const headers = headersOf(object);
  const stored = new HeaderMap(headers);
  const request = new HeaderMap(exchange.headers);
  if (isUnchanged(stored, request)) return exchange.reply(304, headers, null);
  const span = spanOf(stored, request, size);
  if (span === "none") return exchange.reply(416, `content-range\nbytes */${size}\n`, null);
  const { from, to } = span ?? { from: 0, to: size };
  const length = to - from;
  const found = await backend.get(
    bucket,
    { key, range: span && { offset: from, length }, conditions: only(etag) },
    signal,
  );
  const body = found?.content?.body;
  if (body === undefined) throw new EdgeError("SERVICE_CONFLICT");
  const part = span === null ? "" : `content-range\nbytes ${from}-${to - 1}/${size}\n`;
  exchange.begin(span === null ? 200 : 206, `${headers}${part}content-length\n${length}\n`);
  const drained = new Drained(exchange, { stallMs, signal });
  for await (const piece of body) {
    if (exchange.state !== "streaming") return;
    if (!exchange.write(piece)) await drained.next();
  }
  exchange.finish();
}

/** The client has room again, or takes nothing. */
class Drained {
  readonly #stallMs: number;
  #resolve: () => void = () => undefined;
  #reject: (error: EdgeError) => void = () => undefined;

  constructor(
    exchange: Exchange,
    { stallMs, signal }: { readonly stallMs: number; readonly signal: AbortSignal },
  ) {
    this.#stallMs = stallMs;
    exchange.onDrained(() => this.#resolve());
    signal.addEventListener("abort", () => this.#reject(new EdgeError("CANCELLED")));
  }

  async next(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#resolve = resolve;
    this.#reject = reject;
    const timer = setTimeout(() => reject(new EdgeError("REQUEST_TIMEOUT")), this.#stallMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

async function storeObject(
  backend: StorageBackend,
  transfer: Transfer,
  signal: AbortSignal,
): Promise<void> {
  const { exchange, address } = transfer;
  const contentType = exchange.header("content-type") ?? null;
  if (address.contentType !== null && address.contentType !== contentType) {
    throw new EdgeError("ADDRESS_UNSIGNED");
  }
  exchange.limitBody(STORAGE_PUT_BYTES_MAX);
  const head = readHead(address.key, { http: { contentType } });
  const body = exchange.hasBody ? received(transfer) : new Uint8Array(0);
  const put = { ...head, body, checksums: {}, conditions: null };
  const object = await backend.put(address.bucket, put, signal);
  exchange.reply(200, `etag\n"${object?.etag ?? ""}"\n`, null);
}

/** The body as it comes, held back while it is not read. */
function received({ exchange, stallMs }: Transfer): Readable {
  let timer: NodeJS.Timeout | undefined;
  const stalled = (): void => {
    body.destroy(new EdgeError("REQUEST_TIMEOUT"));
  };
  const body: Readable = new Readable({
    highWaterMark: WINDOW_BYTES,
    read() {
      clearTimeout(timer);
      timer = setTimeout(stalled, stallMs);
      exchange.resumeBody();
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });
  // Whoever reads it is told too; nobody may be reading yet.
  body.on("error", () => undefined);
  exchange.readBody({
    chunk(bytes) {
      clearTimeout(timer);
      if (!body.destroyed && !body.push(bytes)) exchange.pauseBody();
    },
    end() {
      clearTimeout(timer);
      body.push(null);
    },
    fail: (message) => body.destroy(new EdgeError("CANCELLED", message)),
  });
  return body;
}

function headersOf({ etag, uploadedMs, http }: StorageObject): HeaderList {
  const field = (name: string, value: string | null): string =>
    value === null ? "" : `${name}\n${value}\n`;
  return [
    `etag\n"${etag}"\nlast-modified\n${new Date(uploadedMs).toUTCString()}\naccept-ranges\nbytes\n`,
    field("content-type", http.contentType ?? "application/octet-stream"),
    field("content-language", http.contentLanguage),
    field("content-disposition", http.contentDisposition),
    field("content-encoding", http.contentEncoding),
    // Not for caches that many share: they would go on where the address has expired.
    field("cache-control", http.cacheControl ?? "private, no-cache"),
    field(
      "expires",
      http.cacheExpiryMs === null ? null : new Date(http.cacheExpiryMs).toUTCString(),
    ),
    CONTAINED,
  ].join("");
}

function only(etag: string): NonNullable<Parameters<StorageBackend["get"]>[1]["conditions"]> {
  return {
    etagMatches: [etag],
    etagDoesNotMatch: null,
    uploadedBeforeMs: null,
    uploadedAfterMs: null,
    secondsGranularity: false,
  };
}
