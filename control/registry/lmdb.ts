// The registry's store, and the only door to lmdb.
//
// One environment, one writing process. Each append is one LMDB transaction that writes the change into the
// log, applies it to the view and moves the state row; it is on the disk (fdatasync, then the meta page
// through O_DSYNC) when it returns, because overlappingSync is off. The log keeps its newest changes; older
// ones are applied to the base, so base + kept log always rebuild the view.
//
// Every read resets the read transaction first: without that, a reader that was just told of a new revision
// sees the old one about every second time.

import { Buffer } from "node:buffer";
import { open, type Database, type RootDatabase } from "lmdb";
import { EdgeError } from "../../sdk/errors.ts";
import type { Change } from "../../sdk/records.ts";
import { checkFile, corrupt } from "./file.ts";
import { applyChange, contentOf, fold, memoryRows, type Rows, type Table } from "./view.ts";

/** Raised whenever rows would be misread, by this release those of older ones or by older ones this one's. */
export const SCHEMA = 2;
/** Had neither services nor secrets; its other rows are as they are now. */
const SCHEMA_BEFORE_SERVICES = 1;

/** Address space, not disk: the file grows as needed. Every process of a node must use the same. */
const MAP_BYTES: number = 4 * 1024 ** 3;
/** One slot per thread that reads: workers, their replacements and the command line tools. */
const READERS_MAX = 1_024;
const DATABASES_MAX = 16;

/** A worker that fell behind by more reads everything anew. */
export const CHANGES_KEPT = 10_000;
/** Drafts are part of changes, so their number alone does not bound the log. */
export const LOG_BYTES_KEPT: number = 64 * 1024 ** 2;

export interface LogLimits {
  readonly changesKept: number;
  readonly bytesKept: number;
}

/** The registry's own numbers, in one row. */
interface State {
  readonly schema: number;
  /** Of the newest change. */
  readonly revision: number;
  /** Of the newest change that went into the base. */
  readonly base: number;
  readonly logBytes: number;
}

const EMPTY: State = { schema: SCHEMA, revision: 0, base: 0, logBytes: 0 };
const STATE_KEY = "state";

export interface Store {
  readonly view: Rows;
  /** Sees what is committed now; call it before reading. */
  refresh(): void;
  state(): State;
  change(revision: number): Change | null;
  /** Atomic and durable when it returns; throws and changes nothing when a change makes no sense. */
  append(change: Omit<Change, "revision">): number;
  /** Folds base and log anew and compares with the stored view. */
  verify(): void;
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly dir: string;
  readonly readOnly: boolean;
  readonly limits?: LogLimits;
}

const LIMITS: LogLimits = { changesKept: CHANGES_KEPT, bytesKept: LOG_BYTES_KEPT };

export function openStore({ dir, readOnly, limits = LIMITS }: StoreOptions): Store {
  if (readOnly) checkFile(dir);
  const env = openEnvironment(dir, readOnly);
  const meta = openDatabase(env, "meta");
  const log = openDatabase(env, "log");

  const state = (): State => {
    const text = meta.get(STATE_KEY);
    if (text === undefined) throw corrupt("the state row is missing");
    return parseRow<State>(text);
  };
  const writeState = (next: State): void => meta.putSync(STATE_KEY, JSON.stringify(next));
  const change = (revision: number): Change | null => {
    const text = log.get(revision);
    return text === undefined ? null : parseRow<Change>(text);
  };

  if (!readOnly && meta.get(STATE_KEY) === undefined) {
    env.transactionSync(() => writeState(EMPTY));
  }
  assertSchema(state());
  const hasServices = !readOnly || state().schema > SCHEMA_BEFORE_SERVICES;
  const view = rowsIn(env, "view", hasServices);
  const base = rowsIn(env, "base", hasServices);
  if (!readOnly && state().schema !== SCHEMA) {
    env.transactionSync(() => writeState({ ...state(), schema: SCHEMA }));
  }

  /** Moves the oldest changes from the log into the base until the log is within its limits. */
  const trim = (from: State): State => {
    let { base: oldest, logBytes } = from;
    const isOver = (): boolean =>
      from.revision - oldest > limits.changesKept || logBytes > limits.bytesKept;
    while (isOver() && oldest + 1 < from.revision) {
      oldest += 1;
      const text = log.get(oldest);
      if (text === undefined) throw corrupt(`change ${oldest} is missing`);
      applyChange(base, parseRow<Change>(text));
      log.removeSync(oldest);
      logBytes -= Buffer.byteLength(text);
    }
    return { ...from, base: oldest, logBytes };
  };

  return {
    view,
    state,
    change,
    refresh: () => env.resetReadTxn(),
    append: ({ at, ops }) =>
      env.transactionSync(() => {
        const before = state();
        const next: Change = { revision: before.revision + 1, at, ops };
        const text = JSON.stringify(next);
        applyChange(view, next);
        log.putSync(next.revision, text);
        const logBytes = before.logBytes + Buffer.byteLength(text);
        writeState(trim({ ...before, revision: next.revision, logBytes }));
        return next.revision;
      }),
    verify: () => {
      const { base: from, revision } = state();
      const rebuilt = memoryRows();
      copyRows(base, rebuilt);
      for (let at = from + 1; at <= revision; at += 1) {
        const next = change(at);
        if (next === null) throw corrupt(`change ${at} is missing`);
        fold([next], rebuilt);
      }
      if (contentOf(rebuilt) !== contentOf(view)) throw corrupt("the view differs from its log");
    },
    close: () => env.close(),
  };
}

function assertSchema({ schema }: State): void {
  if (schema === SCHEMA || schema === SCHEMA_BEFORE_SERVICES) return;
  const detail = { found: schema, known: SCHEMA };
  if (schema > SCHEMA) throw new EdgeError("REGISTRY_TOO_NEW", undefined, { detail });
  throw corrupt(`schema ${schema} is unknown`);
}

function openEnvironment(path: string, readOnly: boolean): RootDatabase<string, string> {
  return open<string, string>({
    path,
    readOnly,
    encoding: "string",
    mapSize: MAP_BYTES,
    maxDbs: DATABASES_MAX,
    maxReaders: READERS_MAX,
    overlappingSync: false,
  });
}

function openDatabase<K extends string | number>(
  env: RootDatabase<string, string>,
  name: string,
): Database<string, K> {
  // A read-only environment answers undefined for a database that is not there, whatever its types say.
  const database: Database<string, K> | undefined = env.openDB<string, K>({
    name,
    encoding: "string",
  });
  if (database === undefined) throw corrupt(`table ${name} is missing`);
  return database;
}

function rowsIn(
  env: RootDatabase<string, string>,
  area: "view" | "base",
  hasServices: boolean,
): Rows {
  const none = memoryRows();
  return {
    endpoints: tableOf(openDatabase(env, `${area}.endpoints`)),
    versions: tableOf(openDatabase(env, `${area}.versions`)),
    deployments: tableOf(openDatabase(env, `${area}.deployments`)),
    generations: tableOf(openDatabase(env, `${area}.generations`)),
    services: hasServices ? tableOf(openDatabase(env, `${area}.services`)) : none.services,
    secrets: hasServices ? tableOf(openDatabase(env, `${area}.secrets`)) : none.secrets,
  };
}

/** Greater than every key: keys are ASCII. */
const AFTER = "\u{10ffff}";

function tableOf<T>(database: Database<string, string>): Table<T> {
  return {
    get: (key) => {
      const text = database.get(key);
      return text === undefined ? null : parseRow<T>(text);
    },
    put: (key, value) => database.putSync(key, JSON.stringify(value)),
    remove: (key) => void database.removeSync(key),
    under: (prefix) =>
      Array.from(database.getRange(rangeOf(prefix)), ({ key, value }) => ({
        key,
        value: parseRow<T>(value),
      })),
    last: (prefix) => {
      const { start, end } = rangeOf(prefix);
      const [row] = database.getRange({ start: end, end: start, reverse: true, limit: 1 });
      return row === undefined ? null : parseRow<T>(row.value);
    },
  };
}

function rangeOf(prefix: string): { start: string; end: string } {
  return { start: prefix, end: `${prefix}${AFTER}` };
}

function copyRows(from: Rows, to: Rows): void {
  copyTable(from.endpoints, to.endpoints);
  copyTable(from.versions, to.versions);
  copyTable(from.deployments, to.deployments);
  copyTable(from.generations, to.generations);
  copyTable(from.services, to.services);
  copyTable(from.secrets, to.secrets);
}

function copyTable<T>(from: Table<T>, to: Table<T>): void {
  for (const { key, value } of from.under("")) to.put(key, value);
}

/** Rows are what this release's own writer stored (the schema says so); only their being JSON is in doubt. */
function parseRow<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw corrupt("a row is not JSON", cause);
  }
}

/** Storage failures of any kind, as the error that says what to do. */
export function asRegistryError(cause: unknown): EdgeError {
  if (cause instanceof EdgeError) return cause;
  return corrupt(cause instanceof Error ? cause.message : "unknown reason", cause);
}
