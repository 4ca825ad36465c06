// The calls of the Cache API (runtime/guest/caches.ts makes them), on a cache whose entries have a head and a body in
// pieces. REQUEST is [address, header list].
//
//   match   [cache, REQUEST]  -> null | [status, status text, header list, size, body]; body null: it follows
//   store   [cache, REQUEST, [status, status text, header list], body or STREAM]  -> whether it was stored
//   forget  [cache, REQUEST]  -> whether it was there
//
// What is stored at an address is the response, or, where that has a Vary, a signpost: the names of those headers and
// a random word. With the values that the request has for them these name the entry. A signpost that is gone
// leaves entries that nobody finds; they go as others do.

import { createHash, randomUUID } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";
import {
  CACHE_BODY_BYTES_MAX,
  CACHE_URL_BYTES_MAX,
  type CacheBackend,
  type CacheStream,
  type CacheStreams,
} from "../../sdk/services/cache.ts";
import { Streamed, type CallContext } from "../../sdk/services/service.ts";
import { STREAM, type Value } from "../../sdk/services/values.ts";
import type { ServiceActor } from "../actor.ts";
import { limitText, readBytes, readInteger, readList, readText } from "../arguments.ts";
import type { Method } from "../port.ts";
import { freshSeconds, HeaderMap, isUnchanged, spanOf, variantOf, variedNames } from "./http.ts";

/** Bodies up to this size come with the head, so that most hits are one call. */
export const EAGER_BYTES_MAX: number = 64 * 1_024;
/** More is no response of a handler. */
const HEADERS_BYTES_MAX: number = 256 * 1_024;
const NAME_BYTES_MAX = 512;
const PARTIAL_CONTENT = 206;
const NOT_MODIFIED = 304;
const RANGE_NOT_SATISFIABLE = 416;

export interface ResponsesOptions {
  readonly actor: ServiceActor<CacheBackend>;
  readonly scope: string;
  readonly caller: string;
  /** The wall clock. */
  readonly now: () => number;
}

interface Stored {
  readonly status: number;
  readonly statusText: string;
  readonly headers: string;
  readonly storedAtMs: number;
}

interface Signpost {
  readonly names: readonly string[];
  readonly word: string;
}

interface Place {
  readonly key: string;
  readonly request: HeaderMap;
}

/** `lasting`: as long as a body does. */
type Run = <T>(
  signal: AbortSignal,
  work: (streams: CacheStreams, signal: AbortSignal, cache: CacheBackend) => Promise<T>,
  lasting: boolean,
) => Promise<T>;

interface Reach {
  readonly run: Run;
  readonly scope: string;
  readonly now: () => number;
}

export function responseMethods(options: ResponsesOptions): Readonly<Record<string, Method>> {
  const { actor, caller, now } = options;
  const run: Run = (signal, work, lasting) =>
    actor.run(
      async (cache, ended) => {
        const { streams } = cache;
        if (streams !== null) return work(streams, ended, cache);
        throw new EdgeError("SERVICE_INPUT", "This cache stores no responses.");
      },
      { caller, signal, lasting },
    );
  // No binding has such a scope: what the verbs set is never taken for a response.
  const reach: Reach = { run, now, scope: `caches\n${options.scope}` };
  return { match: matchMethod(reach), store: storeMethod(reach), forget: forgetMethod(reach) };
}

function matchMethod({ run, scope, now }: Reach): Method {
  return ([cache, request], context) => {
    const place = readPlace(cache, request);
    return new Promise((resolve, reject) => {
      const work = async (streams: CacheStreams): Promise<void> => {
        const stream = await find(streams, scope, place);
        if (stream === null) return resolve(null);
        try {
          await answer(stream, place.request, { context, now, resolve });
        } finally {
          await stream.close();
        }
      };
      run(context.signal, work, true).catch(reject);
    });
  };
}

function storeMethod({ run, scope, now }: Reach): Method {
  return async ([cache, request, response, body], context) => {
    const place = readPlace(cache, request);
    const stored = readStored(response, now());
    const headers = new HeaderMap(stored.headers);
    const names = variedNames(headers);
    const ttlMs = 1_000 * freshSeconds(headers, now());
    if (names === null || ttlMs === 0) {
      await context.body?.[Symbol.asyncIterator]().return?.();
      return false;
    }
    const content = body === STREAM ? context.body : [readBytes(body, "body")];
    if (content === null) throw new EdgeError("CALL_INVALID", "The body does not follow.");
    const work = async (streams: CacheStreams, signal: AbortSignal): Promise<boolean> => {
      const put = async (key: string, head: object, pieces: Pieces): Promise<void> => {
        const entry = { key, head: Buffer.from(JSON.stringify(head)), ttlMs };
        const options = { bytesMax: CACHE_BODY_BYTES_MAX, signal };
        await streams.store(scope, entry, iterate(pieces), options);
      };
      if (names.length === 0) await put(place.key, stored, content);
      else {
        const known = await signpostAt(streams, scope, place.key);
        const isSame = known !== null && known.names.join() === names.join();
        const post = isSame ? known : { names, word: randomUUID() };
        await put(variantKey(place, post), stored, content);
        await put(place.key, post, []);
      }
      return true;
    };
    return run(context.signal, work, body === STREAM);
  };
}

function forgetMethod({ run, scope }: Reach): Method {
  return ([cache, request], context) => {
    const { key } = readPlace(cache, request);
    return run(
      context.signal,
      async (_, signal, backend) => (await backend.delete(scope, [key], signal)) > 0,
      false,
    );
  };
}

type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

async function* iterate(pieces: Pieces): AsyncIterable<Uint8Array> {
  yield* pieces;
}

async function find(
  streams: CacheStreams,
  scope: string,
  place: Place,
): Promise<CacheStream | null> {
  const first = await streams.open(scope, place.key);
  if (first === null) return null;
  const head = headOf(first);
  if (!("word" in head)) return first;
  await first.close();
  return streams.open(scope, variantKey(place, head));
}

async function signpostAt(
  streams: CacheStreams,
  scope: string,
  key: string,
): Promise<Signpost | null> {
  const found = await streams.open(scope, key);
  if (found === null) return null;
  await found.close();
  const head = headOf(found);
  return "word" in head ? head : null;
}

/** As `store` wrote it. */
function headOf({ head }: CacheStream): Stored | Signpost {
  return JSON.parse(Buffer.from(head).toString()) as Stored | Signpost;
}

function variantKey({ key, request }: Place, { names, word }: Signpost): string {
  return hashOf([key, word, variantOf(names, request)]);
}

/** Addresses are longer than keys may be. */
function hashOf(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
}

interface Answering {
  readonly context: CallContext;
  readonly now: () => number;
  readonly resolve: (answer: Value | Streamed) => void;
}

/** Lasts until the body was read, or is wanted no more. */
async function answer(
  stream: CacheStream,
  request: HeaderMap,
  { context, now, resolve }: Answering,
): Promise<void> {
  const stored = headOf(stream) as Stored;
  const headers = new HeaderMap(stored.headers);
  const age = Math.max(0, Math.floor((now() - stored.storedAtMs) / 1_000));
  const lines = `${without(stored.headers, ["age", "cf-cache-status"])}age\n${age}\ncf-cache-status\nHIT\n`;
  const { size } = stream;
  const none = Buffer.alloc(0);
  if (isUnchanged(headers, request)) {
    const kept = without(lines, ["content-length", "content-range"]);
    return resolve([NOT_MODIFIED, "Not Modified", kept, 0, none]);
  }
  const span = stored.status === 200 ? spanOf(headers, request, size) : null;
  const plain = without(lines, ["content-length", "content-range"]);
  if (span === "none") {
    const all = `${plain}content-range\nbytes */${size}\ncontent-length\n0\n`;
    return resolve([RANGE_NOT_SATISFIABLE, "Range Not Satisfiable", all, 0, none]);
  }
  const { from, to } = span ?? { from: 0, to: size };
  const length = to - from;
  const isPart = span !== null;
  const [status, statusText] = isPart
    ? [PARTIAL_CONTENT, "Partial Content"]
    : [stored.status, stored.statusText];
  const range = isPart ? `content-range\nbytes ${from}-${to - 1}/${size}\n` : "";
  const list = `${plain}${range}content-length\n${length}\n`;
  if (length <= EAGER_BYTES_MAX && context.hold(length)) {
    const body = Buffer.concat(await Array.fromAsync(stream.read(from, to)));
    return resolve([status, statusText, list, length, body]);
  }
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const rest = (async function* (): AsyncGenerator<Value> {
    try {
      yield* stream.read(from, to);
    } finally {
      end();
    }
  })();
  resolve(new Streamed([status, statusText, list, length, null], rest));
  // A rest that is never pulled is never ended either.
  if (context.signal.aborted) end();
  else context.signal.addEventListener("abort", () => end(), { once: true });
  await ended;
}

function without(packed: string, names: readonly string[]): string {
  const parts = packed.split("\n");
  let kept = "";
  for (let at = 0; at + 1 < parts.length; at += 2) {
    if (!names.includes(parts[at] ?? "")) kept += `${parts[at]}\n${parts[at + 1]}\n`;
  }
  return kept;
}

function readPlace(cache: Value, request: Value): Place {
  const name = limitText(readText(cache, "cache"), "The name of a cache", NAME_BYTES_MAX);
  const [url, headers] = readList(request, "request");
  const address = limitText(readText(url, "address"), "The address", CACHE_URL_BYTES_MAX);
  return { key: hashOf([name, address]), request: new HeaderMap(readHeaders(headers)) };
}

function readHeaders(value: Value): string {
  return limitText(readText(value, "headers"), "The header list", HEADERS_BYTES_MAX);
}

function readStored(value: Value, storedAtMs: number): Stored {
  const [status, statusText, headers] = readList(value, "response");
  return {
    status: readInteger(status, "status", { min: 200, max: 599 }),
    statusText: readText(statusText, "status text"),
    headers: readHeaders(headers),
    storedAtMs,
  };
}
