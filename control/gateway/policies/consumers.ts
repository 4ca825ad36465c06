// Who may be named by a credential. Keys and passwords leave here as hashes: a key that is written out, which should be
// one of the environment's, is hashed at once, and one that the file itself holds is a hash already.

import { hash, randomBytes, scryptSync } from "node:crypto";
import { z } from "zod";
import type { ConsumerConfig, PasswordHash } from "../../../sdk/gateway/policies.ts";
import { list, nameField, text } from "../fields.ts";
import { consumerLimit } from "./limits.ts";

export const CONSUMERS_MAX = 10_000;
/** Of a key: what cannot be guessed. */
const KEY = "a key of 16 characters or more, as a variable, or sha256: and its hash in hex";
const PASSWORD = "a password, as a variable, or $scrypt$ln=14,r=8,p=1$SALT$HASH";
/** 64 MB and a fifth of a second each; beyond it a few requests hold up a worker. */
const SCRYPT_LOG2_MAX = 16;
/** 16 MB and some 50 ms: what a worker can bear. */
const SCRYPT_LOG2 = 14;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Of a password; shorter ones are guessed. */
export const PASSWORD_CHARS_MIN = 8;
export const PASSWORD_CHARS_MAX = 1_024;

const key: z.ZodType<string, string> = z
  .string({ error: KEY })
  .max(1_024, KEY)
  .regex(/^(?:sha256:[0-9a-f]{64}|(?!sha256:)[!-~]{16,})$/i, KEY)
  .transform((value) =>
    /^sha256:/i.test(value)
      ? value.slice("sha256:".length).toLowerCase()
      : hash("sha256", value, "hex"),
  );

const password: z.ZodType<PasswordHash, string> = z
  .string({ error: PASSWORD })
  .min(PASSWORD_CHARS_MIN, PASSWORD)
  .max(PASSWORD_CHARS_MAX, PASSWORD)
  .transform((value, context): PasswordHash => {
    if (!value.startsWith("$")) return { kind: "sha256", hash: hash("sha256", value, "hex") };
    const stored = parseScrypt(value);
    if (stored !== null) return stored;
    context.addIssue({ code: "custom", message: PASSWORD });
    return z.NEVER;
  });

/** What the file holds in the password's place. */
export function hashPassword(value: string): string {
  const salt = randomBytes(SALT_BYTES);
  const digest = scryptSync(value, salt, HASH_BYTES, { N: 2 ** SCRYPT_LOG2, r: 8, p: 1 });
  const plain = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
  return `$scrypt$ln=${SCRYPT_LOG2},r=8,p=1$${plain(salt)}$${plain(digest)}`;
}

/** As others write it too: parameters, then salt and hash in base64 without padding. */
function parseScrypt(value: string): PasswordHash | null {
  const found = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([\w+/]{11,})=*\$([\w+/]{22,172})=*$/.exec(
    value,
  );
  const [, ln = "0", r = "0", p = "0", salt = "", digest = ""] = found ?? [];
  const [log2N, blocks, lanes] = [Number(ln), Number(r), Number(p)];
  const isBounded = log2N >= 10 && log2N <= SCRYPT_LOG2_MAX && blocks === 8 && lanes === 1;
  return isBounded ? { kind: "scrypt", log2N, r: blocks, p: lanes, salt, hash: digest } : null;
}

export const consumer: z.ZodType<Omit<ConsumerConfig, "name">, unknown> = z
  .strictObject({
    keys: list(key, "keys", 20).default([]),
    password: text(PASSWORD).pipe(password).optional(),
    groups: list(nameField, "groups", 100).default([]),
    rateLimit: consumerLimit.optional(),
  })
  .transform(({ keys, password: stored, groups, rateLimit }) => ({
    keys,
    groups,
    password: stored ?? null,
    limit: rateLimit ?? null,
  }));
