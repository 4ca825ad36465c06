// A route whose requests go to several targets, by weight.

import { describe, expect, test } from "vitest";
import { openFront, type Front } from "./front.ts";
import { openPeer } from "./peer.ts";

function fileWith(parts: string, more = ""): string {
  return `
trustedProxies: [ 127.0.0.1 ]
routes:
  - { name: all, match: { path: "/*" }, target: { split: [ ${parts} ] ${more} } }
`;
}

const said = (body: string, weight: number): string =>
  `{ weight: ${weight}, respond: { body: ${body} } }`;

async function seen(front: Front, from = "10.0.0.1"): Promise<string> {
  return (await front.get("/", { headers: { "x-forwarded-for": from } })).text();
}

describe("a split", () => {
  test("sends each target its share of the requests, and none to a weight of 0", async () => {
    let turn = 0;
    const random = (): number => (turn++ % 10) / 10;
    const file = fileWith(`${said("a", 7)}, ${said("b", 0)}, ${said("c", 3)}`);
    await using front = await openFront(file, { random });
    const all: string[] = [];
    for (let index = 0; index < 20; index++) all.push(await seen(front));
    const count = (body: string): number => all.filter((one) => one === body).length;
    expect([count("a"), count("b"), count("c")]).toEqual([14, 0, 6]);
  });

  test("by the client's address keeps clients where they are, also when a share grows", async () => {
    await using front = await openFront(fileWith(`${said("a", 8)}, ${said("b", 2)}`, ", by: ip"));
    const clients = Array.from({ length: 60 }, (_, index) => `10.0.0.${index}`);
    const ask = (): Promise<string[]> => Promise.all(clients.map((from) => seen(front, from)));
    const before = await ask();
    expect(await ask()).toEqual(before);
    expect(new Set(before)).toEqual(new Set(["a", "b"]));
    front.configure(fileWith(`${said("a", 9)}, ${said("b", 1)}`, ", by: ip"));
    const after = await ask();
    for (const [index, body] of before.entries()) if (body === "a") expect(after[index]).toBe("a");
  });

  test("with a cookie keeps who has it, until its target is gone or gets nothing more", async () => {
    let next = 0.9;
    const sticky = ", sticky: { cookie: version }";
    await using front = await openFront(fileWith(`${said("a", 1)}, ${said("b", 1)}`, sticky), {
      random: () => next,
    });
    const first = await front.get("/");
    expect(await first.text()).toBe("b");
    const cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect(cookie).toMatch(/^version=[0-9a-f]{8}$/);
    next = 0;
    const again = await front.get("/", { headers: { cookie } });
    expect([await again.text(), again.headers.get("set-cookie")]).toEqual(["b", null]);
    expect(await (await front.get("/", { headers: { cookie: "version=none" } })).text()).toBe("a");
    front.configure(fileWith(`${said("b", 0)}, ${said("a", 1)}`, sticky));
    const moved = await front.get("/", { headers: { cookie } });
    expect(await moved.text()).toBe("a");
    expect(moved.headers.get("set-cookie")).toContain("version=");
  });

  test("reaches upstreams and endpoints, each with its own path", async () => {
    await using peer = await openPeer();
    let next = 0;
    const file = `
upstreams: { users: { servers: [ "${peer.url}" ] } }
${fileWith("{ upstream: users, addPrefix: /v1 }, { endpoint: hello, addPrefix: /v2 }")}`;
    await using front = await openFront(file, { random: () => next });
    await front.get("/x");
    expect(peer.seen.at(-1)?.path).toBe("/v1/x");
    next = 0.9;
    expect(await (await front.get("/x")).text()).toContain("hello /v2/x");
  });
});
