// Replies that other clients may have too (RFC 9111, as a cache that many share). What may be kept, for how long and
// for whom is the target's to say, in Cache-Control, Expires and Vary; `ttl` speaks for a 200 that says nothing. All
// workers of a node share what is kept. Of requests of one worker that miss at once, one goes to the target.
//
// What is no longer fresh is asked for again under its tag or date; while that is done, or when it fails, it may be
// given stale where the reply or the policy says so.

import {
  freshness,
  HeaderMap,
  isUnchanged,
  staleSeconds,
} from "../../../../sdk/text/http-caching.ts";
import type { Exchange, HeaderList } from "../../../../sdk/exchange.ts";
import { headerOf, withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { CachePolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import { ExchangeLayer } from "../../exchange-layer.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";
import type { Pass } from "../../pass.ts";
import type { Recorded } from "../../shared/reply-store.ts";
import { HeldReply, type Verdict } from "../custom/held-reply.ts";
import type { PolicyHost } from "../contract.ts";
import { CacheEntries, type CacheEntry, type CachePlace } from "./cache-entries.ts";
import { Flights } from "./flights.ts";
import { RecordedReply } from "./recorded-reply.ts";

const OK = 200;
const NOT_MODIFIED = 304;
const GATEWAY_TIMEOUT = 504;
const FAILED_MIN = 500;
/** Statuses that are kept when the target says for how long (RFC 9110, section 15.1). */
const KEPT: ReadonlySet<number> = new Set([200, 203, 300, 301, 308, 404, 405, 410, 414, 501]);
const NOTHING_SAID: ReadonlyMap<number, number> = new Map();
/** The target is asked on the cache's behalf, not the client's. */
const CONDITIONS: ReadonlySet<string> = new Set(["if-none-match", "if-modified-since"]);
const BODY_FIELDS: ReadonlySet<string> = new Set(["content-length", "age"]);

export function createCache(policy: CachePolicy, host: PolicyHost): Policy {
  const cache = new Cache(policy, host);
  return {
    onRequest(pass) {
      const { method, upgrade } = pass.exchange;
      if (upgrade !== null) return true;
      if (method === "GET" || method === "HEAD") return cache.look(pass);
      if (method !== "OPTIONS" && method !== "TRACE") cache.forgetAfter(pass);
      return true;
    },
    onReply(pass, head) {
      if (pass.cacheStatus !== "") head.headers += `cache-status\nislet; ${pass.cacheStatus}\n`;
    },
  };
}

class Cache {
  readonly #policy: CachePolicy;
  readonly #now: () => number;
  readonly #entries: CacheEntries;
  readonly #flights = new Flights();
  readonly #unsaid: ReadonlyMap<number, number>;

  constructor(policy: CachePolicy, host: PolicyHost) {
    this.#policy = policy;
    this.#now = host.wallClock;
    this.#entries = new CacheEntries(host.replies, host.route, policy.headers);
    this.#unsaid = policy.ttlMs === 0 ? NOTHING_SAID : new Map([[OK, policy.ttlMs / 1_000]]);
  }

  async look(pass: Pass): Promise<boolean> {
    const { exchange } = pass;
    const asked = exchange.header("cache-control") ?? "";
    if (exchange.header("range") !== undefined || /\bno-store\b/i.test(asked)) {
      pass.cacheStatus = "fwd=bypass";
      return true;
    }
    const wantsNew =
      /\bno-cache\b|\bmax-age=0\b/i.test(asked) || exchange.header("pragma") === "no-cache";
    const place = this.#entries.place(pass, this.#now());
    let entry = await this.#entries.find(place);
    // Who finds none on its way is the one that others wait for: nothing is awaited until it is.
    if (!wantsNew && !this.#isUsable(entry) && this.#flights.has(place.key)) {
      await this.#flights.wait(place.key);
      entry = await this.#entries.find(place);
    }
    if (exchange.state !== "open") return false;
    if (entry !== null && !wantsNew && this.#serves(pass, place, entry)) return false;
    // It is refreshed now, for those who come next.
    if (exchange.state !== "open") return true;
    if (/\bonly-if-cached\b/i.test(asked)) {
      pass.cacheStatus = "fwd=miss";
      pass.ticket.exchange.reply(GATEWAY_TIMEOUT, "", null);
      return false;
    }
    this.#forward(pass, place, entry);
    return true;
  }

  /** After a change that went well, what is kept of the address is of the past (RFC 9111, section 4.4). */
  forgetAfter(pass: Pass): void {
    const place = this.#entries.place(pass, this.#now());
    pass.ticket.exchange = new RecordedReply(pass.ticket.exchange, {
      detached: false,
      bytesMax: 0,
      onEnd: (reply) => {
        if (reply !== null && reply.status < 400) void this.#entries.forget(place);
      },
    });
  }

  #isUsable(entry: CacheEntry | null): boolean {
    return entry !== null && this.#ageMs(entry) < entry.freshMs + entry.staleMs;
  }

  /** True: the client has its reply, and nothing is left to do. */
  #serves(pass: Pass, place: CachePlace, entry: CacheEntry): boolean {
    const leftMs = entry.freshMs - this.#ageMs(entry);
    if (leftMs > 0) {
      this.#answer(pass, entry, pass.ticket.exchange);
      return true;
    }
    if (-leftMs >= entry.staleMs) return false;
    // Asked for while it is known: the socket tells no more once the reply is out.
    void pass.address;
    this.#answer(pass, entry, pass.ticket.exchange);
    if (pass.exchange.method !== "GET" || !this.#flights.begin(place.key)) return true;
    const nobody = new Nobody(pass.ticket.exchange);
    pass.ticket.exchange = nobody;
    this.#record(pass, place, entry);
    return false;
  }

  #answer(pass: Pass, entry: CacheEntry, client: Exchange): void {
    const ageMs = this.#ageMs(entry);
    pass.cacheStatus = `hit; ttl=${Math.floor((entry.freshMs - ageMs) / 1_000)}`;
    const kept = withoutHeaders(entry.headers, BODY_FIELDS);
    const headers = `${kept}age\n${Math.max(0, Math.floor(ageMs / 1_000))}\n`;
    const request = new HeaderMap(pass.exchange.headers);
    if (entry.status === OK && isUnchanged(new HeaderMap(entry.headers), request)) {
      client.reply(NOT_MODIFIED, headers, null);
    } else client.reply(entry.status, headers, entry.body);
  }

  #forward(pass: Pass, place: CachePlace, entry: CacheEntry | null): void {
    pass.cacheStatus = entry === null ? "fwd=miss" : "fwd=stale";
    if (pass.exchange.method !== "GET") return;
    this.#flights.begin(place.key);
    this.#record(pass, place, entry);
  }

  /** The target's reply goes on to the client, and is kept if it may be. */
  #record(pass: Pass, place: CachePlace, entry: CacheEntry | null): void {
    if (entry !== null) {
      pass.ticket.exchange = new HeldReply(pass.ticket.exchange, (head, client) =>
        this.#revalidated(pass, place, { entry, head, client }),
      );
      pass.headers = withConditions(pass.headers, entry);
    }
    pass.ticket.exchange = new RecordedReply(pass.ticket.exchange, {
      detached: false,
      bytesMax: this.#policy.bytesMax,
      onEnd: (reply) => void this.#keep(pass, place, reply),
    });
  }

  #revalidated(
    pass: Pass,
    place: CachePlace,
    { entry, head, client }: { entry: CacheEntry; head: ReplyHead; client: Exchange },
  ): Promise<Verdict> | null {
    const isSame = head.status === NOT_MODIFIED;
    const isFailure = head.status >= FAILED_MIN;
    const lateMs = this.#ageMs(entry) - entry.freshMs;
    if (!isSame && !(isFailure && lateMs < entry.errorMs)) return null;
    let shown = entry;
    if (isSame) {
      const headers = merged(entry.headers, head.headers);
      shown = this.#entryOf(pass, entry.status, headers, entry.body) ?? entry;
      if (shown !== entry)
        void this.#entries.keep(place, shown, this.#now()).catch(() => undefined);
    }
    this.#answer(pass, shown, client);
    return Promise.resolve("drop");
  }

  async #keep(pass: Pass, place: CachePlace, reply: Recorded | null): Promise<void> {
    try {
      if (reply === null || reply.body === null || pass.ticket.failure !== null) return;
      const entry = this.#entryOf(pass, reply.status, reply.headers, reply.body);
      if (entry !== null) await this.#entries.keep(place, entry, this.#now());
    } catch (error) {
      pass.ticket.log("error", `A reply is not kept: ${String(error)}`);
    } finally {
      this.#flights.end(place.key);
    }
  }

  /** null: it may not be kept. */
  #entryOf(pass: Pass, status: number, headers: HeaderList, body: Buffer): CacheEntry | null {
    if (!KEPT.has(status)) return null;
    const map = new HeaderMap(headers);
    const { seconds, without } = freshness(
      { status, headers: map },
      new HeaderMap(credentialsOf(pass)),
      this.#now(),
      this.#unsaid,
    );
    if (seconds === 0) return null;
    const { stale, error } = staleSeconds(map);
    return {
      status,
      headers: withoutHeaders(headers, new Set(without)),
      storedAtMs: this.#now() - 1_000 * Number(map.get("age") ?? 0),
      freshMs: 1_000 * (seconds + Number(map.get("age") ?? 0)),
      staleMs: stale === null ? this.#policy.staleMs : 1_000 * stale,
      errorMs: error === null ? this.#policy.staleErrorMs : 1_000 * error,
      body,
    };
  }

  #ageMs({ storedAtMs }: CacheEntry): number {
    return this.#now() - storedAtMs;
  }
}

/** Who is known by other means counts as one who has sent credentials. */
function credentialsOf({ exchange, isKnown }: Pass): HeaderList {
  return isKnown || exchange.header("authorization") !== undefined ? "authorization\n1\n" : "";
}

function withConditions(headers: HeaderList, entry: CacheEntry): HeaderList {
  const etag = headerOf(entry.headers, "etag");
  const date = headerOf(entry.headers, "last-modified");
  const rest = withoutHeaders(headers, CONDITIONS);
  const tag = etag === undefined ? "" : `if-none-match\n${etag}\n`;
  return rest + tag + (date === undefined ? "" : `if-modified-since\n${date}\n`);
}

/** What a 304 says takes the place of what was said before (RFC 9111, section 3.2). */
function merged(stored: HeaderList, said: HeaderList): HeaderList {
  const names = new Set(said.split("\n").filter((_line, at) => at % 2 === 0));
  names.delete("content-length");
  return withoutHeaders(stored, names) + withoutHeaders(said, new Set(["content-length"]));
}

/** In place of a client that has its reply already. */
class Nobody extends ExchangeLayer {
  #state: Exchange["state"] = "open";

  override get state(): Exchange["state"] {
    return this.#state;
  }

  override reply(): void {
    this.#state = "done";
  }

  override begin(): void {
    this.#state = "streaming";
  }

  override write(): boolean {
    return true;
  }

  override finish(): void {
    this.#state = "done";
  }

  override reset(): void {
    this.#state = "done";
  }

  override onGone(): void {}

  override onDrained(): void {}
}
