// Verifies passwords against their hashes. scrypt is meant to cost: tens of milliseconds on a thread and 16 MB each.
// So few run at once, few wait, and one that was right is remembered, by a keyed hash that means nothing outside of
// this process.

import { createHmac, hash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { PasswordHash, ScryptHash } from "../../../../sdk/gateway/policies.ts";

/** Of libuv's four threads, which also do the files' work. */
const AT_ONCE_MAX = 2;
/** A second or two of them; beyond it waiting helps nobody. */
export const WAITING_MAX = 64;
/** A hundred bytes each. */
const REMEMBERED_MAX = 1_024;

export class Passwords {
  readonly #secret = randomBytes(32);
  /** In the order in which they were last used. */
  readonly #right = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  verify(password: string, stored: PasswordHash): boolean | Promise<boolean | "busy"> {
    if (stored.kind === "sha256") {
      const given = Buffer.from(hash("sha256", password, "hex"));
      return timingSafeEqual(given, Buffer.from(stored.hash));
    }
    const { salt, hash: wanted } = stored;
    const proof = createHmac("sha256", this.#secret)
      .update(`${salt}\n${wanted}\n${password}`)
      .digest("base64");
    if (!this.#right.delete(proof)) return this.#hash(password, stored, proof);
    this.#right.add(proof);
    return true;
  }

  async #hash(password: string, stored: ScryptHash, proof: string): Promise<boolean | "busy"> {
    if (this.#running >= AT_ONCE_MAX) {
      if (this.#waiting.length >= WAITING_MAX) return "busy";
      // Who leaves hands its place on.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      const isRight = await isHashed(password, stored);
      if (isRight) this.#remember(proof);
      return isRight;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #remember(proof: string): void {
    this.#right.add(proof);
    if (this.#right.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#right;
    if (oldest !== undefined) this.#right.delete(oldest);
  }
}

/** One for all routes of this process. */
export const passwords: Passwords = new Passwords();

function isHashed(password: string, stored: ScryptHash): Promise<boolean> {
  const { log2N, r, p } = stored;
  const wanted = Buffer.from(stored.hash, "base64");
  const options = { N: 2 ** log2N, r, p, maxmem: 2 * 128 * r * 2 ** log2N };
  return new Promise((resolve, reject) => {
    scrypt(password, Buffer.from(stored.salt, "base64"), wanted.length, options, (error, key) => {
      if (error === null) resolve(timingSafeEqual(key, wanted));
      else reject(error);
    });
  });
}
