// Where replies lie. At an address is a reply, or, where that has a Vary, the names of its headers: with the values
// that a request has for them, and a random word, they name the place of the reply. What is forgotten at the address
// gets another word: replies under the old one are not found any more.

import { hash, randomUUID } from "node:crypto";
import { HeaderMap, variantOf, variedNames } from "../../../../sdk/text/http-caching.ts";
import type { HeaderList } from "../../../../sdk/exchange.ts";
import type { Pass } from "../../pass.ts";
import { packRecord, unpackRecord, type ReplyStore } from "../../shared/reply-store.ts";
import { isPurged } from "./purges.ts";

/** Behind its end a reply is still good for asking whether it has changed. */
const REVALIDATION_MS = 3_600_000;

export interface CacheEntry {
  readonly status: number;
  readonly headers: HeaderList;
  /** On the wall clock, less the age that it came with. */
  readonly storedAtMs: number;
  readonly freshMs: number;
  /** Beyond that: given while it is refreshed, and given when that fails. */
  readonly staleMs: number;
  readonly errorMs: number;
  readonly body: Buffer;
  /** When the target was asked for it, on the wall clock. */
  readonly askedMs?: number;
}

export interface CachePlace {
  readonly key: string;
  readonly host: string;
  /** Path and query, as the client sent them. */
  readonly url: string;
  /** When the request came to the cache. */
  readonly atMs: number;
  /** As the client sent it. */
  readonly request: HeaderMap;
}

interface Signpost {
  readonly vary: readonly string[];
  readonly word: string;
}

export class CacheEntries {
  readonly #replies: () => Promise<ReplyStore>;
  readonly #route: string;
  readonly #headers: readonly string[];

  constructor(replies: () => Promise<ReplyStore>, route: string, headers: readonly string[]) {
    this.#replies = replies;
    this.#route = route;
    this.#headers = headers;
  }

  place({ exchange, url, headers }: Pass, nowMs: number): CachePlace {
    const request = new HeaderMap(headers);
    const values = this.#headers.map((name) => request.get(name));
    const address = [this.#route, exchange.scheme, exchange.host, url, values];
    const key = hash("sha256", JSON.stringify(address), "base64url");
    return { key, host: exchange.host, url: exchange.url, atMs: nowMs, request };
  }

  async find(place: CachePlace): Promise<CacheEntry | null> {
    const store = await this.#replies();
    const entry = await this.#read(store, place);
    if (entry === null) return null;
    const kept = { ...place, askedMs: entry.askedMs ?? 0 };
    return (await isPurged(store, this.#route, kept)) ? null : entry;
  }

  async #read(store: ReplyStore, place: CachePlace): Promise<CacheEntry | null> {
    const first = await store.get("cache", place.key);
    if (first === null) return null;
    const found = unpackEntry(first);
    if (!("vary" in found)) return found;
    const second = await store.get("cache", variantKey(place, found));
    const variant = second === null ? null : unpackEntry(second);
    return variant === null || "vary" in variant ? null : variant;
  }

  async keep(place: CachePlace, entry: CacheEntry, nowMs: number): Promise<void> {
    const names = variedNames(new HeaderMap(entry.headers));
    if (names === null) return;
    const store = await this.#replies();
    const { body, ...head } = entry;
    const ageMs = nowMs - entry.storedAtMs;
    const moreMs = Math.max(entry.staleMs, entry.errorMs, REVALIDATION_MS);
    const ttlMs = Math.max(1, entry.freshMs + moreMs - Math.max(0, ageMs));
    let { key } = place;
    if (names.length > 0) {
      const known = await store.get("cache", place.key);
      const there = known === null ? null : unpackEntry(known);
      const isSame = there !== null && "vary" in there && there.vary.join() === names.join();
      const sign = { vary: names, word: isSame ? there.word : randomUUID() };
      await store.set("cache", key, { value: packRecord(sign, Buffer.alloc(0)), ttlMs });
      key = variantKey(place, sign);
    }
    await store.set("cache", key, {
      value: packRecord({ ...head, askedMs: place.atMs }, body),
      ttlMs,
    });
  }

  async forget({ key }: CachePlace): Promise<void> {
    await (await this.#replies()).delete("cache", key);
  }
}

function unpackEntry(bytes: Uint8Array): CacheEntry | Signpost {
  const { head, body } = unpackRecord(bytes);
  const known = head as Omit<CacheEntry, "body"> | Signpost;
  return "vary" in known ? known : { ...known, body };
}

function variantKey({ key, request }: CachePlace, { vary, word }: Signpost): string {
  return hash("sha256", `${key}\n${word}\n${variantOf(vary, request)}`, "base64url");
}
