// The node's own Postgres as a backend: a database and a role of its own for every name, made when it is first used.

import { createHash } from "node:crypto";
import type { PostgresConfig } from "../../sdk/services/config.ts";
import type {
  Cursor,
  DatabaseBackend,
  ResultSet,
  Statement,
  Transaction,
} from "../../sdk/services/database.ts";
import type { Probe } from "../../sdk/services/service.ts";
import { connectPostgres } from "./postgres.ts";
import { PostgresBackend } from "./postgres/backend.ts";
import type { Connection } from "./postgres/connection.ts";
import { SUPERUSER } from "./postgres/embedded/launch.ts";
import { EmbeddedServer, type EmbeddedPlace } from "./postgres/embedded/server.ts";

export interface EmbeddedPostgresOptions {
  readonly place: EmbeddedPlace;
  /** Services share nothing, whatever their databases are called. */
  readonly service: string;
}

/** Behind the start of the server and a copy of its template. */
const CREATE_MS_MAX = 90_000;

/** Nothing runs before the first call, which waits for it. */
export async function openEmbeddedPostgres(
  config: PostgresConfig,
  options: EmbeddedPostgresOptions,
): Promise<DatabaseBackend> {
  return new EmbeddedPostgres(config, options);
}

class EmbeddedPostgres implements DatabaseBackend {
  readonly dialect = "postgres";
  readonly #config: PostgresConfig;
  readonly #server: EmbeddedServer;
  readonly #service: string;
  readonly #backend: PostgresBackend;
  /** Of databases that are there, by what calls call them. */
  readonly #names = new Map<string, string>();
  readonly #creating = new Map<string, Promise<void>>();

  constructor(config: PostgresConfig, { place, service }: EmbeddedPostgresOptions) {
    this.#config = config;
    this.#service = service;
    this.#server = new EmbeddedServer(place);
    this.#backend = new PostgresBackend((name) => this.#connect(name), config.pool_size);
  }

  async run(
    database: string,
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<readonly ResultSet[]> {
    return this.#backend.run(await this.#provide(database, signal), statements, signal);
  }

  async exec(database: string, script: string, signal: AbortSignal): Promise<number> {
    return this.#backend.exec(await this.#provide(database, signal), script, signal);
  }

  async begin(
    database: string,
    options: { readonly readOnly: boolean },
    signal: AbortSignal,
  ): Promise<Transaction> {
    return this.#backend.begin(await this.#provide(database, signal), options, signal);
  }

  async open(
    database: string,
    statement: Statement,
    options: { readonly rows: number },
    signal: AbortSignal,
  ): Promise<Cursor> {
    return this.#backend.open(await this.#provide(database, signal), statement, options, signal);
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    return this.#backend.probe(signal, await this.#provide("", signal));
  }

  async close(): Promise<void> {
    await this.#backend.close();
    this.#server.close();
  }

  /** Gives the name of database and role, which says nothing about what others' are called. */
  async #provide(database: string, signal: AbortSignal): Promise<string> {
    const found = this.#names.get(database);
    if (found !== undefined) return found;
    const digest = createHash("sha256").update(`${this.#service}\n${database}`).digest("hex");
    const name = `islet_${digest.slice(0, 32)}`;
    const creating =
      this.#creating.get(name) ?? this.#create(name).finally(() => this.#creating.delete(name));
    this.#creating.set(name, creating);
    // It goes on for others that wait, also when this caller does no more.
    await unlessAborted(creating, signal);
    this.#names.set(database, name);
    return name;
  }

  async #create(name: string): Promise<void> {
    const signal = AbortSignal.timeout(CREATE_MS_MAX);
    const admin = this.#connect(SUPERUSER);
    const has = async (catalog: string): Promise<boolean> => {
      const text = `SELECT 1 FROM ${catalog} WHERE ${catalog === "pg_roles" ? "rolname" : "datname"} = '${name}'`;
      const { rows } = await admin.run({ text, parameters: 0, params: [] }, signal);
      return rows.length > 0;
    };
    try {
      // Workers that need the same one at once; the lock ends with the connection.
      await admin.script("SELECT pg_advisory_lock(1)", signal);
      if (!(await has("pg_roles"))) await admin.script(`CREATE ROLE ${name} LOGIN`, signal);
      if (!(await has("pg_database"))) {
        await admin.script(`CREATE DATABASE ${name} OWNER ${name}`, signal);
      }
    } finally {
      admin.close();
    }
  }

  #connect(name: string): Connection {
    const readOnly = this.#config.read_only && name !== SUPERUSER;
    const config = { ...this.#config, database: name, username: name, read_only: readOnly };
    return connectPostgres(config, (onSocket) => this.#server.dial(onSocket));
  }
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
  });
  signal.addEventListener("abort", onAbort);
  try {
    if (signal.aborted) onAbort();
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
