// Clients that do harm: to handlers that mean well.

import { once } from "node:events";
import { handler, type Attack, type Verdict } from "../range/attack.ts";
import type { Target } from "../range/target.ts";
import { pour, verdictOf } from "../range/wire.ts";

const READS = handler("return new Response(String((await request.text()).length));");
const IGNORES = handler("return new Response('ok');");
const SLEEPS = handler("await new Promise((r) => setTimeout(r, 300)); return new Response('ok');");
const ECHOES = handler("return new Response(request.body);");

function sending(
  name: string,
  text: (target: Target) => string,
  expect: readonly Verdict[],
): Attack {
  return {
    name,
    group: "protocol",
    source: IGNORES,
    trigger: async (target) => {
      const client = target.raw();
      client.send(text(target));
      client.socket.end();
      const reply = await client.rest();
      client.close();
      return verdictOf(reply);
    },
    expect,
  };
}

const REFUSALS: readonly Verdict[] = ["BAD_REQUEST", "reset", "HEADERS_TOO_LARGE"];
const CHUNK = `4000\r\n${"x".repeat(0x4000)}\r\n`;

export const PROTOCOL: readonly Attack[] = [
  {
    name: "body without end, read",
    group: "protocol",
    source: READS,
    limits: { bodyBytes: 1_000_000, wallMs: 5_000 },
    trigger: (target) => {
      const client = target.raw();
      client.send(target.head("POST", "Transfer-Encoding: chunked\r\n"));
      return pour(client, CHUNK, 5_000);
    },
    expect: ["BODY_TOO_LARGE", "reset"],
    withinMs: 6_000,
  },
  {
    name: "body without end, never read",
    group: "protocol",
    source: handler("await new Promise((r) => setTimeout(r, 500)); return new Response('ok');"),
    trigger: (target) => {
      const client = target.raw();
      client.send(target.head("POST", "Transfer-Encoding: chunked\r\n"));
      return pour(client, CHUNK, 2_000);
    },
    expect: ["ok", "BODY_TOO_LARGE", "reset"],
  },
  {
    name: "body of a thousand million bytes announced",
    group: "protocol",
    source: READS,
    trigger: (target) => {
      const client = target.raw();
      client.send(target.head("POST", "Content-Length: 1000000000\r\n"));
      return pour(client, CHUNK, 100);
    },
    expect: ["BODY_TOO_LARGE", "reset"],
  },
  {
    name: "body in chunks of one byte",
    group: "protocol",
    source: READS,
    limits: { wallMs: 5_000 },
    trigger: (target) => {
      const client = target.raw();
      client.send(target.head("POST", "Transfer-Encoding: chunked\r\nConnection: close\r\n"));
      return pour(client, "1\r\nx\r\n".repeat(1_000), 200);
    },
    expect: ["ok", "HANDLER_TIMEOUT", "BODY_TOO_LARGE", "BAD_REQUEST", "reset"],
    withinMs: 6_000,
  },
  {
    name: "body in chunks of one byte that is echoed",
    group: "protocol",
    source: ECHOES,
    limits: { wallMs: 5_000 },
    trigger: (target) => {
      const client = target.raw();
      client.send(target.head("POST", "Transfer-Encoding: chunked\r\n"));
      return pour(client, "1\r\nx\r\n".repeat(1_000), 200);
    },
    expect: ["ok", "BAD_REQUEST", "reset"],
    withinMs: 6_000,
  },
  {
    name: "body that stops in the middle",
    group: "protocol",
    source: READS,
    trigger: async (target) => {
      const client = target.raw();
      client.send(target.head("POST", "Content-Length: 1000\r\n") + "x".repeat(10));
      const verdict = verdictOf(await client.some());
      client.close();
      return verdict;
    },
    expect: ["HANDLER_TIMEOUT"],
  },
  {
    name: "slow heads",
    group: "protocol",
    source: IGNORES,
    trigger: async (target) => {
      const clients = Array.from({ length: 200 }, () => target.raw());
      await Promise.all(clients.map((client) => once(client.socket, "connect")));
      for (const letter of "GET /x HT") for (const client of clients) client.send(letter);
      const verdict = await target.get("/ok");
      for (const client of clients) client.close();
      return verdict;
    },
    expect: ["ok"],
  },
  {
    name: "slow bodies",
    group: "protocol",
    source: READS,
    trigger: async (target) => {
      const clients = Array.from({ length: 200 }, () => target.raw());
      for (const client of clients) client.send(target.head("POST", "Content-Length: 1000\r\n"));
      for (let i = 0; i < 20; i++) {
        for (const client of clients) client.send("x");
        await target.get("/ok");
      }
      for (const client of clients) client.close();
      return await target.get("/ok");
    },
    expect: ["ok"],
  },
  {
    name: "a body that is echoed to a client who does not read",
    group: "protocol",
    source: ECHOES,
    limits: { wallMs: 10_000 },
    trigger: async (target) => {
      const client = target.raw();
      client.socket.pause();
      client.send(target.head("POST", "Transfer-Encoding: chunked\r\n"));
      for (let i = 0; i < 300; i++) {
        client.send(CHUNK);
        if (i % 30 === 0) await target.get("/ok");
      }
      client.close();
      return await target.get("/ok");
    },
    expect: ["ok"],
  },
  {
    name: "500 connections that say nothing",
    group: "protocol",
    source: IGNORES,
    trigger: async (target) => {
      const clients = Array.from({ length: 500 }, () => target.raw());
      await Promise.all(clients.map((client) => once(client.socket, "connect")));
      const verdict = await target.get("/ok");
      for (const client of clients) client.close();
      return verdict;
    },
    expect: ["ok"],
  },
  {
    name: "connections opened and reset",
    group: "protocol",
    source: IGNORES,
    trigger: async (target) => {
      for (let round = 0; round < 10; round++) {
        const clients = Array.from({ length: 50 }, () => target.raw());
        await Promise.all(clients.map((client) => once(client.socket, "connect")));
        for (const client of clients) client.socket.resetAndDestroy();
      }
      return await target.get("/ok");
    },
    expect: ["ok"],
  },
  {
    name: "upgrades to WebSocket that nobody asked for",
    group: "protocol",
    source: IGNORES,
    trigger: async (target) => {
      const clients = Array.from({ length: 100 }, () => target.raw());
      for (const client of clients) {
        client.send(
          target.head(
            "GET",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
          ),
        );
      }
      const verdicts = await Promise.all(
        clients.map(async (client) => verdictOf(await client.some())),
      );
      for (const client of clients) client.close();
      return verdicts.every((verdict) => verdict === verdicts[0])
        ? (verdicts[0] ?? "reset")
        : "broken";
    },
    expect: ["ok", "BAD_REQUEST", "reset"],
  },
  {
    name: "requests in a row without waiting",
    group: "protocol",
    source: SLEEPS,
    trigger: async (target) => {
      const client = target.raw();
      client.send(target.head("GET").repeat(200));
      await client.some();
      client.close();
      return await target.get("/ok");
    },
    expect: ["ok"],
  },
  {
    name: "requests to nowhere in a row without waiting",
    group: "protocol",
    source: IGNORES,
    trigger: async (target) => {
      const client = target.raw();
      const nowhere = "GET /nowhere HTTP/1.1\r\nHost: a.test\r\n\r\n";
      await pour(client, nowhere.repeat(10_000), 3);
      return await target.get("/ok");
    },
    expect: ["ok"],
    withinMs: 6_000,
  },
  sending(
    "address of a million bytes",
    ({ name }) => `GET /${name}/${"x".repeat(1e6)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    [...REFUSALS, "URI_TOO_LONG"],
  ),
  sending(
    "header of a million bytes",
    (target) => target.head("GET", `X: ${"x".repeat(1e6)}\r\n`),
    REFUSALS,
  ),
  sending("ten thousand headers", (target) => target.head("GET", "X: y\r\n".repeat(1e4)), REFUSALS),
  sending(
    "chunk of a negative size",
    (target) => `${target.head("POST", "Transfer-Encoding: chunked\r\n")}-5\r\nxxxxx\r\n`,
    REFUSALS,
  ),
  sending(
    "chunk larger than all memory",
    (target) => `${target.head("POST", "Transfer-Encoding: chunked\r\n")}ffffffffffffffff\r\nx`,
    [...REFUSALS, "BODY_TOO_LARGE"],
  ),
  sending(
    "TLS hello",
    () => `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${"\0".repeat(500)}`,
    REFUSALS,
  ),
  sending("zeros", () => "\0".repeat(1e5), REFUSALS),
];
