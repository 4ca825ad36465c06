// How a listener goes out of service: nobody who has done nothing wrong loses a request.

import { afterEach, describe, expect, test } from "vitest";
import { listenNode } from "../../runtime/http/node-listener.ts";
import { probePort } from "../../runtime/http/port.ts";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import type { Exchange, ExchangeHandler, Listener } from "../../sdk/exchange.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import { until } from "../waiting.ts";
import { RawClient } from "./raw-client.ts";

const HEAD = "host: a.example\r\n";
/** Far more than it takes to send a request. */
const LINGER_MS = 500;

const listeners: Listener[] = [];
const clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const listener of listeners.splice(0)) await listener.drain(0);
});

function clientOf(port: number): RawClient {
  const client = new RawClient(port);
  clients.push(client);
  return client;
}

const ok: ExchangeHandler = (exchange) => exchange.reply(200, "", exchange.url);

function isFree(port: number): Promise<boolean> {
  return probePort({ host: "127.0.0.1", port }).then(
    () => true,
    () => false,
  );
}

describe.each([
  ["uws", listenUws],
  ["node", listenNode],
] as const)("%s listener", (_name, listen) => {
  const serve = async (handler: ExchangeHandler): Promise<number> => {
    const listener = await listen({
      host: "127.0.0.1",
      port: 0,
      handler,
      bodyBytesMax: 1_000,
      socketBytesMax: 1_000,
      headerBytesMax: HEADER_BYTES_MAX,
    });
    listeners.push(listener);
    return listener.port;
  };

  test("draining waits for open exchanges, and their replies end the connections", async () => {
    const called = Promise.withResolvers<Exchange>();
    const port = await serve((x) => (x.url === "/slow" ? called.resolve(x) : ok(x)));
    const [idle, slow] = [clientOf(port), clientOf(port)];
    idle.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await idle.reply();
    slow.send(`GET /slow HTTP/1.1\r\n${HEAD}\r\n`);
    const exchange = await called.promise;
    const listener = listeners.at(-1);
    let drained = false;
    const drain = listener?.drain(10_000).then(() => {
      drained = true;
    });
    // Another may have the port alone.
    await until("nobody listens", () => isFree(port));
    expect(drained).toBe(false);
    exchange.reply(200, "", "at last");
    await drain;
    expect(await slow.rest()).toMatch(/\r\nconnection: close\r\n[^]*\r\n\r\nat last$/i);
    expect(await idle.rest()).toBe("");
  });

  test("a request that comes while a listener drains is answered, and ends its connection", async () => {
    const port = await serve(ok);
    const [asks, rests] = [clientOf(port), clientOf(port)];
    for (const one of [asks, rests]) {
      one.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
      await one.reply();
    }
    const drained = listeners.at(-1)?.drain(10_000, LINGER_MS);
    await until("nobody listens", () => isFree(port));
    asks.send(`GET /late HTTP/1.1\r\n${HEAD}\r\n`);
    expect(await asks.rest()).toMatch(/\r\nconnection: close\r\n[^]*\r\n\r\n\/late$/i);
    expect(await rests.rest()).toBe("");
    await drained;
  });

  test("who is connected when a listener begins to drain is answered", async () => {
    const port = await serve(ok);
    const late = clientOf(port);
    late.send(`GET /late HTTP/1.1\r\n${HEAD}\r\n`);
    // It is connected now, and nobody has accepted it.
    await new Promise((resolve) => process.nextTick(resolve));
    const drained = listeners.at(-1)?.drain(10_000);
    expect(await late.rest()).toMatch(/\/late$/);
    await drained;
  });

  test("draining cuts what is open after its timeout", async () => {
    const called = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const raw = clientOf(
      await serve((x) => {
        x.onGone(gone.resolve);
        called.resolve();
      }),
    );
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await called.promise;
    await listeners.at(-1)?.drain(1);
    await gone.promise;
    expect(await raw.rest()).toBe("");
  });
});
