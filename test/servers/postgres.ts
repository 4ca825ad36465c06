// PostgreSQL for tests: a cluster of its own, on a port and on a Unix socket, with passwords, and TLS where it is wanted.

import { execFile, execFileSync } from "node:child_process";
import { chmodSync, chownSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { PostgresConfig } from "../../sdk/services/config.ts";
import { createCertificate } from "./certificate.ts";
import { findProgram } from "./install.ts";
import { startServer, type Place, type TestServer } from "./process.ts";

const run = promisify(execFile);

export const PASSWORD = "a password";

export interface PostgresOptions {
  readonly tls?: boolean;
  /** As in its configuration. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** An empty database called postgres, of the user postgres. Nothing is synced to disk. */
export function startPostgres({
  tls = false,
  settings = {},
}: PostgresOptions = {}): Promise<TestServer> {
  const found = findProgram("postgres");
  if (found === null) throw new Error("postgres is missing");
  // What is in the PATH may be a link; the other programs lie beside the real one.
  const command = realpathSync(found);
  const user = process.getuid?.() === 0 ? accountOf("postgres") : undefined;
  return startServer({
    command,
    ...(user === undefined ? {} : { user }),
    async prepare(place) {
      initialise(place, { command, user });
      if (tls) await installCertificate(place, user);
    },
    args: ({ host, port, folder }) => [
      "-D",
      join(folder, "data"),
      "-h",
      host,
      "-p",
      `${port}`,
      "-k",
      folder,
      ...flags({
        fsync: "off",
        synchronous_commit: "off",
        max_wal_senders: "0",
        wal_level: "minimal",
        ssl: tls ? "on" : "off",
        ...settings,
      }),
    ],
    isReady: async ({ host, port }) => {
      await run(join(dirname(command), "pg_isready"), ["-h", host, "-p", `${port}`]);
      return true;
    },
  });
}

/** By a port; small, so that tests can exhaust it. */
export function postgresConfig(
  { host, port }: { readonly host: string; readonly port: number },
  more: Partial<PostgresConfig> = {},
): PostgresConfig {
  return {
    host,
    port,
    database: "postgres",
    username: "postgres",
    password: PASSWORD,
    ssl_mode: "disable",
    pool_size: 4,
    statement_timeout_ms: 20_000,
    read_only: false,
    ...more,
  };
}

export function certificateOf({ folder }: Pick<Place, "folder">): string {
  return readFileSync(join(folder, "server.crt"), "utf8");
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

function initialise(
  { folder }: Place,
  { command, user }: { readonly command: string; readonly user: Account | undefined },
): void {
  const secret = join(folder, "password");
  writeFileSync(secret, PASSWORD);
  chmodSync(secret, 0o644);
  const options = "-U postgres -A scram-sha-256 -N -E UTF8 --locale C".split(" ");
  execFileSync(
    join(dirname(command), "initdb"),
    ["-D", join(folder, "data"), "--pwfile", secret, ...options],
    { ...user, cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
}

async function installCertificate(place: Place, user: Account | undefined): Promise<void> {
  const { folder } = place;
  const [key, cert] = [join(folder, "server.key"), join(folder, "server.crt")];
  await createCertificate({ key, cert });
  chmodSync(key, 0o600);
  if (user !== undefined) for (const file of [key, cert]) chownSync(file, user.uid, user.gid);
  const settings = `ssl_key_file = '${key}'\nssl_cert_file = '${cert}'\n`;
  writeFileSync(join(folder, "data", "postgresql.auto.conf"), settings);
}

function accountOf(name: string): Account {
  const [uid, gid] = ["-u", "-g"].map((what) =>
    Number(execFileSync("id", [what, name], { encoding: "utf8" })),
  );
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

function flags(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
