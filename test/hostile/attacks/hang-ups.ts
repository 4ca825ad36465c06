// Clients that go away in the middle, at every stage a request can be in.

import { once } from "node:events";
import { handler, type Attack } from "../range/attack.ts";
import type { Target } from "../range/target.ts";
import type { RawClient } from "../../http/raw-client.ts";

const READS = handler("return new Response(String((await request.text()).length));");
const IGNORES = handler("return new Response('ok');");
const STREAMS = handler(
  "return new Response(new ReadableStream({ async pull(c) { await new Promise((r) => setTimeout(r, 1)); c.enqueue(new Uint8Array(1000)); } }));",
);
const SLEEPS = handler("await new Promise((r) => setTimeout(r, 300)); return new Response('ok');");
const ECHOES = handler("return new Response(request.body);");
const FETCHES = handler("return await fetch(request.headers.get('x-peer') + '/hang');");
const WORKS_ON = handler(
  "ctx.waitUntil(new Promise((r) => setTimeout(r, 300))); return new Response('ok');",
);

const CLIENTS = 30;
const CHUNK = `4000\r\n${"x".repeat(0x4000)}\r\n`;

/** Many clients that go as far as `until` and hang up; afterwards the endpoint has to answer as always. */
function hangUp(
  name: string,
  source: string,
  until: (client: RawClient, target: Target) => Promise<void>,
): Attack {
  return {
    name: `hang-up ${name}`,
    group: "protocol",
    source,
    trigger: async (target) => {
      const clients = Array.from({ length: CLIENTS }, () => target.raw());
      await Promise.all(clients.map((client) => once(client.socket, "connect")));
      await Promise.all(clients.map((client) => until(client, target)));
      for (const [at, client] of clients.entries()) {
        // Half of them in the rudest way there is.
        if (at % 2 === 0) client.socket.resetAndDestroy();
        else client.close();
      }
      return await target.get("/ok");
    },
    expect: ["ok"],
  };
}

export const HANG_UPS: readonly Attack[] = [
  hangUp("before a byte was sent", IGNORES, async () => undefined),
  hangUp("within the head", IGNORES, async (client, target) => {
    client.send(target.head("GET").slice(0, 20));
  }),
  hangUp("after the head", SLEEPS, async (client, target) => {
    client.send(target.head("GET"));
  }),
  hangUp("within the body", READS, async (client, target) => {
    client.send(target.head("POST", "Content-Length: 1000\r\n") + "x".repeat(500));
  }),
  hangUp("while the handler runs", SLEEPS, async (client, target) => {
    client.send(target.head("GET"));
    await target.get("/ok");
  }),
  hangUp("within the reply", STREAMS, async (client, target) => {
    client.send(target.head("GET"));
    await client.some();
  }),
  hangUp("while the body is echoed", ECHOES, async (client, target) => {
    client.send(target.head("POST", "Transfer-Encoding: chunked\r\n") + CHUNK);
    await client.some();
  }),
  hangUp("within a chunk's size", READS, async (client, target) => {
    client.send(`${target.head("POST", "Transfer-Encoding: chunked\r\n")}400`);
  }),
  hangUp("when asked to go on with the body", READS, async (client, target) => {
    client.send(target.head("POST", "Expect: 100-continue\r\nContent-Length: 5\r\n"));
    await client.some();
  }),
  hangUp("while the handler fetches", FETCHES, async (client, target) => {
    client.send(target.head("GET", `X-Peer: ${target.peer}\r\n`));
    await target.get("/ok");
  }),
  hangUp("behind the reply", WORKS_ON, async (client, target) => {
    client.send(target.head("GET"));
    await client.some();
  }),
  hangUp("between two requests", IGNORES, async (client, target) => {
    client.send(target.head("GET"));
    await client.some();
    client.send(target.head("GET").slice(0, 5));
  }),
];
