// What becomes of requests when servers of an upstream break and come back.

import { describe, expect, test } from "vitest";
import { createMemoryStore } from "./memory-store.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";
import { freePort, openPeer, type Peer } from "./peer.ts";

function upstream(servers: readonly string[], more = ""): string {
  return `
upstreams: { all: { servers: ${JSON.stringify(servers)} ${more} } }
routes: [ { name: all, match: { path: "/*" }, target: { upstream: all } } ]
`;
}

async function statuses(front: Front, path: string, times: number): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push((await front.get(path)).status);
  return all;
}

describe("a circuit breaker", () => {
  const more = ", retry: false, breaker: { failures: 3, openFor: 30s }";

  test("opens after three failures, then answers 503 at once and leaves the server alone", async () => {
    await using peer = await openPeer();
    await using front = await openFront(upstream([peer.url], more));
    expect(await statuses(front, "/status/503", 3)).toEqual([503, 503, 503]);
    const refused = await front.get("/status/200");
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: "NO_HEALTHY_UPSTREAM" });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(29);
    expect(peer.seen).toHaveLength(3);
  });

  test("DF13: lets exactly one request through when its time is over, and closes when that goes well", async () => {
    await using peer = await openPeer();
    await using front = await openFront(upstream([peer.url], more));
    await statuses(front, "/status/503", 3);
    front.advance(30_001);
    peer.mood = "hang";
    const abort = new AbortController();
    const probe = front.get("/", { signal: abort.signal }).catch(() => null);
    await until("the probe arrives", () => peer.seen.length === 4);
    expect(await statuses(front, "/", 5)).toEqual([503, 503, 503, 503, 503]);
    expect(peer.seen).toHaveLength(4);
    peer.mood = null;
    // The client of the probe leaves: that says nothing of the server, and another may try.
    abort.abort();
    await probe;
    await until(
      "another probe may be sent",
      async () => (await front.get("/status/200")).status === 200,
    );
    expect(await statuses(front, "/status/200", 3)).toEqual([200, 200, 200]);
  });

  test("opens again when the probe fails", async () => {
    await using peer = await openPeer();
    await using front = await openFront(upstream([peer.url], more));
    await statuses(front, "/status/503", 3);
    front.advance(30_001);
    await front.get("/reset");
    expect(await statuses(front, "/status/200", 2)).toEqual([503, 503]);
    front.advance(30_001);
    expect(await statuses(front, "/status/200", 2)).toEqual([200, 200]);
  });

  test("opens by the share of failures where that is asked for, not by some in a row", async () => {
    await using peer = await openPeer();
    const rate = ", retry: false, breaker: { rate: { share: 0.5, minimum: 8 } }";
    await using front = await openFront(upstream([peer.url], rate));
    expect(await statuses(front, "/status/200", 4)).toEqual([200, 200, 200, 200]);
    expect(await statuses(front, "/status/503", 4)).toEqual([503, 503, 503, 503]);
    expect(await statuses(front, "/status/200", 1)).toEqual([503]);
    expect(peer.seen).toHaveLength(8);
  });

  test("is one for all workers: three failures anywhere are enough, and one probe is for all", async () => {
    await using peer = await openPeer();
    const store = createMemoryStore();
    await using one = await openFront(upstream([peer.url], more), { store });
    await using two = await openFront(upstream([peer.url], more), { store });
    await one.get("/status/503");
    await two.get("/status/503");
    await one.get("/status/503");
    await until("both know", async () => (await two.get("/status/200")).status === 503);
    const before = peer.seen.length;
    one.advance(30_001);
    two.advance(30_001);
    peer.mood = "hang";
    const abort = new AbortController();
    const ends: (number | "probe")[] = [];
    const ask = async (front: Front): Promise<void> => {
      const response = await front.get("/", { signal: abort.signal }).catch(() => null);
      ends.push(response?.status ?? "probe");
    };
    const asked = [one, two, one, two, one, two, one, two].map(ask);
    await until("all but the probe are answered", () => ends.length === 7);
    abort.abort();
    await Promise.all(asked);
    expect(ends).toEqual([...Array<number>(7).fill(503), "probe"]);
    expect(peer.seen.length - before).toBe(1);
  });

  test.each([
    ["404", 0],
    ["401", 0],
    ["500", 0],
    ["502", 1],
    ["504", 1],
  ])("a %s counts %d times", async (status, counts) => {
    await using peer = await openPeer();
    await using front = await openFront(upstream([peer.url], more));
    await statuses(front, `/status/${status}`, 5);
    expect(peer.seen.length === 3).toBe(counts === 1);
  });

  test("a reply that breaks off counts, a client that leaves does not", async () => {
    await using peer = await openPeer();
    await using front = await openFront(upstream([peer.url], more));
    for (let i = 0; i < 5; i++) {
      const abort = new AbortController();
      const gone = front.get("/hang", { signal: abort.signal }).catch(() => "gone");
      await until("it arrives", () => peer.seen.length === i + 1);
      abort.abort();
      await gone;
    }
    for (let i = 0; i < 3; i++) await (await front.get("/half")).text().catch(() => "broken");
    expect((await front.get("/status/200")).status).toBe(503);
  });

  test("state goes on over a reload that leaves the upstream as it is", async () => {
    await using peer = await openPeer();
    await using front = await openFront(upstream([peer.url], more));
    await statuses(front, "/status/503", 3);
    front.configure(upstream([peer.url], more).replace("name: all", "name: other"));
    expect((await front.get("/status/200")).status).toBe(503);
  });
});

describe("retries", () => {
  test("a server killed and started again under load fails no request that may be sent twice", async () => {
    await using stays = await openPeer("stays");
    let comes: Peer = await openPeer("comes");
    const { port } = comes;
    const more =
      ", breaker: { openFor: 50ms }, retry: { attempts: 3, on: [connect, reset], backoff: 5ms, budget: 1 }";
    await using front = await openFront(upstream([stays.url, comes.url], more));
    const ends = new Map<number, number>();
    let running = true;
    const load = Array.from({ length: 8 }, async () => {
      while (running) {
        const { status } = await front.get("/echo");
        ends.set(status, (ends.get(status) ?? 0) + 1);
      }
    });
    for (let round = 0; round < 3; round++) {
      const before = comes.seen.length;
      await until("it is used", () => comes.seen.length > before + 10);
      await comes[Symbol.asyncDispose]();
      const others = stays.seen.length;
      await until("the other one is used", () => stays.seen.length > others + 10);
      comes = await openPeer("comes", { port });
    }
    running = false;
    await Promise.all(load);
    await comes[Symbol.asyncDispose]();
    expect([...ends.keys()]).toEqual([200]);
  });

  test("are bounded: when everything fails, few are open at once", async () => {
    await using peer = await openPeer();
    const more = ", breaker: false, retry: { attempts: 2, on: [503], backoff: 20ms, budget: 0.1 }";
    await using front = await openFront(upstream([peer.url], more));
    const all = await Promise.all(Array.from({ length: 40 }, () => front.get("/status/503")));
    expect(all.every(({ status }) => status === 503)).toBe(true);
    // Each retry waits at least half of 20 ms, so that most requests find the budget used up.
    expect(peer.seen.length - 40).toBeLessThan(30);
    expect(peer.seen.length).toBeGreaterThan(40);
  });
});

describe("health checks", () => {
  const more =
    ", retry: false, health: { path: /status/200, interval: 1m, timeout: 10s, unhealthyAfter: 2, healthyAfter: 2 }";

  /** Every server is checked anew; resolves when this one has been asked. */
  async function checkAgain(front: Front, server: Peer): Promise<void> {
    const before = server.count("/status/200");
    front.advance(80_000);
    await until("it is checked", () => server.count("/status/200") > before);
  }

  test("begin at once, take a server out that fails them, and bring it back", async () => {
    await using well = await openPeer("well");
    await using sick = await openPeer("sick");
    await using front = await openFront(upstream([well.url, sick.url], more));
    await until("both are checked", () => well.seen.length > 0 && sick.seen.length > 0);
    sick.mood = "hang";
    const isUsed = async (): Promise<boolean> => {
      const before = sick.count("/echo");
      sick.mood = null;
      await Promise.all([front.get("/echo"), front.get("/echo"), front.get("/echo")]);
      sick.mood = "hang";
      return sick.count("/echo") > before;
    };
    await until("it is taken out", async () => {
      await checkAgain(front, sick);
      front.advance(11_000);
      return front.lines.some((line) => line.includes("is down")) && !(await isUsed());
    });
    sick.mood = null;
    await until("both are well", async () => {
      await checkAgain(front, sick);
      // Behind the checks' answers, most likely: the next round would cut them off.
      await front.get("/echo");
      return front.gateway.upstreams()[0]?.servers.every(({ healthy }) => healthy) === true;
    });
    expect(front.lines.some((line) => line.includes("is well again"))).toBe(true);
  });

  test("a reply that does not end tells by its status, and is not read for ever", async () => {
    await using peer = await openPeer();
    const endless =
      ", health: { path: /events, interval: 1m, timeout: 10s, unhealthyAfter: 1, expect: 404 }";
    await using front = await openFront(upstream([peer.url], endless));
    await until("its status has been judged", () => front.lines.length === 1);
    front.advance(11_000);
    await peer.seen[0]?.closed;
    expect(front.lines).toEqual([`Upstream all: ${peer.url} is down.`]);
  });

  test("are made once for all workers", async () => {
    await using peer = await openPeer();
    const store = createMemoryStore();
    await using one = await openFront(upstream([peer.url], more), { store });
    await using two = await openFront(upstream([peer.url], more), { store });
    await until("it is checked", () => peer.seen.length > 0);
    for (let i = 0; i < 5; i++) {
      one.gateway.expire();
      two.gateway.expire();
    }
    expect(peer.seen).toHaveLength(1);
  });

  test("without any server that is well the answer is 503, or with panic any server's", async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    await using strict = await openFront(
      upstream([dead], more.replace("unhealthyAfter: 2", "unhealthyAfter: 1")),
    );
    await until("it is down", () => strict.gateway.upstreams()[0]?.servers[0]?.healthy === false);
    expect((await strict.get("/")).status).toBe(503);
    await using peer = await openPeer();
    peer.mood = "reset";
    await using bold = await openFront(
      upstream([peer.url], `${more.replace("unhealthyAfter: 2", "unhealthyAfter: 1")}, panic: 0.5`),
    );
    await until("it is down", () => bold.gateway.upstreams()[0]?.servers[0]?.healthy === false);
    peer.mood = null;
    expect((await bold.get("/echo")).status).toBe(200);
  });
});

describe("balancing", () => {
  test("a sticky cookie keeps a client at its server", async () => {
    await using a = await openPeer("a");
    await using b = await openPeer("b");
    await using front = await openFront(
      upstream([a.url, b.url], ", balance: sticky, sticky: { cookie: at }"),
    );
    const first = await front.get("/echo");
    const { name } = (await first.json()) as { name: string };
    const [cookie = ""] = first.headers.getSetCookie();
    expect(cookie).toMatch(/^at=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/);
    for (let i = 0; i < 4; i++) {
      const again = await front.get("/echo", { headers: { cookie: cookie.split(";")[0] ?? "" } });
      expect(again.headers.getSetCookie()).toEqual([]);
      expect(await again.json()).toMatchObject({ name });
    }
  });

  test("a server of weight 0 gets nothing", async () => {
    await using a = await openPeer("a");
    await using b = await openPeer("b");
    const servers = `[{ url: "${a.url}", weight: 0 }, "${b.url}"]`;
    await using front = await openFront(upstream([]).replace("servers: []", `servers: ${servers}`));
    await statuses(front, "/echo", 4);
    expect([a.seen.length, b.seen.length]).toEqual([0, 4]);
  });

  test("a server whose connections are all in use is passed over, and with all of them it is 503", async () => {
    await using peer = await openPeer();
    await using front = await openFront(upstream([peer.url], ", maxConnections: 2, retry: false"));
    const abort = new AbortController();
    const open = [1, 2].map(() => front.get("/hang", { signal: abort.signal }).catch(() => null));
    await until("both arrive", () => peer.seen.length === 2);
    const refused = await front.get("/echo");
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: "OVERLOADED" }]);
    abort.abort();
    await Promise.all(open);
    await until("there is room again", async () => (await front.get("/echo")).status === 200);
  });

  test("a server that has come back gets little at first", async () => {
    await using a = await openPeer("a");
    await using b = await openPeer("b");
    const more = ", retry: false, slowStart: 60s, breaker: { failures: 1, openFor: 1s }";
    await using front = await openFront(upstream([a.url, b.url], more), { random: () => 0.5 });
    a.mood = "reset";
    await statuses(front, "/echo", 2);
    a.mood = null;
    front.advance(1_001);
    await statuses(front, "/echo", 4);
    const early = a.count("/echo");
    await statuses(front, "/echo", 10);
    expect(a.count("/echo")).toBe(early);
    front.advance(40_000);
    await statuses(front, "/echo", 10);
    expect(a.count("/echo")).toBeGreaterThanOrEqual(early + 4);
  });
});
