import { createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { EdgeError } from "../../sdk/errors.ts";
import { createCryptoCalls, HASH_PIECE_BYTES } from "./crypto-calls.ts";
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

test.each([0, 1, 64, 200])("hmac with a key of %i bytes equals node's", async (keyLength) => {
  const key = Buffer.alloc(keyLength, "k\0");
  const data = Buffer.alloc(2 * HASH_PIECE_BYTES, "data");
  const expected = createHmac("sha512", key).update(data).digest("hex");
  const bytes = Buffer.concat([key, data]);
  expect(await ask(createCryptoCalls(), "crypto.hmac", `SHA-512\n${keyLength}`, bytes)).toBe(
    expected,
  );
});

test("hmac refuses a key longer than the bytes, and takes one just as long", async () => {
  const service = createCryptoCalls();
  const bytes = Buffer.from("key");
  expect(await ask(service, "crypto.hmac", "SHA-1\n3", bytes)).toBe(
    createHmac("sha1", bytes).digest("hex"),
  );
  await expect(ask(service, "crypto.hmac", "SHA-1\n4", bytes)).rejects.toMatchObject({
    code: "CALL_INVALID",
  });
});

test.each([
  ["crypto.digest", ""],
  ["crypto.digest", "sha256"],
  ["crypto.digest", "constructor"],
  ["crypto.hmac", "SHA-256"],
  ["crypto.hmac", "SHA-256\n-1"],
  ["crypto.hmac", "SHA-256\n1.5"],
  ["crypto.hmac", "SHA-256\n1\nx"],
  ["crypto.hmac", "SHA3-256\n0"],
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
