// Where the workers of a data folder reach a cordon: one path per cordon's name, so that nobody has to be told
// where it is, and a replacement is found where the one before was.

import { createHash } from "node:crypto";
import { join } from "node:path";

const NAME_DIGITS = 16;

export function cordonSocket(folder: string, name: string): string {
  const digest = createHash("sha256").update(name).digest("hex");
  return join(folder, `${digest.slice(0, NAME_DIGITS)}.sock`);
}
