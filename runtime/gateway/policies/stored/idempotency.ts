// A request that is sent again under the same key gets the first one's reply. Who is first is decided in one step over
// all workers: it claims the key, and its reply takes the claim's place. Others wait for that. The first is carried to
// its end although its client may leave: that client is who will ask again.
//
// A claim ends after `lock`, since whoever holds it may have been killed. What fails on the way (5xx, a reply that
// breaks off) gives the key back.

import { hash, randomUUID } from "node:crypto";
import type { IdempotencyPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Exchange } from "../../../../sdk/exchange.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import {
  packRecord,
  unpackRecord,
  type Recorded,
  type ReplyStore,
} from "../../shared/reply-store.ts";
import type { PolicyHost } from "../contract.ts";
import { RecordedReply } from "./recorded-reply.ts";
import { readWhole, WholeBody } from "./whole-body.ts";

/** Printable, as clients make them: a UUID has 36. */
const KEY = /^[!-~]{1,255}$/;
const FAILED_MIN = 500;
const EMPTY: Uint8Array = new Uint8Array();
/** For what other workers do, of which nothing tells. */
const LOOK_MS = 50;
/** In this worker; each holds its connection and body. */
export const WAITING_MAX = 1_024;
const REPLAYED = "idempotent-replayed\ntrue\n";
const LATER = "retry-after\n1\n";

interface Entry {
  /** Of the request: another one under the same key is a mistake. */
  readonly print: string;
  /** null: it is under way. */
  readonly status: number | null;
  readonly headers: string;
  /** The reply was too long to be kept. */
  readonly isCut: boolean;
  /** Of the claim. */
  readonly by: string;
}

export function createIdempotency(policy: IdempotencyPolicy, host: PolicyHost): Policy {
  const waiting = new Waiting();
  const methods = new Set(policy.methods);
  const once = async (pass: Pass, key: string): Promise<boolean> => {
    const { exchange } = pass.ticket;
    const body = exchange.hasBody ? await readWhole(exchange, policy.bodyBytesMax) : EMPTY;
    // Refused, or its client has left.
    if (body === null || exchange.state !== "open") return false;
    const first = new First(pass, { policy, host, waiting }, printOf(exchange, key, pass, body));
    return first.begin(exchange.hasBody ? body : null);
  };
  return {
    onRequest(pass) {
      const { exchange } = pass.ticket;
      if (!methods.has(exchange.method) || exchange.upgrade !== null) return true;
      const key = exchange.header(policy.header);
      if (key === undefined && !policy.required) return true;
      if (key !== undefined && KEY.test(key)) return once(pass, key);
      pass.ticket.fail("IDEMPOTENCY_KEY_INVALID");
      return false;
    },
  };
}

interface Prints {
  /** Whose key it is, and of what: others' are other keys. */
  readonly place: string;
  readonly print: string;
}

function printOf(exchange: Exchange, key: string, pass: Pass, body: Uint8Array): Prints {
  const subject = pass.claims?.["sub"];
  const who =
    pass.consumer?.name ?? (typeof subject === "string" ? `sub ${subject}` : `ip ${pass.address}`);
  return {
    place: hash("sha256", JSON.stringify([who, exchange.host, key]), "base64url"),
    print: hash(
      "sha256",
      Buffer.concat([Buffer.from(`${exchange.method} ${exchange.url}\n`), body]),
      "base64url",
    ),
  };
}

interface Means {
  readonly policy: IdempotencyPolicy;
  readonly host: PolicyHost;
  readonly waiting: Waiting;
}

class First {
  readonly #pass: Pass;
  readonly #means: Means;
  readonly #prints: Prints;

  constructor(pass: Pass, means: Means, prints: Prints) {
    this.#pass = pass;
    this.#means = means;
    this.#prints = prints;
  }

  /** True: it is the first, and goes on. */
  async begin(body: Uint8Array | null): Promise<boolean> {
    const { policy, host, waiting } = this.#means;
    const { place, print } = this.#prints;
    const store = await host.replies();
    const deadlineMs = performance.now() + policy.waitMs;
    const by = randomUUID();
    const claim = pack({ print, by, status: null, headers: "", isCut: false });
    while (this.#pass.exchange.state === "open") {
      if (await store.claim("idempotency", place, { value: claim, ttlMs: policy.lockMs })) {
        if (this.#pass.exchange.state === "open") return this.#record(store, claim, body);
        await store.release("idempotency", place, claim);
        return false;
      }
      const found = await store.get("idempotency", place);
      if (found !== null && this.#settle(found)) return false;
      // What has just gone may be claimed.
      if (found === null) continue;
      if (performance.now() > deadlineMs || !(await waiting.wait(place))) {
        this.#pass.ticket.fail("IDEMPOTENCY_CONFLICT", undefined, LATER);
        return false;
      }
    }
    return false;
  }

  /** False: the first one is under way. */
  #settle(found: Uint8Array): boolean {
    const { ticket } = this.#pass;
    const { head, body } = unpackRecord(found);
    const { print, status, headers, isCut } = head as Entry;
    if (print !== this.#prints.print) ticket.fail("IDEMPOTENCY_MISMATCH");
    else if (status === null) return false;
    else if (isCut) ticket.fail("IDEMPOTENCY_CONFLICT");
    else ticket.exchange.reply(status, headers + REPLAYED, body);
    return true;
  }

  #record(store: ReplyStore, claim: Buffer, body: Uint8Array | null): true {
    const { ticket } = this.#pass;
    const recorded = new RecordedReply(ticket.exchange, {
      detached: true,
      bytesMax: this.#means.policy.replyBytesMax,
      onEnd: (reply) => void this.#keep(store, claim, reply),
    });
    const refuse = (): void => ticket.fail("BODY_TOO_LARGE");
    ticket.exchange = body === null ? recorded : new WholeBody(recorded, body, refuse);
    return true;
  }

  async #keep(store: ReplyStore, claim: Buffer, reply: Recorded | null): Promise<void> {
    const { policy, waiting } = this.#means;
    const { place, print } = this.#prints;
    const { ticket } = this.#pass;
    try {
      if (reply === null || reply.status >= FAILED_MIN || ticket.failure !== null) {
        await store.release("idempotency", place, claim);
      } else {
        const { status, headers, body } = reply;
        const value = pack({ print, by: "", status, headers, isCut: body === null }, body ?? EMPTY);
        await store.set("idempotency", place, { value, ttlMs: policy.ttlMs });
      }
    } catch (error) {
      ticket.log("error", `The reply under an idempotency key is not kept: ${String(error)}`);
    }
    waiting.wake(place);
  }
}

function pack(entry: Entry, body: Uint8Array = EMPTY): Buffer {
  return packRecord(entry, body);
}

/** Those that wait for another request of this worker, which wakes them, or of another, which does not. */
class Waiting {
  readonly #waiters = new Map<string, Set<() => void>>();
  #count = 0;

  /** False: too many wait. */
  async wait(place: string): Promise<boolean> {
    if (this.#count >= WAITING_MAX) return false;
    this.#count++;
    const waiters = this.#waiters.get(place) ?? new Set();
    this.#waiters.set(place, waiters);
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        waiters.delete(over);
        resolve();
      };
      const timer = setTimeout(over, LOOK_MS);
      waiters.add(over);
    });
    if (waiters.size === 0) this.#waiters.delete(place);
    this.#count--;
    return true;
  }

  wake(place: string): void {
    for (const waiter of this.#waiters.get(place) ?? []) waiter();
  }
}
