// The node's key: the operator's, or one made at first start and kept in the data folder for its owner's eyes. Without
// it nothing that was sealed can be read again, so it is never made anew where there was one.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import { writeWhole } from "../disk.ts";
import { KEY_BYTES, parseKey } from "./vault.ts";

export const KEY_FILE = "secret-key";
const OWNER_ONLY = 0o600;

export interface KeyOptions {
  /** Data folder. */
  readonly data: string;
  /** EDGE_SECRET_KEY. */
  readonly key?: string;
  /** EDGE_SECRET_KEY_FILE, absolute. */
  readonly keyFile?: string;
  /** Something is sealed already. */
  readonly isNeeded: boolean;
}

/** Throws SECRET_KEY_INVALID or DATA_UNWRITABLE. */
export function openKey({ data, key, keyFile, isNeeded }: KeyOptions): Buffer {
  if (key !== undefined) return parseKey(key, "EDGE_SECRET_KEY");
  const file = keyFile ?? join(data, KEY_FILE);
  const text = readIfThere(file);
  if (text !== null) return parseKey(text, file);
  if (keyFile !== undefined || isNeeded) {
    const message = `There is no ${file}${isNeeded ? ", and secrets are sealed already" : ""}`;
    throw new EdgeError("SECRET_KEY_INVALID", message);
  }
  const made = randomBytes(KEY_BYTES);
  const line = Buffer.from(`${made.toString("base64")}\n`);
  try {
    // Whole and on the disk before anything is sealed with it.
    writeWhole(file, line, { temporary: `${file}.new`, mode: OWNER_ONLY });
  } catch (cause) {
    throw new EdgeError("DATA_UNWRITABLE", `${file} cannot be written.`, { cause });
  }
  return made;
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    if (isMissing) return null;
    throw new EdgeError("SECRET_KEY_INVALID", `${file} cannot be read`, { cause });
  }
}
