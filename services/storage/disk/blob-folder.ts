// The content of objects: files named by the SHA-256 of what is in them, so that the same content is kept once. Several
// processes share the folder. Which content is in use is the index's to know (disk-index.ts).
//
//   blobs/ab/abcdef…            whole, synced to disk, never changed
//   incoming/PID-START-ID       being written by the process that started then
//   incoming/PID-START-ID-HASH  whole; may already be among the blobs and not yet in the index
//
// A name in `incoming` whose process has gone is what a crash left. It says by itself what else may have been left.

import { createHash, randomBytes, type Hash } from "node:crypto";
import { existsSync, linkSync, readFileSync, rmSync } from "node:fs";
import { link, mkdir, open, readdir, rename, rm, statfs, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { EdgeError } from "../../../sdk/errors.ts";

export type BlobHash = string;

const SHARDS: readonly string[] = Array.from({ length: 256 }, (_none, at) =>
  at.toString(16).padStart(2, "0"),
);
const INCOMING: RegExp = /^(\d+)-(\d+)-[0-9a-f]{32}(?:-([0-9a-f]{64}))?$/;
const FOLDER_MODE = 0o750;
/** Leaves the node's registry, logs and databases on the same disk room to go on. */
const FREE_BYTES_MIN: number = 256 * 1_024 ** 2;
/** Written between two looks at how much is free. */
const LOOK_BYTES: number = 64 * 1_024 ** 2;
/** One piece of a body that is read: large beside what one read costs, small beside what may wait for a handler. */
const READ_BYTES: number = 128 * 1_024;

/** Written, synced, and not yet a blob. */
export interface Received {
  readonly hash: BlobHash;
  readonly size: number;
  readonly path: string;
}

export class BlobFolder {
  readonly #blobs: string;
  readonly #incoming: string;

  constructor(folder: string) {
    this.#blobs = join(folder, "blobs");
    this.#incoming = join(folder, "incoming");
  }

  async prepare(): Promise<void> {
    try {
      for (const folder of [this.#incoming, ...SHARDS.map((shard) => join(this.#blobs, shard))]) {
        await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      }
    } catch (error) {
      throw diskError(error);
    }
  }

  /** Writes the body and waits until the disk has it. Nothing is left when it rejects. */
  async receive(body: AsyncIterable<Uint8Array>): Promise<Received> {
    const id = randomBytes(16).toString("hex");
    const path = join(this.#incoming, `${process.pid}-${startOf(process.pid)}-${id}`);
    try {
      const { hash, size } = await this.#write(path, body);
      const whole = `${path}-${hash}`;
      await rename(path, whole);
      return { hash, size, path: whole };
    } catch (error) {
      await rm(path, { force: true });
      throw diskError(error);
    }
  }

  async #write(
    path: string,
    body: AsyncIterable<Uint8Array>,
  ): Promise<{ hash: BlobHash; size: number }> {
    await this.#checkSpace();
    const file = await open(path, "wx", 0o640);
    try {
      const hash: Hash = createHash("sha256");
      let size = 0;
      let lookAt = LOOK_BYTES;
      for await (const piece of body) {
        hash.update(piece);
        await file.writeFile(piece);
        size += piece.byteLength;
        if (size < lookAt) continue;
        lookAt += LOOK_BYTES;
        await this.#checkSpace();
      }
      await file.datasync();
      return { hash: hash.digest("hex"), size };
    } finally {
      await file.close();
    }
  }

  /** Its name among the blobs is on the disk when this resolves. */
  async add({ hash, path }: Received): Promise<void> {
    const shard = this.#shard(hash);
    try {
      await link(path, join(shard, hash)).catch(unlessThere);
      const folder = await open(shard, "r");
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    } catch (error) {
      throw diskError(error);
    }
  }

  /** Under the index's lock: what `add` made may have been removed since, as content that nobody uses. */
  ensure({ hash, path }: Received): void {
    const blob = join(this.#shard(hash), hash);
    if (!existsSync(blob)) linkSync(path, blob);
  }

  async release({ path }: Received): Promise<void> {
    await rm(path, { force: true });
  }

  /** Under the index's lock, and for content that it says nobody uses. */
  remove(hash: BlobHash): void {
    rmSync(join(this.#shard(hash), hash), { force: true });
  }

  /** null when there is no such content (any more). */
  async open(hash: BlobHash): Promise<FileHandle | null> {
    try {
      return await open(join(this.#shard(hash), hash), "r");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw diskError(error);
    }
  }

  /** Removes what processes left that have gone; `collect` looks after content that may be in no index. */
  async sweep(collect: (hashes: readonly BlobHash[]) => Promise<void>): Promise<void> {
    const left = (await readdir(this.#incoming)).flatMap((name) => {
      const [, pid, start, hash] = INCOMING.exec(name) ?? [];
      return pid === undefined || startOf(Number(pid)) === start ? [] : [{ name, hash }];
    });
    await collect(left.flatMap(({ hash }) => hash ?? []));
    for (const { name } of left) await rm(join(this.#incoming, name), { force: true });
  }

  #shard(hash: BlobHash): string {
    return join(this.#blobs, hash.slice(0, 2));
  }

  async #checkSpace(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#incoming);
    if (bavail * bsize >= FREE_BYTES_MIN) return;
    throw new EdgeError("SERVICE_UNAVAILABLE", "The disk of the embedded storage is full.");
  }
}

/** The next piece of a file from `at`, of at most `left` bytes. */
export async function readPiece(file: FileHandle, at: number, left: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(left, READ_BYTES));
  try {
    const { bytesRead } = await file.read(bytes, 0, bytes.byteLength, at);
    if (bytesRead > 0) return bytes.subarray(0, bytesRead);
  } catch (error) {
    throw diskError(error);
  }
  throw new EdgeError("SERVICE_FAILED", "The object's content on the disk is damaged.");
}

/** Of a process, in ticks since the machine started; null when there is none. Numbers alone come again. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name before it may hold anything.
    return stat.slice(stat.lastIndexOf(")")).split(" ")[20] ?? null;
  } catch {
    return null;
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

function unlessThere(error: unknown): void {
  if (codeOf(error) !== "EEXIST") throw error;
}

export function diskError(error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof EdgeError || typeof code !== "string" || code.startsWith("ERR_")) {
    return error;
  }
  if (code === "EMFILE" || code === "ENFILE") {
    return new EdgeError("SERVICE_OVERLOADED", "Too many files are open.", { cause: error });
  }
  const text = code === "ENOSPC" ? "is full" : `does not do what it is asked (${code})`;
  const message = `The disk of the embedded storage ${text}.`;
  return new EdgeError("SERVICE_UNAVAILABLE", message, { cause: error });
}
