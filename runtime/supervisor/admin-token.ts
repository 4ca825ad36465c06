// The admin token: the operator's, or one made at first start and kept in the data folder for its owner's eyes.

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";

export const TOKEN_FILE = "admin-token";
const TOKEN_BYTES = 32;

export function adminToken(data: string, fixed: string | undefined): string {
  if (fixed !== undefined) return fixed;
  const file = join(data, TOKEN_FILE);
  try {
    const token = readFileSync(file, "utf8").trim();
    if (token !== "") return token;
  } catch {
    // First start: there is none yet.
  }
  const token = `islet_${randomBytes(TOKEN_BYTES).toString("base64url")}`;
  try {
    writeFileSync(file, `${token}\n`, { mode: 0o600 });
  } catch (cause) {
    throw new EdgeError("DATA_UNWRITABLE", `${file} cannot be written.`, { cause });
  }
  return token;
}
