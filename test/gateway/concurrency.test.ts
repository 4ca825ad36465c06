// How many requests are open at once: over several workers, and given back however a request ends.

import { describe, expect, test } from "vitest";
import { LEASE_MS, OpenCounts } from "../../runtime/gateway/shared/open-counts.ts";
import { openNodeStore } from "../../runtime/gateway/shared/store.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";
import { createMemoryStore } from "./memory-store.ts";
import { openPeer, type Peer } from "./peer.ts";

function routeTo(peer: Peer, policies: string): string {
  return `
upstreams: { a: { servers: ["${peer.url}"], retry: false, breaker: false } }
routes:
  - { name: all, match: { path: "/*" }, target: { upstream: a }, policies: [ ${policies} ] }
`;
}

/** One that stays open until its client leaves. */
function hold(front: Front, headers: Record<string, string> = {}): AbortController {
  const abort = new AbortController();
  front.get("/hang", { signal: abort.signal, headers }).catch(() => "gone");
  return abort;
}

const status = async (front: Front, path = "/status/200"): Promise<number> =>
  (await front.get(path)).status;

describe("concurrency", () => {
  test("lets as many through at once as it says, over all workers, and gives back what clients leave", async () => {
    await using peer = await openPeer();
    const store = createMemoryStore();
    const text = routeTo(peer, "concurrency: { max: 3 }");
    await using one = await openFront(text, { store });
    await using two = await openFront(text, { store, kind: "node" });
    const held = [hold(one), hold(two)];
    await until("two are open", () => peer.seen.length === 2);
    expect([await status(one), await status(two)]).toEqual([200, 200]);
    held.push(hold(two));
    await until("three are open", () => peer.seen.length === 5);
    const refused = await one.get("/status/200");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await refused.json()).toMatchObject({ code: "CONCURRENCY_LIMITED" });
    expect(await status(two)).toBe(429);
    held[0]?.abort();
    await until("a place is free", async () => (await status(two)) === 200);
    for (const abort of held) abort.abort();
  });

  test.each([
    ["a reply", "/status/200", 200],
    ["an error of the server", "/status/500", 500],
    ["a connection that is reset", "/reset", 502],
    ["a reply that breaks off", "/half", 200],
    ["a refusal of a later policy", "/status/200", 413],
  ])("a place is given back after %s", async (_what, path, expected) => {
    await using peer = await openPeer();
    await using front = await openFront(
      routeTo(peer, "concurrency: { max: 1 }, bodyLimit: { max: 1B }"),
    );
    const init = expected === 413 ? { method: "POST", body: "more" } : {};
    for (let i = 0; i < 3; i++) {
      const response = await front.get(path, init);
      expect(response.status).toBe(expected);
      await response.text().catch(() => "broken");
      await until("it is over", () => front.access.length === i + 1);
    }
  });

  test("counts by its key, and goes on counting over a reload", async () => {
    await using peer = await openPeer();
    const text = routeTo(peer, "concurrency: { max: 1, key: 'header:x-user' }");
    await using front = await openFront(text);
    const ann = hold(front, { "x-user": "ann" });
    await until("it is open", () => peer.seen.length === 1);
    front.configure(`${text}trustedProxies: [10.0.0.0/8]\n`);
    const ask = async (user: string): Promise<number> =>
      (await front.get("/status/200", { headers: { "x-user": user } })).status;
    expect([await ask("ann"), await ask("bob")]).toEqual([429, 200]);
    ann.abort();
    await until("ann has left", async () => (await ask("ann")) === 200);
  });

  test("some wait where there is a queue, in their order, until one leaves or their time is over", async () => {
    await using peer = await openPeer();
    await using front = await openFront(
      routeTo(peer, "concurrency: { max: 1, queue: { max: 2, timeout: 10s } }"),
    );
    const first = hold(front);
    await until("it is open", () => peer.seen.length === 1);
    const waiting = [status(front, "/status/201")];
    await until("it waits", () => front.gateway.waiting === 1);
    waiting.push(status(front, "/status/202"));
    await until("both wait", () => front.gateway.waiting === 2);
    expect(await status(front)).toBe(429);
    first.abort();
    expect(await Promise.all(waiting)).toEqual([201, 202]);
    expect(front.access.slice(-2).map(({ path }) => path)).toEqual(["/status/201", "/status/202"]);
    const last = hold(front);
    await until("it is open", () => peer.seen.length === 4);
    const late = status(front);
    await until("it waits", () => front.gateway.waiting === 1);
    const gone = hold(front);
    await until("both wait", () => front.gateway.waiting === 2);
    gone.abort();
    await until("it waits no more", () => front.gateway.waiting === 1);
    front.advance(10_001);
    expect(await late).toBe(429);
    last.abort();
    await until("all is free", async () => (await status(front)) === 200);
  });
});

describe("open counts", () => {
  test("of a worker that died are free when it has missed its beats, those of others are not", () => {
    const store = createMemoryStore();
    let now = 1_000;
    const [dead, alive, other] = [1, 2, 3].map(() => new OpenCounts(store, () => now));
    if (dead === undefined || alive === undefined || other === undefined) throw new Error("three");
    expect([dead.take("key", 3), dead.take("key", 3), alive.take("key", 3)]).toEqual([
      true,
      true,
      true,
    ]);
    now += LEASE_MS;
    alive.beat();
    expect(other.take("key", 3)).toBe(false);
    now += 1;
    expect([other.take("key", 3), other.take("key", 3), other.take("key", 3)]).toEqual([
      true,
      true,
      false,
    ]);
    // It was only slow: it holds nothing any more, and takes nothing from others.
    dead.give("key");
    expect(other.take("key", 3)).toBe(false);
    alive.give("key");
    expect(dead.take("key", 3)).toBe(true);
  });

  test("are one for all, and each is given back once", async () => {
    using folder = temporary();
    const store = openNodeStore(folder.path);
    const workers = Array.from({ length: 5 }, () => new OpenCounts(store, () => 1_000));
    const taken = Array.from({ length: 40 }, (_, i) => workers[i % 5]?.take("key", 12) === true);
    expect(taken.filter(Boolean)).toHaveLength(12);
    for (let i = 0; i < 12; i++) workers[i % 5]?.give("key");
    for (const worker of workers) worker.give("key");
    expect(Array.from({ length: 13 }, () => workers[0]?.take("key", 12)).indexOf(false)).toBe(12);
    await store.close();
  });
});
