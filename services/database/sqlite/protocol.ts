// What a worker and a process that runs SQLite for it say to each other: one job, one answer, then the next job.

import type { ErrorData } from "../../../sdk/errors.ts";
import type { ResultSet } from "../../../sdk/services/database.ts";

export type SqlValue = null | number | bigint | string | Uint8Array;

/** With parameters as SQLite has them, and as many values. */
export interface SqliteStatement {
  readonly text: string;
  readonly params: readonly SqlValue[];
}

export interface SqliteFile {
  readonly path: string;
  readonly create: boolean;
  readonly bytesMax: number;
}

export type Job = { readonly file: SqliteFile } & (
  | { readonly op: "run" | "query"; readonly statements: readonly SqliteStatement[] }
  | { readonly op: "begin"; readonly readOnly: boolean }
  | { readonly op: "commit" | "rollback" | "next" | "close" | "probe" }
  | { readonly op: "open"; readonly statement: SqliteStatement; readonly rows: number }
);

export interface Page {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlValue[])[];
  readonly bytes: number;
}

export interface Answer {
  readonly results?: readonly ResultSet[];
  readonly page?: Page;
  readonly version?: string;
  readonly error?: ErrorData;
  /** Processor time that the process has used so far: it is replaced before the kernel ends it. */
  readonly cpuMs: number;
}
