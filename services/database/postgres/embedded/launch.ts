// One run of the node's Postgres, from the first who needs it until the last who does is gone. It is nobody's child
// for long: a small shell owns it, because workers come and go, and the supervisor may be killed while they serve.
//
// - One at a time: the shell and all of Postgres hold a lock, which the kernel gives free when the last of them is
//   gone. Whatever a postmaster.pid says to whoever has the lock is about a dead one.
// - Not longer than the node: every worker holds a pipe open for writing that the shell reads. When it ends, because
//   they have closed it or died, Postgres is told to end. If the shell is killed, the kernel kills Postgres.
// - Data and pipe are named by descriptors: neither the length of the data folder's path nor who may enter the folders
//   above it matters. That is how root's node runs it as nobody.

import { spawn } from "node:child_process";
import { closeSync, constants, openSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { searchPath } from "./programs.ts";

/** In that of all embedded services. */
export const POSTGRES_FOLDER = "postgres";
export const PIPE = "alive";
export const DATA = "data";
export const LOG = "log";
/** Part of the socket's name only. */
export const PORT = 5_432;
/** The only one who may do everything; no handler's statement is ever run by it. */
export const SUPERUSER = "postgres";

/** What the shell ends with when somebody else has the lock. */
export const LOCKED = 75;

/** Of all workers and services together, each of which takes `pool_size` of its own at most. */
const CONNECTIONS_MAX = 200;

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "",
  // Of the data folder.
  unix_socket_directories: ".",
  port: `${PORT}`,
  max_connections: `${CONNECTIONS_MAX}`,
  // A handler's sort or join must not fill the disk.
  temp_file_limit: "2GB",
  max_wal_size: "256MB",
  // After a crash, instead of file by file, which takes seconds.
  recovery_init_sync_method: "syncfs",
  // Whoever may run SQL could fill the log with errors; they get them as answers.
  log_min_messages: "fatal",
  log_min_error_statement: "panic",
  log_checkpoints: "off",
  jit: "off",
  cluster_name: "islet",
};

/** Each role may enter the database of its name; who may enter the folder is any of them (SECURITY.md). */
const ACCESS = `local all ${SUPERUSER} trust\nlocal sameuser all trust\n`;

/** In the folder. Arguments: the programs' folder, who may enter, options of Postgres. */
const SCRIPT = `
umask 077
exec 3<&0 </dev/null 9>>lock
flock --nonblock 9 || exit ${LOCKED}
exec >${LOG} 2>&1
trap '' HUP INT TERM
programs=$1; access=$2; shift 2
make() {
  rm -rf new && mkdir new &&
  env -C / "$programs/initdb" -D /proc/self/fd/8 -U ${SUPERUSER} -A trust -E UTF8 --locale=C --no-sync "$@" 8<new &&
  printf %s "$access" >new/pg_hba.conf
}
if [ ! -e ${DATA} ]; then
  # Not every system has letters beyond ASCII without a language.
  make --lc-ctype=C.UTF-8 || make || exit 1
  # Whole: file by file takes seconds.
  sync --file-system new && mv new ${DATA} && sync . || exit 1
fi
rm -f ${DATA}/postmaster.pid
env -C / setpriv --pdeathsig KILL "$programs/postgres" -D /proc/self/fd/8 "$@" 3<&- 8<${DATA} &
server=$!
{
  read -r nothing <&3
  # More than once: before it has begun it does not hear.
  for second in 1 2 3 4 5 6 7 8 9 10; do kill -INT $server && sleep 1; done
  kill -KILL $server
} 9<&- &
watch=$!
wait $server
status=$?
kill -KILL $watch
exit $status
`;

/** O_CLOEXEC, in the octal digits of /proc/self/fdinfo. */
const CLOSE_ON_EXEC = 0o2000000;

export interface Launch {
  readonly folder: string;
  readonly programs: string;
  /** null: this process's. */
  readonly account: { readonly uid: number; readonly gid: number } | null;
}

/** The caller holds the pipe. Resolves, when it has ended, to what it ended with. */
export function launch({ folder, programs, account }: Launch): Promise<number | null> {
  // Somebody writes already, so that opening does not wait.
  const pipe = openSync(join(folder, PIPE), constants.O_RDONLY | constants.O_NOFOLLOW);
  const nothing = openSync("/dev/null", "r+");
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  try {
    const child = spawn("/bin/sh", ["-c", SCRIPT, "postgres", programs, ACCESS, ...settings], {
      ...account,
      cwd: folder,
      env: { PATH: [...searchPath(), "/usr/bin", "/bin"].join(delimiter), TZ: "UTC" },
      stdio: [pipe, "ignore", "ignore", ...shadows(nothing)],
      detached: true,
    });
    child.unref();
    return new Promise((resolve) => {
      child.once("exit", (code) => resolve(code));
      child.once("error", () => resolve(null));
    });
  } finally {
    closeSync(pipe);
    closeSync(nothing);
  }
}

/** LMDB opens its files without close-on-exec: in the child those numbers lead nowhere. */
function shadows(nothing: number): ("ignore" | number)[] {
  const inherited = new Set(
    readdirSync("/proc/self/fdinfo")
      .map(Number)
      .filter((fd) => fd > 2 && !closesOnExec(fd)),
  );
  const last = Math.max(2, ...inherited);
  return Array.from({ length: last - 2 }, (_, at) => (inherited.has(at + 3) ? nothing : "ignore"));
}

function closesOnExec(fd: number): boolean {
  try {
    const [, flags = "0"] =
      /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0;
  } catch {
    // Closed meanwhile, as the one that listed the folder.
    return true;
  }
}
