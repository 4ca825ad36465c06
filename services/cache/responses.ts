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
//
// A body that streams takes no place among the actor's calls: a few handlers that read slowly would keep everybody
// from the cache. It needs only its file; so many at once are an isolate's.

import { createHash, randomUUID } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";
import {
  CACHE_BODY_BYTES_MAX,
  CACHE_URL_BYTES_MAX,
  type CacheBackend,
  type CacheStream,
  type CacheStreams,
} from "../../sdk/services/cache.ts";
import { Streamed } from "../../sdk/services/service.ts";
import { STREAM, type Value } from "../../sdk/services/values.ts";
import type { ServiceActor } from "../actor.ts";
import { limitText, readBytes, readInteger, readList, readText } from "../arguments.ts";
import type { Method } from "../port.ts";
import { replyTo, withoutHeaders, type Stored } from "./answer.ts";
import { Bodies, restOf } from "./bodies.ts";
import { freshness, HeaderMap, variantOf, variedNames } from "../../sdk/text/http-caching.ts";

/** Bodies up to this size come with the head, so that most hits are one call. */
export const EAGER_BYTES_MAX: number = 64 * 1_024;
/** More is no response of a handler. */
const HEADERS_BYTES_MAX: number = 256 * 1_024;
const NAME_BYTES_MAX = 512;

export interface ResponsesOptions {
  readonly actor: ServiceActor<CacheBackend>;
  readonly scope: string;
  readonly caller: string;
  /** The wall clock. */
  readonly now: () => number;
  /** Of a body, and of all that one isolate has on their way to the store: those count nowhere else yet. */
  readonly bodyBytesMax?: number;
}

interface Signpost {
  readonly names: readonly string[];
  readonly word: string;
  /** When the last of its entries does. */
  readonly endsAtMs: number;
}

interface Place {
  readonly key: string;
  readonly request: HeaderMap;
}

type Run = <T>(
  signal: AbortSignal,
  work: (streams: CacheStreams, signal: AbortSignal, cache: CacheBackend) => Promise<T>,
) => Promise<T>;

interface Reach {
  readonly run: Run;
  readonly scope: string;
  readonly now: () => number;
  readonly bodies: Bodies;
  readonly bodyBytesMax: number;
}

export function responseMethods(options: ResponsesOptions): Readonly<Record<string, Method>> {
  const { actor, caller, now, bodyBytesMax = CACHE_BODY_BYTES_MAX } = options;
  const run: Run = (signal, work) =>
    actor.run(
      async (cache, ended) => {
        const { streams } = cache;
        if (streams !== null) return work(streams, ended, cache);
        throw new EdgeError("SERVICE_INPUT", "This cache stores no responses.");
      },
      { caller, signal },
    );
  // No binding has such a scope: what the verbs set is never taken for a response.
  const scope = `caches\n${options.scope}`;
  const reach: Reach = { run, now, scope, bodies: new Bodies(bodyBytesMax), bodyBytesMax };
  return { match: matchMethod(reach), store: storeMethod(reach), forget: forgetMethod(reach) };
}

function matchMethod({ run, scope, now, bodies }: Reach): Method {
  return ([cache, request], context) => {
    const place = readPlace(cache, request);
    return run(context.signal, async (streams, signal) => {
      const stream = await find(streams, scope, place);
      if (stream === null) return null;
      let isPassedOn = false;
      try {
        const stored = headOf(stream) as Stored;
        const reply = replyTo(place.request, stored, { size: stream.size, nowMs: now() });
        const { status, statusText, headers, from, to } = reply;
        const head = [status, statusText, headers];
        if (to - from <= EAGER_BYTES_MAX && context.hold(to - from)) {
          return [...head, Buffer.concat(await Array.fromAsync(stream.read(from, to)))];
        }
        signal.throwIfAborted();
        const rest = restOf(stream, reply, { context, end: bodies.begin() });
        isPassedOn = true;
        return new Streamed([...head, null], rest);
      } finally {
        if (!isPassedOn) await stream.close();
      }
    });
  };
}

function storeMethod({ run, scope, now, bodies, bodyBytesMax }: Reach): Method {
  return async ([cache, request, response, body], context) => {
    const place = readPlace(cache, request);
    const given = readStored(response, now());
    const headers = new HeaderMap(given.headers);
    const names = variedNames(headers);
    const { seconds, without } = freshness({ ...given, headers }, place.request, now());
    if (names === null || seconds === 0) {
      await context.body?.[Symbol.asyncIterator]().return?.();
      return false;
    }
    const stored = { ...given, headers: withoutHeaders(given.headers, without) };
    const store = (streams: CacheStreams, content: Pieces, signal: AbortSignal): Promise<boolean> =>
      put({ streams, scope, now, bytesMax: bodyBytesMax, signal }, place, {
        stored,
        names,
        content,
        ttlMs: 1_000 * seconds,
      });
    if (body !== STREAM) {
      const content = [readBytes(body, "body")];
      return run(context.signal, (streams, signal) => store(streams, content, signal));
    }
    if (context.body === null) throw new EdgeError("CALL_INVALID", "The body does not follow.");
    const end = bodies.begin();
    try {
      const streams = await run(context.signal, async (each) => each);
      return await store(streams, bodies.counted(context.body), context.signal);
    } finally {
      end();
    }
  };
}

interface Into {
  readonly streams: CacheStreams;
  readonly scope: string;
  readonly now: () => number;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

interface Put {
  readonly stored: Stored;
  /** That Vary names. */
  readonly names: readonly string[];
  readonly content: Pieces;
  readonly ttlMs: number;
}

async function put(
  { streams, scope, now, bytesMax, signal }: Into,
  place: Place,
  { stored, names, content, ttlMs }: Put,
): Promise<true> {
  const store = (key: string, head: object, pieces: Pieces, forMs: number): Promise<void> => {
    const entry = { key, head: Buffer.from(JSON.stringify(head)), ttlMs: forMs };
    return streams.store(scope, entry, iterate(pieces), { bytesMax, signal });
  };
  if (names.length === 0) {
    await store(place.key, stored, content, ttlMs);
    return true;
  }
  const known = await signpostAt(streams, scope, place.key);
  const isSame = known !== null && known.names.join() === names.join();
  const word = isSame ? known.word : randomUUID();
  await store(variantKey(place, { names, word }), stored, content, ttlMs);
  const endsAtMs = Math.max(isSame ? known.endsAtMs : 0, now() + ttlMs);
  await store(place.key, { names, word, endsAtMs } satisfies Signpost, [], endsAtMs - now());
  return true;
}

function forgetMethod({ run, scope }: Reach): Method {
  return ([cache, request], context) => {
    const { key } = readPlace(cache, request);
    return run(
      context.signal,
      async (_, signal, backend) => (await backend.delete(scope, [key], signal)) > 0,
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

function variantKey({ key, request }: Place, { names, word }: Omit<Signpost, "endsAtMs">): string {
  return hashOf([key, word, variantOf(names, request)]);
}

/** Addresses are longer than keys may be. */
function hashOf(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
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
