// Values too large for the pages of an embedded store: each a file of a folder that all workers share, written whole
// before its name is stored, and never changed. Whoever has opened a file reads it to its end, also when it is removed
// meanwhile. What a killed process leaves behind is removed when the folder is opened.

import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { open, readdir, readFile, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

/** What is written now may not be stored yet, by any worker: files so young are left alone. */
const SWEPT_AFTER_MS = 3_600_000;

export class BlobFolder {
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
  }

  /** To its name. On the disk when it resolves, unless it need not be (`sync`). */
  async write(
    bytes: Uint8Array,
    { sync = true }: { readonly sync?: boolean } = {},
  ): Promise<string> {
    const blob = await this.create();
    try {
      await blob.file.writeFile(bytes);
      if (sync) await blob.file.sync();
    } catch (error) {
      await this.remove(blob.name);
      throw error;
    } finally {
      await blob.file.close();
    }
    return blob.name;
  }

  /** For what comes in pieces. The caller closes it. */
  async create(): Promise<{ readonly name: string; readonly file: FileHandle }> {
    const name = randomUUID();
    return { name, file: await open(join(this.#folder, name), "wx", 0o600) };
  }

  /** null: it was removed. */
  async read(name: string): Promise<Buffer | null> {
    return readFile(join(this.#folder, name)).catch(absent);
  }

  /** null: it was removed. The caller closes it. */
  async open(name: string): Promise<FileHandle | null> {
    return open(join(this.#folder, name)).catch(absent);
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true });
  }

  /** Removes what nothing refers to. */
  async sweep(isUsed: (name: string) => boolean, nowMs: number): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (isUsed(name)) continue;
      const found = await stat(join(this.#folder, name)).catch(absent);
      if (found !== null && found.mtimeMs < nowMs - SWEPT_AFTER_MS) await this.remove(name);
    }
  }
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
