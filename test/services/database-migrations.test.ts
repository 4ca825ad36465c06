// Migrations on both dialects: applied once, whole or not at all, in one order whoever else migrates.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  MIGRATION_NAME_CHARS_MAX,
  MIGRATIONS_TABLE as TABLE,
  type DatabaseBackend,
} from "../../sdk/services/database.ts";
import type { CallContext, ServicePort } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import { ServiceActor } from "../../services/actor.ts";
import { createDatabasePort } from "../../services/database/port.ts";
import { openPostgres } from "../../services/database/postgres.ts";
import { openSqlite } from "../../services/database/sqlite.ts";
import { ask, unlimited } from "../contracts/database.ts";
import { hasProgram } from "../servers/install.ts";
import { postgresConfig, startPostgres } from "../servers/postgres.ts";

interface Opened extends AsyncDisposable {
  readonly backend: DatabaseBackend;
}

const CONTEXT: CallContext = { request: 0, signal: unlimited, body: null, hold: () => true };
const PETS = "-- pets\ncreate table pets (name text);\ninsert into pets values ('Rex; ?')";

function describeMigrations(name: string, open: () => Promise<Opened>): void {
  describe(name, () => {
    let opened: Opened;
    let actor: ServiceActor<DatabaseBackend>;
    let port: ServicePort;
    const call = async (method: string, ...args: Value[]): Promise<unknown> =>
      port.call(method, args, CONTEXT);
    const names = async (): Promise<unknown> =>
      ((await call("applied", TABLE)) as Value[][]).map(([file]) => file);

    beforeAll(async () => {
      opened = await open();
      actor = new ServiceActor("main", {
        now: () => performance.now(),
        onHealth: () => undefined,
        onPanic: (error) => expect.fail(String(error)),
      });
      const limits = { concurrency: 4, queue: 100, timeoutMs: 30_000 };
      actor.start({ limits, open: async () => opened.backend });
      port = createDatabasePort({ actor, database: "main", caller: "" });
    });
    beforeEach(async () => {
      await opened.backend.exec(
        "main",
        `drop table if exists "${TABLE}"; drop table if exists pets; drop table if exists owners`,
        unlimited,
      );
    });
    afterAll(async () => {
      await actor.stop();
      await opened[Symbol.asyncDispose]();
    });

    test("are applied once, and listed in their order", async () => {
      expect(await names()).toEqual([]);
      expect(await call("migrate", TABLE, "0002_b.sql", PETS)).toBe(true);
      expect(await call("migrate", TABLE, "0001_it's.sql", "create table owners (a text)")).toBe(
        true,
      );
      expect(await call("migrate", TABLE, "0002_b.sql", "nonsense")).toBe(false);
      expect(await names()).toEqual(["0002_b.sql", "0001_it's.sql"]);
      expect((await ask(opened, "select name from pets")).rows).toEqual([["Rex; ?"]]);
      expect(await call("migrate", "other_table", "0002_b.sql", "select 1")).toBe(true);
      await ask(opened, "drop table other_table");
    });

    test("that fail leave nothing, and say where they did", async () => {
      const script = `${PETS};\n\n/* a\n */ insert into nowhere values (1)`;
      await expect(call("migrate", TABLE, "0001_a.sql", script)).rejects.toMatchObject({
        code: "SERVICE_FAILED",
        message: expect.stringMatching(/^0001_a\.sql:6: .*nowhere/),
        detail: { file: "0001_a.sql", line: 6 },
      });
      expect(await names()).toEqual([]);
      await expect(ask(opened, "select * from pets")).rejects.toMatchObject({
        code: "SERVICE_FAILED",
      });
      expect(await call("migrate", TABLE, "0001_a.sql", PETS)).toBe(true);
    });

    test("cannot end their own transaction, nor hide that they were applied", async () => {
      await expect(call("migrate", TABLE, "0001_a.sql", `${PETS};\ncommit;`)).rejects.toMatchObject(
        { code: "SERVICE_INPUT", message: /^0001_a\.sql:4: / },
      );
      expect(await names()).toEqual([]);
      expect(await call("migrate", TABLE, "0001_a.sql", `${PETS}; /* never ends`)).toBe(true);
      expect(await call("migrate", TABLE, "0002_empty.sql", "-- nothing")).toBe(true);
      expect(await names()).toEqual(["0001_a.sql", "0002_empty.sql"]);
    });

    test("of two who migrate at once one applies it", async () => {
      const both = [1, 2, 3].map(() => call("migrate", TABLE, "0001_a.sql", PETS));
      expect((await Promise.all(both)).filter((isNew) => isNew === true)).toHaveLength(1);
      expect((await ask(opened, "select count(*) from pets")).rows).toEqual([[1]]);
    });

    test.each<[string, readonly Value[]]>([
      ["a table that is no name", ['a"b', "0001.sql", ""]],
      ["a table whose name is too long", ["a".repeat(64), "0001.sql", ""]],
      ["a file without a name", [TABLE, "", ""]],
      ["a file whose name is too long", [TABLE, "a".repeat(MIGRATION_NAME_CHARS_MAX + 1), ""]],
      ["SQL that is no text", [TABLE, "0001.sql", 1]],
    ])("%s is refused", async (_what, args) => {
      await expect(call("migrate", ...args)).rejects.toMatchObject({ code: "SERVICE_INPUT" });
      expect(await names()).toEqual([]);
    });

    test("names of files and tables have up to as many characters", async () => {
      const table = "a".repeat(63);
      const file = "a".repeat(MIGRATION_NAME_CHARS_MAX);
      expect(await call("migrate", table, file, "")).toBe(true);
      expect(await call("migrate", table, file, "")).toBe(false);
      await ask(opened, `drop table ${table}`);
    });
  });
}

describeMigrations("migrations on SQLite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "islet-migrations-"));
  const backend = await openSqlite({ place: { folder } });
  return {
    backend,
    async [Symbol.asyncDispose]() {
      await backend.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});

describe.runIf(hasProgram("postgres"))("a Postgres server", () => {
  describeMigrations("migrations on Postgres", async () => {
    const server = await startPostgres();
    const backend = await openPostgres(postgresConfig(server), { signal: unlimited });
    return {
      backend,
      async [Symbol.asyncDispose]() {
        await backend.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
});
