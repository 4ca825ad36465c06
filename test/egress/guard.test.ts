// Private addresses are out of reach, however they are written and whoever leads there. The loopback is private,
// so a test that needs a public peer says in the options which address is denied instead.

import { expect, test } from "vitest";
import { BODY, CALLS } from "../../sdk/bridge.ts";
import { createEgress } from "../../runtime/isolate/egress/egress.ts";
import type { CallService } from "../../runtime/isolate/call.ts";
import { isPrivateAddress } from "../../runtime/isolate/egress/addresses.ts";
import type { Lookup } from "../../runtime/isolate/egress/guard.ts";
import { failure, Guest } from "./guest.ts";
import { startGuest, startPeer } from "./peer.ts";

const answers =
  (...addresses: string[]): Lookup =>
  (_host, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );

function guardedGuest(): Guest {
  return new Guest(createEgress({ allowPrivate: false, subrequestsMax: 50 }));
}

test("a private address is refused with its way out, and never connected to", async () => {
  let connections = 0;
  const peer = await startPeer((_request, response) => {
    connections++;
    response.end();
  });
  expect(await failure(guardedGuest().fetch(peer.url))).toEqual({
    code: "EGRESS_DENIED",
    message: expect.stringMatching(/^127\.0\.0\.1 is not a public address\. .*--allow-private/),
  });
  expect(connections).toBe(0);
});

test("only the private host and port that an endpoint names is open to it", async () => {
  const peer = await startPeer((request, response) => {
    if (request.url === "/away") response.writeHead(302, { location: other.url }).end();
    else response.end("in");
  });
  const other = await startPeer((_request, response) => response.end("in"));
  const { port } = new URL(peer.url);
  const egress = (...privateHosts: string[]): CallService =>
    createEgress({ allowPrivate: false, privateHosts, subrequestsMax: 50 });
  for (const host of [`127.0.0.1:${port}`, "127.0.0.1"]) {
    const service = egress(host);
    const guest = new Guest(service);
    expect(await guest.text((await guest.fetch(peer.url)).id)).toBe("in");
    service.close();
  }
  const service = egress(`127.0.0.1:${port}`);
  const guest = new Guest(service);
  await guest.fetch(peer.url);
  for (const url of [other.url, `http://localhost:${port}/`, `${peer.url}/away`]) {
    expect((await failure(guest.fetch(url))).code).toBe("EGRESS_DENIED");
  }
  // Another isolate gets nothing of the connection that is kept alive.
  expect((await failure(guardedGuest().fetch(peer.url))).code).toBe("EGRESS_DENIED");
  service.close();
});

test("private addresses are open when the operator opens them", async () => {
  const peer = await startPeer((_request, response) => response.end("in"));
  const guest = new Guest(createEgress({ allowPrivate: true, subrequestsMax: 50 }));
  const { id } = await guest.fetch(peer.url);
  expect(await guest.text(id)).toBe("in");
});

const PRIVATE: readonly string[] = [
  "//127.1/",
  "//2130706433/",
  "//0x7f000001/",
  "//0x7f.1/",
  "//0177.0.0.1/",
  "//127.0.0.1./",
  "//１２７.0.0.1/",
  "//[::1]/",
  "//[::]/",
  "//[::ffff:127.0.0.1]/",
  "//[::ffff:7f00:1]/",
  "//[64:ff9b::a9fe:a9fe]/",
  "//[2002:7f00:1::]/",
  "//[fe80::1]/",
  "//[fd00::1]/",
  "//[ff02::1]/",
  "//169.254.169.254/latest/meta-data/",
  "//2852039166/latest/meta-data/",
  "//0251.0376.0251.0376/",
  "//10.0.0.1/",
  "//172.31.255.255/",
  "//192.168.0.1/",
  "//100.64.0.1/",
  "//255.255.255.255/",
  "//0/",
];

test.each(PRIVATE)("http:%s is refused, over TLS as well", async (rest) => {
  for (const scheme of ["http:", "https:"]) {
    expect((await failure(guardedGuest().fetch(scheme + rest))).code).toBe("EGRESS_DENIED");
  }
});

test.each(PRIVATE)("ws:%s is refused, over TLS as well", async (rest) => {
  for (const scheme of ["ws:", "wss:"]) {
    const { answer } = guardedGuest().raw(CALLS.SOCKET_OPEN, `${scheme}${rest}\n\n`);
    expect((await failure(answer)).code).toBe("EGRESS_DENIED");
  }
});

test.each(PRIVATE)("events of http:%s are refused", async (rest) => {
  const args = `GET\nhttp:${rest}\nfollow\n${BODY.NONE}\n`;
  const { answer } = guardedGuest().raw(CALLS.FETCH_EVENTS, args);
  expect((await failure(answer)).code).toBe("EGRESS_DENIED");
});

test("localhost is refused under its name, in any case", async () => {
  for (const host of ["localhost", "LOCALHOST"]) {
    const error = await failure(guardedGuest().fetch(`http://${host}/`));
    expect(error.code).toBe("EGRESS_DENIED");
    expect(error.message).toMatch(/^localhost \((127\.0\.0\.1|::1)\) is not a public address/);
  }
});

test("a name is refused when all its addresses are private, and named with one", async () => {
  const guest = startGuest(
    {},
    { denied: isPrivateAddress, lookup: answers("10.1.2.3", "fd00::1") },
  );
  const error = await failure(guest.fetch("http://inside.example/"));
  expect(error.code).toBe("EGRESS_DENIED");
  expect(error.message).toMatch(/^inside\.example \(10\.1\.2\.3\) is not a public address/);
});

test("of several addresses only those that are allowed are connected to", async () => {
  const peer = await startPeer((request, response) => response.end(request.headers.host));
  const guest = startGuest(
    {},
    { denied: (address) => address !== "127.0.0.1", lookup: answers("127.0.0.2", "127.0.0.1") },
  );
  const { id } = await guest.fetch(`http://mixed.example:${peer.port}/`);
  expect(await guest.text(id)).toBe(`mixed.example:${peer.port}`);
});

test("a name that changes its answer is looked at each time it is connected to", async () => {
  const peer = await startPeer((_request, response) => {
    response.setHeader("connection", "close").end("public");
  });
  const addresses = ["127.0.0.1", "127.0.0.2"];
  const guest = startGuest(
    {},
    {
      denied: (address) => address === "127.0.0.2",
      lookup: (host, done) => answers(addresses.shift() ?? "127.0.0.2")(host, done),
    },
  );
  const url = `http://rebind.example:${peer.port}/`;
  const { id } = await guest.fetch(url);
  expect(await guest.text(id)).toBe("public");
  expect((await failure(guest.fetch(url))).code).toBe("EGRESS_DENIED");
});

test.each(["http://127.0.0.2/", "http://inside.example/", "//127.0.0.2/"])(
  "a redirect to the private %s is refused",
  async (location) => {
    const peer = await startPeer((request, response) => {
      const next = request.url === "/a" ? "/b" : location;
      response.writeHead(302, { location: next }).end();
    });
    const guest = startGuest(
      {},
      { denied: (address) => address === "127.0.0.2", lookup: answers("127.0.0.2") },
    );
    const error = await failure(guest.fetch(`${peer.url}/a`));
    expect(error.code).toBe("EGRESS_DENIED");
    expect(error.message).toMatch(/127\.0\.0\.2/);
  },
);
