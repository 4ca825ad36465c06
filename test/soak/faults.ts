// What a handler sees of a service whose server is killed, paused, slow, cut off or refused, after how long, and how
// soon it works again: one row per backend and fault, each against the real server behind a proxy.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EdgeError } from "../../sdk/errors.ts";
import { ServiceActor } from "../../services/actor.ts";
import { openService, type BackendKind, type Backends } from "../../services/open.ts";
import type { ServiceType } from "../../sdk/services/service.ts";
import { startMemcached } from "../servers/memcached.ts";
import { postgresConfig, startPostgres } from "../servers/postgres.ts";
import type { TestServer } from "../servers/process.ts";
import { startProxy, type TestProxy } from "../servers/proxy.ts";
import { startRedis } from "../servers/redis.ts";
import { startS3 } from "../servers/s3.ts";
import { startSmtp } from "../servers/smtp.ts";
import { redisConfig } from "../services/redis-config.ts";
import { temporary } from "../temporary.ts";

/** Of a call: what an operator sets as timeout_seconds. */
const TIMEOUT_MS = 2_000;
const SLOW_MS = 200;
const POLL_MS = 20;
const RECOVERY_MS_MAX = 30_000;
const CLOSING_TURNS = 50;

interface Subject {
  readonly kind: BackendKind;
  readonly type: ServiceType;
  /** null: it has no process of its own, and only its network is made bad. */
  readonly server: TestServer | null;
  readonly port: number;
  /** By the port of what stands in front of the server. */
  readonly config: (port: number) => object;
}

interface Fault<T> {
  readonly name: string;
  readonly begin: (of: T) => Promise<void> | void;
  readonly end: (of: T) => Promise<void> | void;
}

const SERVER_FAULTS: readonly Fault<TestServer>[] = [
  { name: "killed", begin: (server) => server.kill(), end: (server) => server.start() },
  { name: "paused", begin: (server) => server.pause(), end: (server) => server.resume() },
];
const heal = (proxy: TestProxy): void => proxy.heal();
const NETWORK_FAULTS: readonly Fault<TestProxy>[] = [
  { name: "slow", begin: (proxy) => proxy.slow(SLOW_MS), end: heal },
  { name: "silent", begin: (proxy) => proxy.blackhole(), end: heal },
  { name: "refused", begin: (proxy) => proxy.refuse(), end: heal },
  { name: "reset in mid-reply", begin: (proxy) => proxy.cutAfterReplyBytes(1), end: heal },
];

/** One of them, on whatever it is a fault of. */
interface Bound {
  readonly name: string;
  readonly begin: () => Promise<void> | void;
  readonly end: () => Promise<void> | void;
}

function bound(server: TestServer | null, proxy: TestProxy): readonly Bound[] {
  const on = <T>(of: T, { name, begin, end }: Fault<T>): Bound => ({
    name,
    begin: () => begin(of),
    end: () => end(of),
  });
  return [
    ...(server === null ? [] : SERVER_FAULTS.map((fault) => on(server, fault))),
    ...NETWORK_FAULTS.map((fault) => on(proxy, fault)),
  ];
}

export async function faults(print: (line: string) => void): Promise<void> {
  const broken: string[] = [];
  print(row(["service", "fault", "what the call saw", "after", "works again after"]));
  for (const start of [
    postgres,
    redis("cache"),
    redis("kv"),
    redis("queue"),
    minio,
    smtp,
    memcached,
  ]) {
    await using left = new AsyncDisposableStack();
    const subject = await start(left);
    await using proxy = await startProxy(subject);
    for (const fault of bound(subject.server, proxy)) {
      broken.push(...(await meet(subject, { fault, proxy, print })));
    }
  }
  if (broken.length > 0) throw new Error(broken.join("\n"));
}

async function meet(
  { kind, type, config }: Subject,
  {
    fault,
    proxy,
    print,
  }: { readonly fault: Bound; readonly proxy: TestProxy; readonly print: (line: string) => void },
): Promise<string[]> {
  using folder = temporary();
  const actor = new ServiceActor<Backends[BackendKind]>(`${type} ${kind}`, {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: (error) => print(`${type} ${kind}: a bug of the backend's: ${String(error)}`),
  });
  const open = (signal: AbortSignal): Promise<Backends[BackendKind]> =>
    openService(kind, {
      id: "subject",
      type,
      config: config(proxy.port),
      places: { folder: folder.path },
      shared: { postgres: join(folder.path, "postgres"), addressKey: new Uint8Array(32) },
      notice: print,
      signal,
    });
  actor.start({ limits: { concurrency: 4, queue: 100, timeoutMs: TIMEOUT_MS }, open });
  await ask(actor);
  await fault.begin();
  const seen = await attempt(actor);
  await fault.end();
  const healedMs = performance.now();
  const again = await recovery(actor, healedMs);
  await actor.stop();
  // Sockets close in a turn of their own.
  for (let turn = 0; turn < CLOSING_TURNS && proxy.connections > 0; turn++) await delay(POLL_MS);
  print(
    row([
      `${type} ${kind}`,
      fault.name,
      seen.code,
      ms(seen.ms),
      again === null ? "never" : ms(again),
    ]),
  );
  const problems: string[] = [];
  // The call's time, and what a busy machine needs to say so.
  if (seen.ms > TIMEOUT_MS + 1_000) problems.push("answered late");
  if (seen.code === "INTERNAL") problems.push("answered with a bug");
  if (again === null) problems.push("did not recover");
  if (proxy.connections > 0) problems.push(`left ${proxy.connections} connections`);
  return problems.map((problem) => `${type} ${kind}, ${fault.name}: ${problem}`);
}

type Actor = ServiceActor<Backends[BackendKind]>;

function ask(actor: Actor): Promise<unknown> {
  const { signal } = new AbortController();
  return actor.run((backend, cancel) => backend.probe(cancel), { caller: "soak", signal });
}

async function attempt(actor: Actor): Promise<{ readonly code: string; readonly ms: number }> {
  const begun = performance.now();
  const code = await ask(actor).then(
    () => "the answer",
    (error: unknown) => (error instanceof EdgeError ? error.code : "INTERNAL"),
  );
  return { code, ms: performance.now() - begun };
}

async function recovery(actor: Actor, sinceMs: number): Promise<number | null> {
  while (performance.now() - sinceMs < RECOVERY_MS_MAX) {
    const { code } = await attempt(actor);
    if (code === "the answer") return performance.now() - sinceMs;
    await delay(POLL_MS);
  }
  return null;
}

async function postgres(left: AsyncDisposableStack): Promise<Subject> {
  const server = left.use(await startPostgres());
  const config = (port: number): object => postgresConfig({ host: server.host, port });
  return { kind: "database", type: "postgres", server, port: server.port, config };
}

function redis(kind: "cache" | "kv" | "queue") {
  return async (left: AsyncDisposableStack): Promise<Subject> => {
    const server = left.use(await startRedis());
    const config = (port: number): object => redisConfig({ port });
    return { kind, type: "redis", server, port: server.port, config };
  };
}

async function memcached(left: AsyncDisposableStack): Promise<Subject> {
  const server = left.use(await startMemcached());
  const config = (port: number): object => ({
    servers: [`${server.host}:${port}`],
    pool_size: 2,
    timeout_ms: 1_000,
    default_ttl_secs: 60,
  });
  return { kind: "cache", type: "memcached", server, port: server.port, config };
}

async function minio(left: AsyncDisposableStack): Promise<Subject> {
  const s3 = left.use(await startS3());
  const { server } = s3;
  const { port } = server;
  return { kind: "storage", type: "minio", server, port, config: (at) => s3.config({ port: at }) };
}

async function smtp(left: AsyncDisposableStack): Promise<Subject> {
  const { port } = left.use(await startSmtp());
  const config = (at: number): object => ({
    host: "127.0.0.1",
    port: at,
    encryption: "none",
    from_address: "node@example.com",
    timeout_seconds: TIMEOUT_MS / 1_000,
    max_retries: 0,
    retry_delay_ms: 10,
    pool_size: 2,
  });
  return { kind: "email", type: "email", server: null, port, config };
}

function row(cells: readonly string[]): string {
  const widths = [18, 20, 22, 9, 0];
  return cells
    .map((cell, at) => cell.padEnd(widths[at] ?? 0))
    .join(" ")
    .trimEnd();
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
