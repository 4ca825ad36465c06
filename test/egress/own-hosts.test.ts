// Addresses that the node answers itself: what is sent there, and redirects in and out.

import { expect, test } from "vitest";
import type { OwnHosts } from "../../runtime/isolate/egress/own-hosts.ts";
import { Headers, Response } from "../../runtime/isolate/egress/undici.ts";
import { startGuest, startPeer } from "./peer.ts";

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** own.test answers: /to?STATUS&ADDRESS redirects, everything else says what it was asked. */
function ownHost(asked: Asked[]): OwnHosts {
  return (_method, { hostname }) => {
    if (hostname !== "own.test") return null;
    return async ({ method, url, headers }, { onHop }) => {
      onHop();
      asked.push({ method, url, headers: Object.fromEntries(headers) });
      const { pathname, searchParams } = new URL(url);
      const location = searchParams.get("to");
      const status = pathname === "/to" ? Number(searchParams.get("status") ?? 302) : 200;
      const { statusText, body } = new Response("own", { status });
      const list = new Headers(location === null ? {} : { location });
      return { status, statusText, url, redirected: false, headers: list, body, raw: true };
    };
  };
}

test("an own address is asked without a network, and each redirect counts", async () => {
  const asked: Asked[] = [];
  const guest = startGuest({ ownHosts: ownHost(asked), subrequestsMax: 2 });
  const head = await guest.fetch("http://own.test/to?to=/b");
  expect(head).toMatchObject({ status: 200, url: "http://own.test/b", redirected: true });
  expect(asked.map(({ url }) => url)).toEqual(["http://own.test/to?to=/b", "http://own.test/b"]);
  await expect(guest.fetch("http://own.test/")).rejects.toMatchObject({ code: "SUBREQUEST_LIMIT" });
});

test("a redirect leads out, without what is the origin's own", async () => {
  const peer = await startPeer((request, response) => {
    response.end(JSON.stringify([request.method, request.headers.authorization ?? null]));
  });
  const guest = startGuest({ ownHosts: ownHost([]) });
  const address = `http://own.test/to?to=${encodeURIComponent(`${peer.url}/c`)}`;
  const init = { method: "POST", body: "a", headers: "authorization\nsecret\n" };
  const head = await guest.fetch(address, init);
  expect(head).toMatchObject({ status: 200, url: `${peer.url}/c`, redirected: true });
  expect(await guest.text(head.id)).toBe('["GET",null]');
});

test("methods change as the standard says", async () => {
  const asked: Asked[] = [];
  const guest = startGuest({ ownHosts: ownHost(asked) });
  for (const [status, method] of [
    [301, "POST"],
    [303, "PUT"],
    [302, "PUT"],
    [307, "POST"],
  ] as const) {
    const headers = "content-type\ntext/x\nauthorization\nkept\n";
    const init = { method, body: "a", headers };
    await guest.fetch(`http://own.test/to?status=${status}&to=/b`, init);
  }
  const seen = asked.filter(({ url }) => new URL(url).pathname === "/b");
  expect(seen.map(({ method }) => method)).toEqual(["GET", "GET", "PUT", "POST"]);
  expect(seen.map(({ headers }) => headers["content-type"])).toEqual([
    undefined,
    undefined,
    "text/x",
    "text/x",
  ]);
  expect(seen.every(({ headers }) => headers["authorization"] === "kept")).toBe(true);
});

test("redirects are given back, or refused, or end", async () => {
  const guest = startGuest({ ownHosts: ownHost([]), subrequestsMax: 100 });
  const away = "http://own.test/to?to=/b";
  expect(await guest.fetch(away, { redirect: "manual" })).toMatchObject({ status: 302 });
  await expect(guest.fetch(away, { redirect: "error" })).rejects.toThrow(/was redirected/);
  await expect(guest.fetch("http://own.test/to?to=")).rejects.toThrow(/more than 20/);
  await expect(guest.fetch("http://own.test/to?to=file:///x")).rejects.toThrow(/no address/);
});

test("a redirect into private space is refused", async () => {
  const options = { ownHosts: ownHost([]) };
  const guest = startGuest(options, { denied: () => true });
  const address = "http://own.test/to?to=http://169.254.169.254/latest";
  await expect(guest.fetch(address)).rejects.toMatchObject({ code: "EGRESS_DENIED" });
});
