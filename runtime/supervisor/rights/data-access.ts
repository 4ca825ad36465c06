// Who may read what of the data folder. Without --user: its owner, and nobody else, by umask and modes. With it the
// folder stays root's, and the account's group gets what workers and children need:
//
//   registry blobs snapshots cache   read; and LMDB's lock file, in which readers enter themselves, also write
//   logs, snapshots/incoming         its own: workers log, children leave snapshots for the supervisor to look at
//   services                         its own: what embedded services keep
//   cache/home-UID                   its own: HOME
//   run                              pass through to the control socket
//   run/cordons                      its own: cordons listen there
//   run/gateway                      its own: what gateways share
//   admin-token, secret-key, run/lock   nothing
//
// Root writes into none of the account's own folders and follows no link there.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CANDIDATE_FOLDER } from "../../../compiler/snapshot-store.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import type { Account } from "./confinement.ts";

const ROOT = 0;
/** Files that root makes from now on are the group's to read: their folders hand it down. */
const UMASK = 0o027;
const FOLDER_MODE = 0o2750;
const FILE_MODE = 0o640;
const PASS_MODE = 0o710;
const PASS_OTHERS = 0o001;
const OWN_MODE = 0o700;
const JOINED_MODE = 0o660;
const SHARED = ["registry", "blobs", "snapshots", "cache"];
const LOCK_FILE = "lock.mdb";

/** Before anything in the folder is opened; it exists. Throws USER_UNUSABLE. Gives the account's home. */
export function shareData(path: string, account: Account): string {
  const { uid, mode } = lstatSync(path);
  if (uid !== ROOT) {
    const message = `${path} belongs to user ${uid}; with --user it must be root's: chown -R root:root ${path}`;
    throw new EdgeError("USER_UNUSABLE", message, { detail: { path, uid } });
  }
  process.umask(UMASK);
  for (const name of SHARED) {
    mkdirSync(join(path, name), { recursive: true });
    share(join(path, name), account.gid);
  }
  const home = join(path, "cache", `home-${account.uid}`);
  for (const own of ["logs", "services", join("snapshots", CANDIDATE_FOLDER)]) {
    give(join(path, own), account);
  }
  give(home, account);
  // One that holds other things was left as it was (control/data-folder.ts).
  if ((mode & PASS_OTHERS) === 0) letPass(path, account);
  return home;
}

/** LMDB's readers write into its lock file. Once it exists. */
export function shareRegistry(path: string): void {
  chmodSync(join(path, "registry", LOCK_FILE), JOINED_MODE);
}

/** The control socket's folder, which may lie among others' (control-socket.ts): never one of somebody else. */
export function openSocketFolder(socketPath: string, account: Account | null): void {
  const folder = dirname(socketPath);
  mkdirSync(folder, { recursive: true, mode: OWN_MODE });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== (process.getuid?.() ?? stat.uid)) {
    const message = `${folder} was made by somebody else; it would hold the control socket`;
    throw new EdgeError("DATA_UNWRITABLE", message, { detail: { path: folder } });
  }
  if (account !== null) letPass(folder, account);
}

/** Of the workers: who may enter it can ask every cordon, or change what gateways share. */
export function openWorkersFolder(folder: string, account: Account | null): void {
  if (account === null) mkdirSync(folder, { recursive: true, mode: OWN_MODE });
  else give(folder, account);
}

/** Connecting is writing. Once somebody listens on it. */
export function shareSocket(path: string, account: Account): void {
  chownSync(path, ROOT, account.gid);
  chmodSync(path, JOINED_MODE);
}

function letPass(folder: string, account: Account): void {
  chownSync(folder, ROOT, account.gid);
  chmodSync(folder, PASS_MODE);
}

/** Everything below, once per account: a folder that has its group is done. */
function share(folder: string, gid: number): void {
  const done = lstatSync(folder);
  if (done.gid === gid && (done.mode & 0o7777) === FOLDER_MODE) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    // The account's own folders lie below too.
    if (lstatSync(path).uid !== ROOT) continue;
    if (entry.isDirectory()) share(path, gid);
    else if (entry.isFile()) change(path, { uid: ROOT, gid, mode: FILE_MODE });
  }
  chownSync(folder, ROOT, gid);
  chmodSync(folder, FOLDER_MODE);
}

/** Files in it may be of another account that the node had before, which may still watch: no link is followed. */
function give(folder: string, { uid, gid }: Account): void {
  mkdirSync(folder, { recursive: true, mode: OWN_MODE });
  if (lstatSync(folder).uid === uid) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile()) change(join(folder, entry.name), { uid, gid, mode: FILE_MODE });
  }
  chownSync(folder, uid, gid);
  chmodSync(folder, OWN_MODE);
}

function change(
  path: string,
  { uid, gid, mode }: { readonly uid: number; readonly gid: number; readonly mode: number },
): void {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.nlink !== 1) return;
    fchownSync(file, uid, gid);
    fchmodSync(file, mode);
  } finally {
    closeSync(file);
  }
}
