// The registry: what is deployed on this node. Alone, its change log lives in LMDB and the supervisor is the
// only writer; every worker reads it memory-mapped. In a cluster the log lives elsewhere and this is its
// replica, which is why everything is a numbered change and nothing is edited in place.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { RegistryReader, RegistryWriter } from "../../sdk/node.ts";
import { timestamp, type Clock } from "../clock.ts";
import { syncFolder } from "../disk.ts";
import { corrupt, DATA_FILE } from "./file.ts";
import { asRegistryError, openStore, type LogLimits, type Store } from "./lmdb.ts";
import {
  deployedOf,
  deploymentsOf,
  endpointsOf,
  generationOf,
  secretsOf,
  servicesOf,
  touchedBy,
  versionOf,
  versionsOf,
} from "./view.ts";
import { verifyRegistry } from "./verification.ts";

const FRESH_PREFIX = "fresh-";

export interface RegistryOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly limits?: LogLimits;
  /** Begun before by whoever had other things to do meanwhile; absent or null: now. */
  readonly verified?: Promise<void> | null;
}

/**
 * Opens the registry for writing, making it when there is none. The caller holds the data folder's lock: two
 * writers would each be consistent, but their publishes would not know of each other.
 */
export async function openRegistry(options: RegistryOptions): Promise<RegistryWriter> {
  const { dir, clock } = options;
  await (options.verified ?? verifyRegistry(dir));
  if (!existsSync(join(dir, DATA_FILE))) await createRegistry(dir);
  const limits = options.limits === undefined ? {} : { limits: options.limits };
  const store = openOrThrow(() => openStore({ dir, readOnly: false, ...limits }));
  return {
    ...readerOver(store),
    append: async (ops) => store.append({ at: timestamp(clock), ops }),
    generation: (endpoint) => {
      store.refresh();
      return generationOf(store.view, endpoint);
    },
    close: () => store.close(),
  };
}

/** For processes beside the writer. The registry has to exist: the supervisor opens it first. */
export function openRegistryReader({ dir }: { readonly dir: string }): RegistryReader {
  return readerOver(openOrThrow(() => openStore({ dir, readOnly: true })));
}

// Read `revision` before what it should cover: what is read afterwards is at least as new.
function readerOver(store: Store): RegistryReader {
  const fresh = <T>(read: () => T): T => {
    store.refresh();
    return read();
  };
  return {
    revision: () => fresh(() => store.state().revision),
    all: () => fresh(() => endpointsOf(store.view)),
    get: (name) =>
      fresh(() => {
        const endpoint = store.view.endpoints.get(name);
        return endpoint === null ? null : deployedOf(store.view, endpoint);
      }),
    versions: (endpoint) => fresh(() => versionsOf(store.view, endpoint)),
    version: (endpoint, id) => fresh(() => versionOf(store.view, endpoint, id)),
    deployments: (endpoint) => fresh(() => deploymentsOf(store.view, endpoint)),
    services: () => fresh(() => servicesOf(store.view)),
    secrets: (endpoint) => fresh(() => secretsOf(store.view, endpoint)),
    changedSince: (revision) => fresh(() => changedSince(store, revision)),
    close: () => store.close(),
  };
}

function changedSince(store: Store, since: number): readonly string[] | null {
  const { base, revision } = store.state();
  if (since < base) return null;
  const names = new Set<string>();
  for (let at = since + 1; at <= revision; at += 1) {
    const change = store.change(at);
    if (change === null) throw corrupt(`change ${at} is missing`);
    for (const name of touchedBy(change)) names.add(name);
  }
  return [...names];
}

// Made beside and moved into place whole: an empty data file is then always damage, never a crash while the
// registry was made. (LMDB takes an empty file for a new one, and everything would silently be gone.)
async function createRegistry(dir: string): Promise<void> {
  const fresh = join(dir, `${FRESH_PREFIX}${process.pid}`);
  try {
    for (const name of readdirSync(dir)) {
      if (name.startsWith(FRESH_PREFIX)) rmSync(join(dir, name), { recursive: true });
    }
    mkdirSync(fresh);
    await openStore({ dir: fresh, readOnly: false }).close();
    renameSync(join(fresh, DATA_FILE), join(dir, DATA_FILE));
    rmSync(fresh, { recursive: true });
    syncFolder(dir);
  } catch (cause) {
    throw new EdgeError("DATA_UNWRITABLE", undefined, { detail: { path: dir }, cause });
  }
}

function openOrThrow(openIt: () => Store): Store {
  try {
    return openIt();
  } catch (error) {
    throw asRegistryError(error);
  }
}
