// A process that runs SQLite for one worker: one job at a time, whatever it takes. A thread would not do: nothing
// ends a statement that runs, and terminating its thread waits for it (decision 021). The worker kills this
// process instead; what was not committed is gone then, and what was is not.

import { writeFileSync } from "node:fs";
import { errorData } from "../../../sdk/errors.ts";
import { SqliteConnection } from "./connection.ts";
import type { Answer, Job, SqliteFile } from "./protocol.ts";

/** Open files of one process: a worker has as many as its endpoints bind, and most of them rest. */
const FILES_MAX = 16;

const connections = new Map<string, SqliteConnection>();

function connect(file: SqliteFile): SqliteConnection {
  const connection = connections.get(file.path) ?? new SqliteConnection(file);
  connections.delete(file.path);
  connections.set(file.path, connection);
  if (connections.size > FILES_MAX) {
    const [oldest] = connections.entries();
    if (oldest !== undefined) {
      connections.delete(oldest[0]);
      oldest[1].close();
    }
  }
  return connection;
}

function work(job: Job): Omit<Answer, "cpuMs"> {
  const connection = connect(job.file);
  switch (job.op) {
    case "run":
      return { results: connection.run(job.statements) };
    case "query":
      return { results: connection.query(job.statements) };
    case "begin":
      connection.begin(job);
      return {};
    case "commit":
      connection.commit();
      return {};
    case "rollback":
      connection.rollback();
      return {};
    case "open":
      return { page: connection.open(job.statement, job.rows) };
    case "next":
      return { page: connection.next() };
    case "close":
      connection.closeCursor();
      return {};
    case "probe":
      return { version: connection.version() };
  }
}

function answer(job: Job): Answer {
  let done: Omit<Answer, "cpuMs">;
  try {
    done = work(job);
  } catch (error) {
    done = { error: errorData(error) };
  }
  const { user, system } = process.cpuUsage();
  return { ...done, cpuMs: (user + system) / 1_000 };
}

/** When memory runs out, rather this than anybody else. */
function volunteer(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // No /proc, or not allowed: then the kernel chooses as ever.
  }
}

volunteer();
process.on("message", (job: Job) => process.send?.(answer(job)));
// The worker is gone.
process.on("disconnect", () => process.exit(0));
