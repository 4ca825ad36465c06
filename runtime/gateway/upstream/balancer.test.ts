import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Balance } from "../../../sdk/gateway/config.ts";
import { createMemoryStore } from "../../../test/gateway/memory-store.ts";
import { createBalancer, cookieOf, type Choose } from "./balancer.ts";
import { Server } from "./server.ts";
import type { Pass } from "../pass.ts";

function serversOf(weights: readonly number[]): Server[] {
  return weights.map(
    (weight, index) =>
      new Server({
        config: { url: `http://${"abcdefgh"[index]}`, weight },
        upstream: "u",
        connections: { authority: "", dial: () => undefined, dispatch: () => {}, close: () => {} },
        store: createMemoryStore(),
        clock: () => 0,
      }),
  );
}

/** The part of a request that balancers look at. */
function request(headers: Readonly<Record<string, string>> = {}, address = "10.0.0.1"): Pass {
  return { exchange: { header: (name: string) => headers[name] }, address } as unknown as Pass;
}

function balancer(balance: Balance, random: () => number = Math.random): Choose {
  return createBalancer({ balance, hash: { kind: "header", name: "x-user" }, cookie: "c", random });
}

const nameOf = ({ url }: Server): string => url.slice("http://".length);

describe("round robin", () => {
  test("takes one after the other", () => {
    const servers = serversOf([1, 1, 1]);
    const choose = balancer("round-robin");
    expect(Array.from({ length: 7 }, () => nameOf(choose(servers, request()))).join("")).toBe(
      "abcabca",
    );
  });

  test("spreads by weight: 5, 1, 1 is a a b a c a a", () => {
    const servers = serversOf([5, 1, 1]);
    const choose = balancer("weighted");
    expect(Array.from({ length: 7 }, () => nameOf(choose(servers, request()))).join("")).toBe(
      "aabacaa",
    );
  });

  test("gives each exactly its share of each round, whatever the weights", () => {
    const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 4 }), (all, rounds) => {
        const servers = serversOf(all);
        const choose = balancer("weighted");
        const counts = new Map<Server, number>();
        const total = all.reduce((sum, weight) => sum + weight, 0);
        for (let i = 0; i < total * rounds; i++) {
          const server = choose(servers, request());
          counts.set(server, (counts.get(server) ?? 0) + 1);
        }
        expect(servers.map((server) => counts.get(server))).toEqual(
          all.map((weight) => weight * rounds),
        );
      }),
    );
  });
});

describe("least connections", () => {
  test("takes who has least by weight, among equals who was quicker", () => {
    const servers = serversOf([1, 2, 1]);
    const [a, b, c] = servers;
    const choose = balancer("least-connections");
    if (a === undefined || b === undefined || c === undefined) throw new Error("three servers");
    [a.active, b.active, c.active] = [2, 3, 2];
    expect(choose(servers, request())).toBe(b);
    [a.active, b.active, c.active] = [1, 2, 1];
    [a.latencyMs, b.latencyMs, c.latencyMs] = [3, 2, 1];
    expect(choose(servers, request())).toBe(c);
  });
});

describe("two choices", () => {
  test("takes the better of two that differ", () => {
    const servers = serversOf([1, 1, 1, 1]);
    for (const [index, server] of servers.entries())
      [server.latencyMs, server.active] = [10, index];
    const choose = balancer("p2c");
    for (let i = 0; i < 200; i++) expect(nameOf(choose(servers, request()))).not.toBe("d");
  });

  test("leaves a slow server less, and not nothing once it is idle", () => {
    const servers = serversOf([1, 1]);
    const [slow, quick] = servers;
    if (slow === undefined || quick === undefined) throw new Error("two servers");
    [slow.latencyMs, quick.latencyMs] = [100, 10];
    expect(balancer("p2c")(servers, request())).toBe(quick);
    quick.active = 20;
    expect(balancer("p2c")(servers, request())).toBe(slow);
  });
});

test("random spreads by weight", () => {
  const servers = serversOf([1, 3]);
  let seed = 0;
  const choose = balancer("random", () => (seed++ % 400) / 400);
  const all = Array.from({ length: 400 }, () => nameOf(choose(servers, request())));
  expect(all.filter((name) => name === "b")).toHaveLength(300);
});

describe("hashing", () => {
  const users = Array.from({ length: 2_000 }, (_, user) => request({ "x-user": `user ${user}` }));

  test("sends one user to one server, and all of them to all in about equal parts", () => {
    const servers = serversOf([1, 1, 1, 1]);
    const choose = balancer("hash");
    const places = users.map((user) => nameOf(choose(servers, user)));
    expect(users.map((user) => nameOf(choose(servers, user)))).toEqual(places);
    for (const name of "abcd") {
      const share = places.filter((place) => place === name).length;
      expect(share).toBeGreaterThan(400);
      expect(share).toBeLessThan(600);
    }
  });

  test("moves only those whose server is gone", () => {
    const servers = serversOf([1, 1, 1, 1]);
    const choose = balancer("hash");
    const fewer = servers.slice(1);
    for (const user of users) {
      const before = choose(servers, user);
      if (before !== servers[0]) expect(choose(fewer, user)).toBe(before);
    }
  });

  test("goes by the address where the header is missing", () => {
    const servers = serversOf([1, 1, 1, 1]);
    const choose = balancer("hash");
    const places = new Set(
      Array.from({ length: 50 }, (_, i) => choose(servers, request({}, `10.0.0.${i}`))),
    );
    expect(places.size).toBe(4);
  });
});

describe("a sticky cookie", () => {
  test("leads to its server, and to another one only when that is not there", () => {
    const servers = serversOf([1, 1, 1]);
    const [, b] = servers;
    if (b === undefined) throw new Error("three servers");
    const choose = balancer("sticky");
    const pass = request({ cookie: `x=1; c=${cookieOf(b)}; y=2` });
    for (let i = 0; i < 5; i++) expect(choose(servers, pass)).toBe(b);
    expect(
      choose(
        servers.filter((server) => server !== b),
        pass,
      ),
    ).not.toBe(b);
  });

  test("says nothing of its server's address", () => {
    const [a] = serversOf([1]);
    expect(a && cookieOf(a)).toMatch(/^[\w-]{16}$/);
  });
});
