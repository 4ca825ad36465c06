// `crypto` in real isolates: keys that are kept between requests, floods and forgeries beside a neighbour, and a
// library that needs nearly all of it.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DIGEST_STREAMS_MAX } from "../../sdk/limits.ts";
import { openWorkshop, type Opened, type Workshop } from "./instances.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const LIMITS = { cpuMs: 5_000, wallMs: 60_000 };

let workshop: Workshop;
let neighbour: Opened;
beforeAll(async () => {
  workshop = await openWorkshop();
  neighbour = workshop.open({
    source: `const key = crypto.subtle.importKey.bind(crypto.subtle, "raw", new Uint8Array(16), "AES-GCM", false, ["encrypt"]);
      export default { async fetch() {
        const secret = await crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, await key(), new Uint8Array(4));
        return new Response(String(secret.byteLength));
      } };`,
    limits: LIMITS,
  });
  expect(await neighbour.text()).toBe("20");
});
afterAll(() => workshop.close());

function handler(body: string): Opened {
  const source = `const { subtle } = crypto;
    const caught = async (run) => { try { return await run(); } catch (error) { return error.name; } };
    export default { async fetch(request) { ${body} } };`;
  return workshop.open({ source, limits: LIMITS });
}

test("a key made in one request is used in the next", async () => {
  const opened = handler(`
    globalThis.pair ??= await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
    const use = { name: "ECDSA", hash: "SHA-256" };
    const signature = await subtle.sign(use, pair.privateKey, new Uint8Array(3));
    return new Response(await subtle.verify(use, pair.publicKey, signature, new Uint8Array(3)));`);
  for (let at = 0; at < 3; at++) expect(await opened.text()).toBe("true");
});

test("data that changes behind the call has been copied", async () => {
  const opened = handler(`
    const key = await subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    const data = new Uint8Array(10);
    const signing = subtle.sign("HMAC", key, data);
    data.fill(1);
    return new Response(await subtle.verify("HMAC", key, await signing, new Uint8Array(10)));`);
  expect(await opened.text()).toBe("true");
});

test("thenables and patched prototypes see nothing of a key but what is the author's", async () => {
  const opened = handler(`
    const seen = [];
    let inside = false;
    const note = (value) => {
      if (inside) return;
      inside = true;
      try { seen.push(JSON.stringify(value) ?? ""); } catch {}
      inside = false;
    };
    const define = (name) => Object.defineProperty(Object.prototype, name,
      { configurable: true, get() { note(this); return undefined; }, set(value) { note(value); } });
    const raw = new TextEncoder().encode("the secret itself");
    const names = ["then", "toJSON", "seal", "material"];
    names.forEach(define);
    const key = await subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
    const signature = await subtle.sign("HMAC", key, raw);
    for (const name of names) delete Object.prototype[name];
    return new Response(String(/secret|dGhlIHNlY3JldC/.test(seen.join())) + signature.byteLength);`);
  expect(await opened.text()).toBe("false20");
});

describe("too much is refused, and the neighbour goes on:", () => {
  test.each([
    [
      "PBKDF2",
      `subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(8), iterations: 4e9 }, key, 512)`,
    ],
    [
      "a long RSA key",
      `subtle.generateKey({ name: "RSA-PSS", modulusLength: 16384, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-1" }, false, ["sign"])`,
    ],
    [
      "an exponent without primes",
      `subtle.generateKey({ name: "RSA-PSS", modulusLength: 2048, publicExponent: new Uint8Array([1]), hash: "SHA-1" }, false, ["sign"])`,
    ],
    [
      "a huge HMAC key",
      `subtle.generateKey({ name: "HMAC", length: 2 ** 31, hash: "SHA-1" }, false, ["sign"])`,
    ],
    [
      "data",
      `subtle.encrypt({ name: "AES-CBC", iv: new Uint8Array(16) }, aes, new Uint8Array(2 ** 24 + 1))`,
    ],
  ])("%s", async (_name, code) => {
    const opened = handler(`
      const key = await subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
      const aes = await subtle.generateKey({ name: "AES-CBC", length: 128 }, false, ["encrypt"]);
      return new Response(await caught(() => ${code}));`);
    expect(await opened.text()).toBe("OperationError");
    expect(await neighbour.text()).toBe("20");
  });

  test("digest streams beyond their number", async () => {
    const opened = handler(`
      const streams = Array.from({ length: ${DIGEST_STREAMS_MAX + 1} }, () => new crypto.DigestStream("SHA-1").getWriter());
      const ends = [];
      for (const stream of streams) ends.push(await caught(() => stream.write(new Uint8Array(1))));
      return Response.json(ends.map(String));`);
    const ends = JSON.parse(await opened.text()) as string[];
    expect(ends.slice(0, -1).every((end) => end === "undefined")).toBe(true);
    expect(ends.at(-1)).toBe("OperationError");
    // They ended with their request.
    expect(JSON.parse(await opened.text())).toEqual(ends);
  });
});

test("a flood of slow operations leaves the neighbour its turns", async () => {
  const flood = handler(`
    const key = await subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
    const all = Array.from({ length: 1e4 }, () =>
      subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(8), iterations: 2e5 }, key, 512));
    all.forEach((each) => each.catch(() => {}));
    await Promise.race([all.at(-1)]).catch(() => {});
    return new Response(await caught(() => Promise.all(all)));`);
  const sent = flood.send();
  for (let at = 0; at < 20; at++) expect(await neighbour.text()).toBe("20");
  sent.exchange.disconnect();
  await sent.ended();
  expect(await neighbour.text()).toBe("20");
});

test("jose signs, verifies, encrypts and decrypts in a handler", async () => {
  const built = await build({
    stdin: {
      contents: `
        import { CompactEncrypt, compactDecrypt, exportJWK, generateKeyPair, generateSecret, importJWK, jwtVerify, SignJWT } from "jose";
        const round = async (alg) => {
          const pair = await generateKeyPair(alg, { extractable: true });
          const token = await new SignJWT({ alg }).setProtectedHeader({ alg }).setExpirationTime("1h").sign(pair.privateKey);
          const key = await importJWK(await exportJWK(pair.publicKey), alg);
          return (await jwtVerify(token, key)).payload.alg;
        };
        const seal = async (alg) => {
          const symmetric = /^A|^dir/.test(alg) && !/^(RSA|ECDH)/.test(alg);
          const pair = symmetric ? await generateSecret(alg) : await generateKeyPair(alg);
          const data = new TextEncoder().encode(alg);
          const token = await new CompactEncrypt(data).setProtectedHeader({ alg, enc: "A256GCM" }).encrypt(pair.publicKey ?? pair);
          return new TextDecoder().decode((await compactDecrypt(token, pair.privateKey ?? pair)).plaintext);
        };
        export default { async fetch() {
          const out = [];
          for (const alg of ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"]) out.push(await round(alg));
          for (const alg of ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "A256KW", "A128GCMKW"]) out.push(await seal(alg));
          return Response.json(out);
        } };`,
      resolveDir: HERE,
      loader: "js",
    },
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker"],
    write: false,
  });
  const opened = workshop.open({ source: built.outputFiles[0]?.text ?? "", limits: LIMITS });
  expect(JSON.parse(await opened.text())).toEqual([
    "RS256",
    "PS256",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "RSA-OAEP-256",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "A256KW",
    "A128GCMKW",
  ]);
});
