// The servers and the network that other tests rely on.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import tls from "node:tls";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { gone, isRunning } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { hasProgram } from "./install.ts";
import { ask } from "./process.ts";
import { startProxy } from "./proxy.ts";
import { startMemcached } from "./memcached.ts";
import { startRedis, startTlsRedis } from "./redis.ts";

const HAS_REDIS = hasProgram("redis-server");

describe.runIf(HAS_REDIS)("a test server", () => {
  it("keeps its port over a restart and leaves nothing when it stops", async () => {
    const server = await startRedis();
    const first = server.pid;
    expect(await ask(server.port, "PING\r\n")).toBe("+PONG\r\n");
    await server.restart();
    expect(isRunning(first)).toBe(false);
    expect(await ask(server.port, "PING\r\n")).toBe("+PONG\r\n");
    const second = server.pid;
    await server.stop();
    expect(isRunning(second)).toBe(false);
  });

  it("dies with the process that started it", async () => {
    const module = join(import.meta.dirname, "redis.ts");
    const script = `const { startRedis } = await import(${JSON.stringify(module)});
      process.stdout.write(String((await startRedis()).pid));
      setInterval(() => {}, 1e6);`;
    // A server that is killed leaves its folder.
    using folder = temporary();
    const env = { ...process.env, TMPDIR: folder.path };
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { env });
    const [pid] = (await once(child.stdout, "data")) as [Buffer];
    expect(isRunning(Number(pid))).toBe(true);
    child.kill("SIGKILL");
    await gone([Number(pid)]);
  });
});

describe.runIf(HAS_REDIS)("the bad network", () => {
  const get = "GET a\r\n";

  it("passes both directions, and cuts", async () => {
    await using server = await startRedis();
    await using proxy = await startProxy(server);
    expect(await ask(proxy.port, get)).toBe("$-1\r\n");
    proxy.refuse();
    await expect(ask(proxy.port, get)).rejects.toThrow();
    proxy.heal();
    expect(await ask(proxy.port, get)).toBe("$-1\r\n");
  });

  it("cuts a reply in its middle, and the n-th request before the server sees it", async () => {
    await using server = await startRedis();
    await using proxy = await startProxy(server);
    proxy.cutAfterReplyBytes(3);
    expect(await ask(proxy.port, get)).toBe("$-1");
    proxy.cutAtRequest(2);
    expect(await ask(proxy.port, "INCR n\r\n")).toBe(":1\r\n");
    await expect(ask(proxy.port, "INCR n\r\n")).rejects.toThrow();
    expect(await ask(proxy.port, "INCR n\r\n")).toBe(":2\r\n");
  });

  it("is silent until it heals", async () => {
    await using server = await startRedis();
    await using proxy = await startProxy(server);
    proxy.blackhole();
    const socket = connect(proxy.port, proxy.host);
    const failed = once(socket, "error");
    const said: unknown[] = [];
    socket.on("data", (bytes) => said.push(bytes)).write(get);
    expect(await ask(server.port, get)).toBe("$-1\r\n");
    expect(said).toEqual([]);
    proxy.heal();
    await failed;
  });
});

describe.runIf(HAS_REDIS)("the other servers", () => {
  it.runIf(hasProgram("openssl"))(
    "Redis speaks TLS only, with a certificate for 127.0.0.1",
    async () => {
      const { server, ca } = await startTlsRedis();
      await using _server = server;
      const socket = tls.connect({ port: server.port, host: server.host, ca });
      await once(socket, "secureConnect");
      socket.write("PING\r\n");
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(String(answer)).toBe("+PONG\r\n");
      socket.destroy();
    },
  );

  it.runIf(hasProgram("memcached"))("Memcached answers", async () => {
    await using server = await startMemcached();
    expect(await ask(server.port, "get nothing\r\n")).toBe("END\r\n");
  });
});
