// What one get of a cache costs from a handler, beside the same call from plain Node: on the embedded store, and on a
// Redis where one is installed. One after the other, and a hundred at once.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { open } from "lmdb";
import { publishBody } from "../../test/node.ts";
import { findProgram } from "../../test/servers/install.ts";
import { startRedis } from "../../test/servers/redis.ts";
import { publishByApi, sendToAdmin, startNode } from "../load/islet.ts";
import { measure, printFigures, repeat, type Figure } from "./calls.ts";

const HANDLER = `
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const cache = env[url.searchParams.get("cache")];
    const calls = Number(url.searchParams.get("calls"));
    if (url.searchParams.has("set")) await cache.set("key", "a value", 3600);
    const ask = () => cache.get("key");
    if (url.searchParams.has("atOnce")) await Promise.all(Array.from({ length: calls }, ask));
    else for (let call = 0; call < calls; call++) await ask();
    return new Response("done");
  },
};`;

const folder = mkdtempSync(join(tmpdir(), "islet-bench-"));
const server = findProgram("redis-server") === null ? null : await startRedis();
const node = await startNode({ data: join(folder, "data") });
try {
  const figures: Figure[] = [];
  const ask = async (query: string): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${node.port}/bench?${query}`);
    const text = await answer.text();
    if (text !== "done") throw new Error(`${answer.status} ${text}`);
  };
  const fromHandler = async (name: string, cache: string): Promise<Figure> => {
    await ask(`cache=${cache}&calls=0&set`);
    return measure(name, (calls, atOnce) =>
      ask(`cache=${cache}&calls=${calls}${atOnce ? "&atOnce" : ""}`),
    );
  };
  if (server !== null) {
    const config = { host: server.host, port: server.port };
    const service = { name: "bench-cache", service_type: "redis", config };
    await sendToAdmin(node, "/api/services", service);
    await sendToAdmin(node, "/api/services/bench-cache/activate");
  }
  const binding = { kind: "cache", scope: "bench" } as const;
  await publishByApi(
    node,
    await publishBody("bench", HANDLER, {
      bindings: [
        { ...binding, name: "EMBEDDED", service: "embedded" },
        ...(server === null ? [] : [{ ...binding, name: "REDIS", service: "bench-cache" }]),
      ],
    }),
  );
  const store = open<string, string>({ path: join(folder, "plain") });
  await store.put("key", "a value");
  figures.push(
    await measure("LMDB: plain Node, in its own process", (calls, atOnce) =>
      repeat(calls, atOnce, () => store.get("key")),
    ),
    await fromHandler("embedded: from a handler", "EMBEDDED"),
  );
  await store.close();
  if (server !== null) {
    const redis = new Redis({ host: server.host, port: server.port });
    await redis.set("key", "a value");
    figures.push(
      await measure("Redis: plain Node, the same driver", (calls, atOnce) =>
        repeat(calls, atOnce, () => redis.get("key")),
      ),
      await fromHandler("Redis: from a handler", "REDIS"),
    );
    redis.disconnect();
  }
  printFigures("get of a cache", figures);
} finally {
  await node.stop();
  await server?.stop();
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
}
