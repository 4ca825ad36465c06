// Mail without a server: each is a file that a person can open, beside it what the envelope said. The newest are kept.
// All workers write into the same folder; a mail is there when its .json (a KeptMail) is, which is written last.

import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { EmbeddedConfig, ServicePlaces } from "../../sdk/services/config.ts";
import type { EmailBackend, KeptMail } from "../../sdk/services/email.ts";
import { composeLetter, type Letter, type Sender } from "./nodemailer.ts";

/** A few weeks of a developer's mails. */
export const OUTBOX_MAILS_MAX = 1_000;
export const OUTBOX_BYTES_MAX: number = 256 * 1_024 * 1_024;
const FOLDER = "outbox";
/** Sorts by time, and is a file's name: 001700000000000-UUID. */
const ID = /^\d{15}-[0-9a-f-]{36}$/;
const TIME_DIGITS = 15;
const SENDER: Sender = { from: { address: "outbox@localhost", name: "" }, replyTo: null };

export interface OutboxOptions {
  readonly places: ServicePlaces;
  /** The wall clock. */
  readonly now?: () => number;
  readonly mailsMax?: number;
  readonly bytesMax?: number;
}

export async function openOutbox(
  _config: EmbeddedConfig,
  {
    places,
    now = Date.now,
    mailsMax = OUTBOX_MAILS_MAX,
    bytesMax = OUTBOX_BYTES_MAX,
  }: OutboxOptions,
): Promise<EmailBackend> {
  const folder = join(places.folder, FOLDER);
  await onDisk(() => mkdir(folder, { recursive: true }));

  async function keep({ messageId, from, to, raw }: Letter): Promise<void> {
    const time = now();
    const id = `${String(time).padStart(TIME_DIGITS, "0")}-${randomUUID()}`;
    const bytes = raw.byteLength;
    const sentAt = new Date(time).toISOString();
    const entry: KeptMail = { id, sentAt, messageId, from, to, bytes };
    await writeFile(join(folder, `${id}.eml`), raw);
    const part = join(folder, `${id}.part`);
    await writeFile(part, JSON.stringify(entry));
    await rename(part, join(folder, `${id}.json`));
    await makeRoom();
  }

  /** Oldest first; another worker may be doing the same. */
  async function makeRoom(): Promise<void> {
    const ids = (await idsIn(folder)).toReversed();
    let bytes = 0;
    for (const [at, id] of ids.entries()) {
      const size = await stat(join(folder, `${id}.eml`)).then(
        (found) => found.size,
        () => 0,
      );
      bytes += size;
      if (at < mailsMax && bytes <= bytesMax) continue;
      await rm(join(folder, `${id}.json`), { force: true });
      await rm(join(folder, `${id}.eml`), { force: true });
    }
  }

  return {
    outbox: {
      list: (limit) => listOutbox(places, limit),
      read: (id) => readOutbox(places, id),
    },
    async send(email, signal) {
      const letter = await composeLetter(email, SENDER);
      signal.throwIfAborted();
      await onDisk(() => keep(letter));
      return letter.messageId;
    },
    async probe() {
      await onDisk(() => readdir(folder));
      return { version: "embedded" };
    },
    async close() {},
  };
}

/** Newest first. */
export async function listOutbox(places: ServicePlaces, limit: number): Promise<KeptMail[]> {
  const folder = join(places.folder, FOLDER);
  const ids = (await onDisk(() => idsIn(folder))).toReversed().slice(0, limit);
  const entries = await Promise.all(
    ids.map((id) =>
      readFile(join(folder, `${id}.json`), "utf8").then(
        (text) => [JSON.parse(text) as KeptMail],
        // It has just made room for another.
        () => [],
      ),
    ),
  );
  return entries.flat();
}

/** null: there is no such mail, or no more. */
export async function readOutbox(places: ServicePlaces, id: string): Promise<Uint8Array | null> {
  if (!ID.test(id)) return null;
  return readFile(join(places.folder, FOLDER, `${id}.eml`)).catch(() => null);
}

/** Oldest first. */
async function idsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length))
    .filter((id) => ID.test(id))
    .toSorted();
}

async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new EdgeError("SERVICE_UNAVAILABLE", `The outbox cannot be written: ${why}.`, { cause });
  }
}
