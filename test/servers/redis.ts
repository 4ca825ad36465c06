// Redis for tests: alone, with TLS, a cluster of three, or a primary and a replica under three sentinels.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createCertificate } from "./certificate.ts";
import { findProgram } from "./install.ts";
import { ask, startServer, waitFor, type Place, type TestServer } from "./process.ts";

export interface RedisOptions {
  readonly password?: string;
  /** As in its configuration, without the dashes. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Empty, without persistence. */
export function startRedis({ password, settings = {} }: RedisOptions = {}): Promise<TestServer> {
  const secret = password === undefined ? {} : { requirepass: password };
  return startServer({
    command: program(),
    args: ({ host, port, folder }) =>
      asArguments({ bind: host, port: `${port}`, dir: folder, save: "", ...secret, ...settings }),
    isReady: ({ port }) => isReady(port),
  });
}

export interface TlsRedis {
  readonly server: TestServer;
  /** PEM of the certificate, which is its own authority; made out to localhost and 127.0.0.1. */
  readonly ca: string;
}

/** Speaks TLS only. */
export async function startTlsRedis(): Promise<TlsRedis> {
  const files = ({ folder }: Pick<Place, "folder">): { key: string; cert: string } => ({
    key: join(folder, "key.pem"),
    cert: join(folder, "cert.pem"),
  });
  const server = await startServer({
    command: program(),
    prepare: (place) => createCertificate(files(place)),
    args: (place) =>
      asArguments({
        bind: place.host,
        port: "0",
        "tls-port": `${place.port}`,
        "tls-cert-file": files(place).cert,
        "tls-key-file": files(place).key,
        "tls-auth-clients": "no",
        save: "",
        dir: place.folder,
      }),
    // Plain text is answered by closing; until it listens by a refusal.
    isReady: ({ port }) =>
      ask(port, "PING\r\n").then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code !== "ECONNREFUSED",
      ),
  });
  return { server, ca: readFileSync(files(server).cert, "utf8") };
}

/** Of `servers`, the addresses are what a client is given to begin with. */
export interface RedisGroup extends AsyncDisposable {
  readonly servers: readonly TestServer[];
}

/** Three primaries that share the slots. */
export async function startRedisCluster(): Promise<RedisGroup> {
  const settings = { "cluster-enabled": "yes", "cluster-node-timeout": "2000" };
  const servers = await Promise.all([1, 2, 3].map(() => startRedis({ settings })));
  const [first, ...others] = servers as [TestServer, ...TestServer[]];
  const share = Math.ceil(16_384 / servers.length);
  for (const [at, { port }] of servers.entries()) {
    const last = Math.min(16_384, (at + 1) * share) - 1;
    await ask(port, `CLUSTER ADDSLOTSRANGE ${at * share} ${last}\r\n`);
    await ask(port, `CLUSTER SET-CONFIG-EPOCH ${at + 1}\r\n`);
  }
  for (const { host, port } of others) await ask(first.port, `CLUSTER MEET ${host} ${port}\r\n`);
  for (const { port } of servers) {
    await waitFor(async () => (await ask(port, "CLUSTER INFO\r\n")).includes("cluster_state:ok"));
  }
  return group(servers);
}

export interface SentinelGroup extends RedisGroup {
  readonly master: string;
  readonly primary: TestServer;
  readonly replica: TestServer;
  readonly sentinels: readonly TestServer[];
}

/** The sentinels take a primary for lost after a second. */
export async function startRedisSentinels(): Promise<SentinelGroup> {
  const master = "tests";
  const primary = await startRedis();
  const replica = await startRedis({ settings: { replicaof: `${primary.host} ${primary.port}` } });
  const sentinels = await Promise.all(
    [1, 2, 3].map(() =>
      startServer({
        command: program(),
        prepare: ({ host, port, folder }) =>
          writeFileSync(
            join(folder, "sentinel.conf"),
            [
              `bind ${host}`,
              `port ${port}`,
              `dir ${folder}`,
              `sentinel monitor ${master} ${primary.host} ${primary.port} 2`,
              `sentinel down-after-milliseconds ${master} 1000`,
              `sentinel failover-timeout ${master} 3000`,
            ].join("\n"),
          ),
        args: ({ folder }) => [join(folder, "sentinel.conf"), "--sentinel"],
        isReady: ({ port }) => isReady(port),
      }),
    ),
  );
  for (const { port } of sentinels) {
    await waitFor(async () => {
      const info = await ask(port, "INFO sentinel\r\n");
      return info.includes("status=ok") && info.includes("slaves=1,sentinels=3");
    });
  }
  const servers = [...sentinels, primary, replica];
  return { ...group(servers), master, primary, replica, sentinels };
}

function group(servers: readonly TestServer[]): RedisGroup {
  return {
    servers,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

function asArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

function program(): string {
  const found = findProgram("redis-server");
  if (found === null) throw new Error("redis-server is missing");
  return found;
}

async function isReady(port: number): Promise<boolean> {
  const answer = await ask(port, "PING\r\n");
  return answer.startsWith("+PONG") || answer.startsWith("-NOAUTH");
}
