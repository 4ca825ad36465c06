import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { EdgeError } from "../../sdk/errors.ts";
import { createCryptoCalls } from "./crypto-calls.ts";
import { HASH_PIECE_BYTES } from "./crypto/hashing.ts";
import type { CallService } from "./call.ts";

async function ask(
  service: CallService,
  name: string,
  args: string,
  bytes: Uint8Array | null,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<ArrayBuffer>();
  const known = service.call(name, {
    id: 1,
    owner: 1,
    args,
    bytes: bytes === null ? null : new Uint8Array(bytes).buffer,
    trail: () => "",
    isOwned: () => true,
    renew: () => undefined,
    note: () => undefined,
    hold: () => true,
    keep: () => () => undefined,
    ok: (payload) => reject(new Error(`Text instead of bytes: ${payload}`)),
    okBytes: resolve,
    fail: (code, message) => reject(new EdgeError(code, message)),
  });
  if (!known) throw new Error("unknown");
  return Buffer.from(await promise).toString("hex");
}

const ALGORITHMS = ["MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"];

test.each(ALGORITHMS)("digest with %s equals node's, for inputs of every size", async (name) => {
  const nodes = name.replace("-", "").toLowerCase();
  for (const size of [0, 1, HASH_PIECE_BYTES, HASH_PIECE_BYTES + 1, 3 * HASH_PIECE_BYTES + 7]) {
    const data = Buffer.alloc(size, "ab\0\xff", "latin1");
    const expected = createHash(nodes).update(data).digest("hex");
    expect(await ask(createCryptoCalls(), "crypto.digest", name, data)).toBe(expected);
  }
});

test("digest takes names in any case, and no bytes as empty ones", async () => {
  const empty = createHash("sha256").digest("hex");
  expect(await ask(createCryptoCalls(), "crypto.digest", "sha-256", null)).toBe(empty);
});

test.each([
  ["crypto.digest", ""],
  ["crypto.digest", "sha256"],
  ["crypto.digest", "constructor"],
])("%s with %j is refused", async (name, args) => {
  await expect(ask(createCryptoCalls(), name, args, Buffer.from("x"))).rejects.toMatchObject({
    code: "CALL_INVALID",
  });
});

test("a large input leaves turns of the event loop to others", async () => {
  let turns = 0;
  let done = false;
  const count = (): void => {
    turns++;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  await ask(createCryptoCalls(), "crypto.digest", "SHA-512", Buffer.alloc(16 * HASH_PIECE_BYTES));
  done = true;
  expect(turns).toBeGreaterThanOrEqual(15);
});

test("closing ends a hash that is under way", async () => {
  const service = createCryptoCalls();
  const answer = ask(service, "crypto.digest", "SHA-1", Buffer.alloc(4 * HASH_PIECE_BYTES));
  service.close();
  await expect(answer).rejects.toMatchObject({ code: "CANCELLED" });
});

test("other services' calls are left alone", async () => {
  await expect(ask(createCryptoCalls(), "crypto.sign", "", null)).rejects.toThrow("unknown");
});
