// What happens to the network and to the server of a Postgres service, and what handlers' calls see of it: a clear code
// in time, other callers untouched, recovery without a restart, no connection left over, nothing half applied.

import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { PostgresConfig } from "../../sdk/services/config.ts";
import type { DatabaseBackend } from "../../sdk/services/database.ts";
import { ServiceActor } from "../../services/actor.ts";
import { openPostgres } from "../../services/database/postgres.ts";
import { descendants } from "../processes.ts";
import { hasProgram } from "../servers/install.ts";
import { PASSWORD, postgresConfig, startPostgres } from "../servers/postgres.ts";
import { startProxy, type TestProxy } from "../servers/proxy.ts";
import type { TestServer } from "../servers/process.ts";

/** A call's time where it is to run out, and where a busy machine must not let it. */
const SHORT_MS = 400;
const LONG_MS = 30_000;
const CONNECTIONS = 3;
const AWAY = { code: expect.stringMatching(/^SERVICE_(UNAVAILABLE|TIMEOUT)$/) };

interface Service extends AsyncDisposable {
  readonly actor: ServiceActor<DatabaseBackend>;
  /** Several are one transaction. */
  run(...statements: string[]): Promise<unknown>;
  begin(): ReturnType<DatabaseBackend["begin"]>;
}

function openService(config: PostgresConfig, timeoutMs = LONG_MS): Service {
  const { signal } = new AbortController();
  const actor = new ServiceActor<DatabaseBackend>("main", {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: (error) => expect.fail(String(error)),
  });
  actor.start({
    limits: { concurrency: CONNECTIONS, queue: 20, timeoutMs },
    open: () => openPostgres(config, { signal }),
  });
  return {
    actor,
    async run(...all) {
      const statements = all.map((sql) => ({ sql, params: [] }));
      const results = await actor.run((db, each) => db.run("", statements, each), {
        caller: "shop",
        signal,
      });
      return results.at(-1)?.rows;
    },
    begin: () =>
      actor.run((db, each) => db.begin("", { readOnly: false }, each), { caller: "shop", signal }),
    [Symbol.asyncDispose]: () => actor.stop(),
  };
}

describe.runIf(hasProgram("postgres"))("a Postgres service", () => {
  let server: TestServer;
  let proxy: TestProxy;
  let service: Service;

  beforeAll(async () => {
    server = await startPostgres();
    proxy = await startProxy(server);
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    proxy.heal();
    await using direct = openService(config(server.port));
    await direct.run("drop table if exists t", "create table t (a int primary key)");
    service = openService(config(proxy.port));
    return () => service[Symbol.asyncDispose]();
  });

  const config = (port: number): PostgresConfig =>
    postgresConfig({ host: "127.0.0.1", port }, { pool_size: CONNECTIONS });

  async function inServer(what: string): Promise<number> {
    const sql = postgres({
      host: server.host,
      port: server.port,
      user: "postgres",
      pass: PASSWORD,
      max: 1,
      fetch_types: false,
    });
    try {
      const rows = await sql.unsafe(`select count(*)::int as n from ${what}`);
      return Number(rows[0]?.["n"]);
    } finally {
      await sql.end();
    }
  }

  const open = (): Promise<number> => inServer("pg_stat_activity where application_name = 'islet'");

  async function works(): Promise<void> {
    const answer = (): Promise<unknown> => service.run("select 1").catch(() => null);
    await expect.poll(answer, { timeout: 30_000 }).toEqual([[1]]);
  }

  /** From here on calls have little time. */
  async function hurry(): Promise<void> {
    await service[Symbol.asyncDispose]();
    service = openService(config(proxy.port), SHORT_MS);
    await works();
  }

  /** Works again by itself, and holds no more connections than it may. */
  async function recovers(): Promise<void> {
    await works();
    await expect.poll(open).toBeLessThanOrEqual(CONNECTIONS);
    await service[Symbol.asyncDispose]();
    await expect.poll(open).toBe(0);
  }

  /** Its first process, and those that serve connections. */
  function signalAll(name: NodeJS.Signals): void {
    for (const pid of [server.pid, ...descendants(server.pid)]) process.kill(pid, name);
  }

  test("killed under load: calls fail with a code, and it works again when the server is back", async () => {
    await service.run("select 1");
    const calls = Array.from({ length: 12 }, () => service.run("select pg_sleep(0.05)"));
    const settled = Promise.allSettled(calls);
    await server.kill();
    for (const each of await settled) {
      if (each.status === "rejected") expect(each.reason).toMatchObject(AWAY);
    }
    await expect(service.run("select 1")).rejects.toMatchObject(AWAY);
    await server.start();
    await recovers();
  });

  test("paused: calls end at their time, and it works again when the server goes on", async () => {
    await hurry();
    signalAll("SIGSTOP");
    try {
      await expect(service.run("select 1")).rejects.toMatchObject({ code: "SERVICE_TIMEOUT" });
    } finally {
      signalAll("SIGCONT");
    }
    await recovers();
  });

  test("a server that is slow is waited for, within the time", async () => {
    proxy.slow(20);
    expect(await service.run("select 1")).toEqual([[1]]);
    proxy.heal();
    await recovers();
  });

  test("a network that swallows everything: calls end at their time, and it works again later", async () => {
    await hurry();
    proxy.blackhole();
    await expect(service.run("select 1")).rejects.toMatchObject(AWAY);
    await expect(service.run("select 2")).rejects.toMatchObject(AWAY);
    proxy.heal();
    await recovers();
  });

  test("cut off after any number of bytes of a transaction: all of it is there, or nothing", async () => {
    const keys = [1, 2, 3];
    const inserts = keys.map((key) => `insert into t values (${key})`);
    for (let bytes = 0; bytes < 2_500; bytes += 250) {
      await using direct = openService(config(server.port));
      await direct.run("truncate t");
      await using cut = openService(config(proxy.port));
      proxy.cutAfterReplyBytes(bytes);
      const outcome = await cut.run(...inserts).then(
        () => "kept",
        (error: unknown) => {
          expect(error).toMatchObject(AWAY);
          return "unknown";
        },
      );
      proxy.heal();
      const found = await direct.run("select a from t order by a");
      if (outcome === "kept") expect(found).toEqual(keys.map((key) => [key]));
      else expect([[], keys.map((key) => [key])]).toContainEqual(found);
    }
    await recovers();
  });

  test("cut off at any message of a transaction: all of it is there, or nothing", async () => {
    const inserts = [1, 2, 3].map((key) => `insert into t values (${key})`);
    for (let message = 1, kept = false; !kept; message++) {
      await using direct = openService(config(server.port));
      await direct.run("truncate t");
      await using cut = openService(config(proxy.port));
      proxy.cutAtRequest(message);
      kept = await cut.run(...inserts).then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject(AWAY);
          return false;
        },
      );
      proxy.heal();
      // The message never reached the server, so nothing can have been committed.
      expect(await direct.run("select count(*)::int from t")).toEqual([[kept ? 3 : 0]]);
    }
    await recovers();
  });

  test("reset in the middle of an answer: that call fails, the next one is answered", async () => {
    await service.run("select 1");
    proxy.cutAfterReplyBytes(50_000);
    const large = "select repeat('x', 1000) from generate_series(1, 1000)";
    await expect(service.run(large)).rejects.toMatchObject(AWAY);
    proxy.heal();
    await recovers();
  });

  test("every connection busy: more calls wait, and fail at their time, not for ever", async () => {
    await hurry();
    const sleeping = Array.from({ length: CONNECTIONS }, () => service.run("select pg_sleep(30)"));
    const waiting = service.run("select 1");
    for (const each of [...sleeping, waiting])
      await expect(each).rejects.toMatchObject({ code: "SERVICE_TIMEOUT" });
    // Ended in the server as well.
    await expect
      .poll(() =>
        inServer(
          "pg_stat_activity where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()",
        ),
      )
      .toBe(0);
    await recovers();
  });

  test("a connection lost within a transaction: nothing of it is kept, and no lock is left", async () => {
    const transaction = await service.begin();
    const { signal } = new AbortController();
    await transaction.run([{ sql: "insert into t values (1)", params: [] }], signal);
    proxy.cut();
    await expect(transaction.commit(signal)).rejects.toMatchObject(AWAY);
    await transaction.rollback();
    proxy.heal();
    await expect
      .poll(() => service.run("insert into t values (1)").catch(() => null), { timeout: 20_000 })
      .toEqual([]);
    await recovers();
  });
});
