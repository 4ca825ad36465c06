// Signed and encrypted tokens, key sets (local, and fetched from this node), key formats.
import * as jose from "jose";

const SECRET = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const ALGORITHMS = ["ES256", "ES384", "EdDSA", "PS256", "RS256"];
const keys = new Map();

async function pairOf(algorithm) {
  if (!keys.has(algorithm))
    keys.set(algorithm, await jose.generateKeyPair(algorithm, { extractable: true }));
  return keys.get(algorithm);
}

const cases = {
  async hmac() {
    const token = await new jose.SignJWT({ role: "admin" })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject("ada")
      .setIssuedAt()
      .setExpirationTime("2h")
      .sign(SECRET);
    const { payload } = await jose.jwtVerify(token, SECRET, { subject: "ada" });
    return [payload.role, payload.exp - payload.iat];
  },
  async signatures() {
    const verified = [];
    for (const alg of ALGORITHMS) {
      const { privateKey, publicKey } = await pairOf(alg);
      const token = await new jose.SignJWT({ alg }).setProtectedHeader({ alg }).sign(privateKey);
      const again = await jose.importSPKI(await jose.exportSPKI(publicKey), alg);
      verified.push((await jose.jwtVerify(token, again)).payload.alg);
    }
    return verified;
  },
  async encrypted() {
    const { privateKey, publicKey } = await jose.generateKeyPair("ECDH-ES+A256KW");
    const pairs = [
      ["dir", "A256GCM", SECRET, SECRET],
      ["A256KW", "A128CBC-HS256", SECRET, SECRET],
      ["PBES2-HS256+A128KW", "A128GCM", SECRET, SECRET],
      ["ECDH-ES+A256KW", "A256GCM", publicKey, privateKey],
    ];
    const read = [];
    for (const [alg, enc, to, by] of pairs) {
      const token = await new jose.EncryptJWT({ alg }).setProtectedHeader({ alg, enc }).encrypt(to);
      const options = { keyManagementAlgorithms: [alg] };
      read.push((await jose.jwtDecrypt(token, by, options)).payload.alg);
    }
    return read;
  },
  async expired() {
    const token = await new jose.SignJWT()
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(1)
      .sign(SECRET);
    return jose.jwtVerify(token, SECRET).catch(({ code, claim }) => [code, claim]);
  },
  async forged() {
    const token = await new jose.SignJWT().setProtectedHeader({ alg: "HS256" }).sign(SECRET);
    return jose.jwtVerify(`${token.slice(0, -4)}AAAA`, SECRET).catch(({ code }) => code);
  },
  async thumbprint() {
    const jwk = {
      kty: "EC",
      crv: "P-256",
      x: "jJ6Flys3zK9jUhnOHf6G49Dyp5hah6CNP84-gY-n9eo",
      y: "nhI6iD5eFXgBTLt_1p3aip-5VbZeMhxeFSpjfEAf7Ww",
    };
    return jose.calculateJwkThumbprint(jwk);
  },
  async jwks() {
    const { publicKey } = await pairOf("ES256");
    return { keys: [{ ...(await jose.exportJWK(publicKey)), kid: "1", alg: "ES256" }] };
  },
  async remote(url) {
    const { privateKey } = await pairOf("ES256");
    const token = await new jose.SignJWT({ from: "afar" })
      .setProtectedHeader({ alg: "ES256", kid: "1" })
      .sign(privateKey);
    const set = jose.createRemoteJWKSet(new URL("jwks", url));
    return (await jose.jwtVerify(token, set)).payload.from;
  },
};

export default {
  async fetch({ url }) {
    return Response.json(await cases[url.split("/").pop()](url));
  },
};
