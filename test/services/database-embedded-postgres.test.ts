// The node's own Postgres, from the system's programs: the contract, who shares what, and that it is there as long as
// somebody wants it, whoever is killed.

import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PostgresConfig } from "../../sdk/services/config.ts";
import type { DatabaseBackend } from "../../sdk/services/database.ts";
import { openEmbeddedPostgres } from "../../services/database/embedded-postgres.ts";
import {
  ask,
  describeDatabaseContract,
  unlimited,
  type OpenDatabase,
} from "../contracts/database.ts";
import { descendants, gone } from "../processes.ts";
import { hasProgram } from "../servers/install.ts";
import { temporary, type Temporary } from "../temporary.ts";

const CONFIG: PostgresConfig = {
  host: "embedded",
  port: 5_432,
  database: "",
  username: "",
  ssl_mode: "disable",
  pool_size: 4,
  statement_timeout_ms: 20_000,
  read_only: false,
};
/** Longer than any socket's address may be. */
const LONG = "a-data-folder-whose-name-is-too-long-for-a-socket".repeat(3);
/** With a new cluster, on a busy machine. */
const START_MS = 90_000;

describe.runIf(hasProgram("postgres"))("the embedded Postgres", () => {
  let root: Temporary;
  let folder = "";
  const notices: string[] = [];
  /** As a worker has it that uses it all the time. */
  let keeper: DatabaseBackend;

  beforeAll(async () => {
    root = temporary();
    // Whoever is not root could not enter it from above.
    folder = join(root.path, LONG, "postgres");
    keeper = (await open()).backend;
    await ask({ backend: keeper }, "select 1");
  }, START_MS);
  afterAll(async () => {
    const pid = postmaster();
    await keeper.close();
    await gone([pid]);
    root[Symbol.dispose]();
  });

  async function open(
    more: Partial<PostgresConfig> = {},
    service = "embedded-postgres",
  ): Promise<OpenDatabase> {
    const place = { folder, notice: (text: string) => void notices.push(text) };
    const backend = await openEmbeddedPostgres({ ...CONFIG, ...more }, { place, service });
    return { backend, [Symbol.asyncDispose]: () => backend.close() };
  }

  function postmaster(): number {
    return Number(readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n")[0]);
  }

  const in_ = async (backend: DatabaseBackend, database: string, sql: string): Promise<unknown> => {
    const [result] = await backend.run(database, [{ sql, params: [] }], unlimited);
    return result?.rows;
  };

  describeDatabaseContract("Postgres", { dialect: "postgres", open });

  test("it says once what it does, and listens on a socket in its folder only", async () => {
    expect(notices).toEqual([
      expect.stringMatching(/^Postgres \d+\.\d+ makes its data folder, /),
      expect.stringMatching(/^The embedded Postgres \d+\.\d+ runs, after \d+ ms\.$/),
    ]);
    expect((await ask({ backend: keeper }, "show listen_addresses")).rows).toEqual([[""]]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const uid = process.getuid?.() ?? 0;
    expect(statSync(`/proc/${postmaster()}`).uid).toBe(uid === 0 ? 65_534 : uid);
  });

  test("each name is a database of its own, of a role that has no rights beyond it", async () => {
    await using database = await open();
    const { backend } = database;
    await backend.exec("shop", "create table only_here (a int)", unlimited);
    expect(await in_(backend, "shop", "select * from only_here")).toEqual([]);
    await expect(in_(backend, "blog", "select * from only_here")).rejects.toThrow(/42P01/);
    await using other = await open({}, "another-service");
    await expect(in_(other.backend, "shop", "select * from only_here")).rejects.toThrow(/42P01/);
    const rights =
      "select rolsuper, rolcreatedb, rolcreaterole, rolname = current_database() from pg_roles where rolname = current_user";
    expect(await in_(backend, "shop", rights)).toEqual([[false, false, false, true]]);
    await expect(in_(backend, "shop", "select pg_read_file('/etc/passwd')")).rejects.toThrow(
      /42501/,
    );
    await expect(in_(backend, "shop", "create role a superuser")).rejects.toThrow(/42501/);
    await expect(in_(backend, "shop", "create extension dblink")).rejects.toThrow(
      /42501|0A000|58P01/,
    );
    await expect(in_(backend, "shop", "alter system set port = 1")).rejects.toThrow(/42501/);
  });

  test("more databases than connections take turns", async () => {
    await using database = await open({ pool_size: 2 });
    const names = Array.from({ length: 5 }, (_, at) => `turn-${at}`);
    const sql = "select count(*)::int from pg_stat_activity where usename = current_user";
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all(names.map((name) => in_(database.backend, name, sql)));
      expect(all.flat(2).every((count) => Number(count) <= 2)).toBe(true);
    }
  });

  test(
    "killed in the middle of writes it comes back, and nothing acknowledged is lost",
    async () => {
      await using database = await open();
      const { backend } = database;
      await backend.exec("killed", "create table t (a int primary key)", unlimited);
      const kept: number[] = [];
      let next = 0;
      for (const kill of [25, 75]) {
        const write = async (): Promise<void> => {
          const own = next++;
          try {
            await in_(backend, "killed", `insert into t values (${own})`);
            kept.push(own);
          } catch (error) {
            expect(error).toMatchObject({ code: "SERVICE_UNAVAILABLE" });
          }
        };
        const before = kept.length;
        let isKilled = false;
        while (kept.length < before + kill + 10) {
          await Promise.all([write(), write(), write()]);
          if (kept.length < before + kill || isKilled) continue;
          const pid = postmaster();
          const killing = [pid, ...descendants(pid)];
          const during = [write(), write()];
          process.kill(pid, "SIGKILL");
          await Promise.all(during);
          await gone(killing);
          isKilled = true;
        }
      }
      const rows = (await in_(backend, "killed", "select a from t")) as [number][];
      const there = new Set(rows.map(([a]) => a));
      expect(kept.filter((a) => !there.has(a))).toEqual([]);
      const ends = notices.filter((text) => text.includes("has ended: somebody killed it"));
      expect(ends).toHaveLength(2);
    },
    START_MS,
  );

  test("two who start it at once get the same one, and it ends when nobody wants it", async () => {
    const pid = postmaster();
    await keeper.close();
    await gone([pid]);
    const both = [await open(), await open()];
    const pids = await Promise.all(
      both.map(async ({ backend }) => {
        await ask({ backend }, "select 1");
        return postmaster();
      }),
    );
    expect(new Set(pids).size).toBe(1);
    await both[0]?.backend.close();
    keeper = both[1]?.backend ?? keeper;
    expect((await ask({ backend: keeper }, "select 1")).rows).toEqual([[1]]);
    expect(postmaster()).toBe(pids[0]);
  });

  test("data of another major version are refused, and so is a machine without Postgres", async () => {
    using place = temporary();
    const notice = (): void => undefined;
    const at = (programs?: readonly string[]) => ({
      service: "s",
      place: { folder: place.path, notice, ...(programs === undefined ? {} : { programs }) },
    });
    const without = await openEmbeddedPostgres(CONFIG, at([]));
    await expect(ask({ backend: without }, "select 1")).rejects.toMatchObject({
      code: "SERVICE_UNAVAILABLE",
      message: expect.stringMatching(/install @embedded-postgres\/linux-\w+ .*postgresql/),
    });
    await without.close();
    mkdirSync(join(place.path, "data"));
    writeFileSync(join(place.path, "data", "PG_VERSION"), "9\n");
    const old = await openEmbeddedPostgres(CONFIG, at());
    await expect(ask({ backend: old }, "select 1")).rejects.toThrow(
      /data of version 9, and there is \d.*: install 9, or .* pg_upgrade/,
    );
    await old.close();
  });
});
