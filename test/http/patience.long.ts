// Connections on which nothing happens for longer than uWS waits of its own accord, which is half a minute.

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listenNode } from "../../runtime/http/node-listener.ts";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import type { Exchange, Listener } from "../../sdk/exchange.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import { RawClient } from "./raw-client.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

const SILENCE_MS = 40_000;
/** More than waits for a reader. */
const BODY = Buffer.alloc(1_000_000, "b");
/** Less than tells the system that there is room again. */
const SIP_BYTES = 1_000;
const SIP_MS = 100;

describe.concurrent.each([
  ["uws", listenUws],
  ["node", listenNode],
] as const)("on the %s listener", (_name, listen) => {
  let listener: Listener;
  const seen = new Map<string, (exchange: Exchange) => void>();
  beforeAll(async () => {
    listener = await listen({
      host: "127.0.0.1",
      port: 0,
      handler: (exchange) => seen.get(exchange.path)?.(exchange),
      bodyBytesMax: BODY.length,
      socketBytesMax: 1_000,
      headerBytesMax: HEADER_BYTES_MAX,
    });
  });
  afterAll(() => listener.drain(0));

  async function talk(
    path: string,
    body: Uint8Array,
  ): Promise<{ exchange: Exchange; client: RawClient }> {
    const { promise, resolve } = Promise.withResolvers<Exchange>();
    seen.set(path, resolve);
    const client = new RawClient(listener.port);
    client.send(`POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`);
    client.send(body);
    return { exchange: await promise, client };
  }

  /** Not before the body had to wait. */
  async function readLate(exchange: Exchange): Promise<void> {
    await delay(SIP_MS);
    await new Promise<void>((resolve, reject) => {
      exchange.readBody({ chunk: () => undefined, end: resolve, fail: reject });
    });
  }

  test("a long body may be answered late", { timeout: 2 * SILENCE_MS }, async () => {
    const { exchange, client } = await talk("/late", BODY);
    await readLate(exchange);
    await delay(SILENCE_MS);
    exchange.reply(200, "", "late");
    expect((await client.reply()).body.toString()).toBe("late");
    client.close();
  });

  test("a stream that answers a long body may be silent", { timeout: 2 * SILENCE_MS }, async () => {
    const { exchange, client } = await talk("/silent", BODY);
    await readLate(exchange);
    exchange.begin(200, "");
    exchange.write(Buffer.from("first "));
    await delay(SILENCE_MS);
    exchange.write(Buffer.from("second"));
    exchange.finish();
    expect((await client.reply()).body.toString()).toBe("first second");
    client.close();
  });

  test("a client may take little at a time", { timeout: 2 * SILENCE_MS }, async () => {
    const { exchange, client } = await talk("/sips", Buffer.alloc(1));
    client.socket.pause();
    exchange.begin(200, "");
    const piece = Buffer.alloc(65_536);
    for (let more = true; more;) more = exchange.write(Buffer.from(piece));
    for (let ms = 0; ms < SILENCE_MS; ms += SIP_MS) {
      client.socket.read(SIP_BYTES);
      await delay(SIP_MS);
    }
    expect(exchange.state).toBe("streaming");
    exchange.reset();
    client.close();
  });
});
