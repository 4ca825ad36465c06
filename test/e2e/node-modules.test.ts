// Node's built-in modules in real isolates, by the flag that asks for them.

import { createHash, createHmac, pbkdf2Sync, scryptSync } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundle, bundleSource } from "../../compiler/bundle.ts";
import type { Bundle } from "../../sdk/publish.ts";
import { startNode, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";

let node: TestNode;

beforeAll(async () => {
  node = await startNode();
});

afterAll(() => node.stop());

async function publish(name: string, { format, code, map }: Bundle, vars = {}): Promise<string> {
  const codeSha256 = createHash("sha256").update(code).digest("hex");
  const body = { name, routes: [], vars, limits: {}, format, code, codeSha256, map };
  const answer = await node.api("POST", "/api/publish", body);
  expect(answer.error).toBeNull();
  return String(Reflect.get(Object(answer.data), "start"));
}

async function run(name: string, code: string, flags = ["nodejs_compat"], vars = {}) {
  const built = await bundleSource({ code, filename: "index.ts", compatibilityFlags: flags });
  const start = await publish(name, built, vars);
  const { status, text } = await node.get(`/${name}`);
  if (status !== 200) throw new Error(`${status} ${text}\n${node.output.slice(-2_000)}`);
  return { start, value: JSON.parse(text) as unknown };
}

const CONTEXT = `
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
const storage = new AsyncLocalStorage();
const other = new AsyncLocalStorage({ defaultValue: "none" });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const seen = {};
const note = (what) => { seen[what] = storage.getStore(); };
async function* numbers() { yield 1; await sleep(1); note("generator"); yield 2; }
const cases = async () => {
  note("at once");
  await null; note("await of nothing");
  await sleep(1); note("await of a timer");
  await Promise.all([sleep(1), sleep(2)]); note("Promise.all");
  try { await Promise.reject(new Error("no")); } catch { note("catch"); } finally { note("finally"); }
  for await (const _ of numbers()) note("for await");
  await Promise.resolve().then(() => note("then")).finally(() => note("finally()"));
  await new Promise((resolve) => queueMicrotask(() => { note("queueMicrotask"); resolve(); }));
  await new Promise((resolve) => { const timer = setInterval(() => { clearInterval(timer); note("setInterval"); resolve(); }, 1); });
  const target = new EventTarget();
  target.addEventListener("a", () => note("event"));
  target.dispatchEvent(new Event("a"));
  const stream = new ReadableStream({ async pull(controller) { await sleep(1); note("pull"); controller.enqueue("a"); controller.close(); } });
  const through = stream.pipeThrough(new TransformStream({ transform(chunk, controller) { note("transform"); controller.enqueue(chunk); } }));
  const reader = through.getReader();
  await reader.read(); note("read");
  seen.real = stream instanceof ReadableStream && new Response(stream.locked ? null : stream) instanceof Response;
  seen.nested = storage.run("inner", () => [storage.getStore(), other.getStore()]);
  seen.exit = String(storage.exit(() => storage.getStore()));
  seen.snapshot = storage.run("kept", () => AsyncLocalStorage.snapshot())(() => storage.getStore());
  seen.bound = storage.run("kept", () => AsyncLocalStorage.bind(() => storage.getStore()))();
  seen.resource = storage.run("kept", () => new AsyncResource("R")).runInAsyncScope((a, b) => [storage.getStore(), a, b], null, 1, 2);
  try { storage.run("thrown", () => { throw new Error("x"); }); } catch { note("after throw"); }
  return seen;
};
export default { async fetch(request) {
  const before = String(storage.getStore());
  if (request.url.endsWith("?entered")) {
    storage.enterWith("entered");
    await sleep(1);
    return Response.json([before, storage.getStore()]);
  }
  const ids = [1, 2, 3].map((id) => storage.run(id, async () => { await sleep(5 - id); await null; return storage.getStore(); }));
  return Response.json({ before, ids: await Promise.all(ids), seen: await storage.run("outer", cases), after: String(storage.getStore()) });
} };`;

test("AsyncLocalStorage follows awaits, timers, streams and callbacks, and never meets another request", async () => {
  const { value } = await run("context", CONTEXT, ["nodejs_als"]);
  const { seen, ...rest } = value as { seen: Record<string, unknown> };
  expect(rest).toEqual({ before: "undefined", ids: [1, 2, 3], after: "undefined" });
  const { real, nested, exit, snapshot, bound, resource, ...noted } = seen;
  expect([real, nested, exit]).toEqual([true, ["inner", "none"], "undefined"]);
  expect([snapshot, bound, resource]).toEqual(["kept", "kept", ["kept", 1, 2]]);
  expect(Object.keys(noted)).toHaveLength(17);
  expect(new Set(Object.values(noted))).toEqual(new Set(["outer"]));
  const many = await Promise.all([1, 2, 3, 4].map(() => node.get("/context?entered")));
  for (const { text } of many) expect(text).toBe('["undefined","entered"]');
});

test("modules do what Node's do", async () => {
  const { value } = await run(
    "modules",
    `
    import { Buffer as B } from "node:buffer";
    import { EventEmitter, once } from "node:events";
    import util, { promisify, format, isDeepStrictEqual, inspect } from "node:util";
    import path from "node:path";
    import { join } from "path";
    import { parse } from "node:querystring";
    import { fileURLToPath } from "node:url";
    import { StringDecoder } from "node:string_decoder";
    import { setTimeout as wait } from "node:timers/promises";
    import { channel } from "node:diagnostics_channel";
    import process from "node:process";
    const OldEmitter = require("events");
    class Old extends OldEmitter {}
    export default { async fetch() {
      const emitter = new EventEmitter();
      const heard = once(emitter, "a");
      emitter.emit("a", 1, 2);
      const decoder = new StringDecoder("utf8");
      const bytes = Buffer.from("grün€");
      const circle = { a: 1 }; circle.circle = circle;
      const messages = [];
      channel("c").subscribe((message) => messages.push(message));
      channel("c").publish("m");
      const old = new Old(); let called = 0; old.on("x", () => called++); old.emit("x");
      function Older() { OldEmitter.call(this); }
      util.inherits(Older, OldEmitter);
      new Older().on("x", () => called++).emit("x");
      const aborted = await wait(1000, 0, { signal: AbortSignal.timeout(1) }).catch((error) => error.name);
      return Response.json({
        buffer: [B === Buffer, bytes.toString("hex"), Buffer.from("AQI=", "base64").readUInt16BE(0)],
        heard: await heard, called,
        text: [...bytes].map((byte) => decoder.write(Buffer.of(byte))).join("") + decoder.end(),
        base64: new StringDecoder("base64").end(Buffer.from("abcd")),
        join: join("/a", "../b", "c"), base: path.basename("/x/y.txt", ".txt"),
        query: parse("a=1&b=%20&a=2"), file: fileURLToPath("file:///a/b"),
        waited: await wait(1, "w"), aborted, messages,
        promised: await promisify((a, done) => done(null, a + 1))(1),
        format: format("%s %d %j %%", "a", 2, { b: 1 }, "rest"),
        equal: [isDeepStrictEqual({ a: [new Map([[1, new Set([2])]])] }, { a: [new Map([[1, new Set([2])]])] }), util.isDeepStrictEqual([1], ["1"])],
        inspect: inspect(circle).includes("a: 1"), types: util.types.isUint8Array(bytes),
        env: [process.env.NAME, String(process.env.OTHER), Object.keys(process.env)],
        tick: await new Promise((resolve) => process.nextTick(resolve, "t")),
        immediate: await new Promise((resolve) => setImmediate(resolve, "i")),
        global: global === globalThis,
      });
    } };`,
    ["nodejs_compat"],
    { NAME: "n", NUMBER: 1 },
  );
  expect(value).toEqual({
    buffer: [true, "6772c3bc6ee282ac", 258],
    heard: [1, 2],
    called: 2,
    text: "grün€",
    base64: "YWJjZA==",
    join: "/b/c",
    base: "y",
    query: { a: ["1", "2"], b: " " },
    file: "/a/b",
    waited: "w",
    aborted: "AbortError",
    messages: ["m"],
    promised: 2,
    format: 'a 2 {"b":1} % rest',
    equal: [true, false],
    inspect: true,
    types: true,
    env: ["n", "undefined", ["NAME"]],
    tick: "t",
    immediate: "i",
    global: true,
  });
});

test("hashes, keys and randomness are computed in the isolate, and keys outside of it", async () => {
  const code = `
    import { createHash, createHmac, pbkdf2, pbkdf2Sync, randomBytes, randomInt, scryptSync, subtle, timingSafeEqual } from "node:crypto";
    import { promisify } from "node:util";
    const sign = require("crypto").createSign;
    export default { async fetch() {
      let missing; try { sign("RSA-SHA256"); } catch (error) { missing = error.code + " " + error.message; }
      const [a, b] = [randomBytes(16), randomBytes(16)];
      const keys = [pbkdf2Sync("p", "s", 100, 16, "sha512"), await promisify(pbkdf2)("p", "s", 100, 16, "sha512")];
      return Response.json({
        sha256: createHash("sha256").update("grün").digest("hex"),
        hmac: createHmac("sha1", "k").update(Buffer.of(1, 2)).digest("base64url"),
        keys: keys.map((key) => Buffer.isBuffer(key) && key.toString("hex")),
        scrypt: scryptSync("p", "s", 8, { N: 16 }).toString("hex"),
        random: [a.length, timingSafeEqual(a, b), randomInt(3, 4)],
        subtle: subtle === crypto.subtle, missing,
      });
    } };`;
  const { start, value } = await run("crypto", code);
  const key = pbkdf2Sync("p", "s", 100, 16, "sha512").toString("hex");
  expect(value).toEqual({
    sha256: createHash("sha256").update("grün").digest("hex"),
    hmac: createHmac("sha1", "k").update(Buffer.of(1, 2)).digest("base64url"),
    keys: [key, key],
    scrypt: scryptSync("p", "s", 8, { N: 16 }).toString("hex"),
    random: [16, false, 3],
    subtle: true,
    missing: expect.stringMatching(
      /^ERR_METHOD_NOT_IMPLEMENTED crypto.createSign .* crypto.subtle/,
    ),
  });
  expect(start).not.toBe("platform");
});

const STREAMS = `
import Stream, { Duplex, PassThrough, Readable, Transform, Writable, pipeline } from "node:stream";
import { finished, pipeline as piped } from "node:stream/promises";
import { json, text } from "node:stream/consumers";
import { ReadableStream as Web } from "node:stream/web";
import { EventEmitter } from "node:events";
const upper = () => new Transform({ decodeStrings: false, transform: (chunk, _, done) => done(null, String(chunk).toUpperCase()) });
class Counter extends Readable {
  count = 0;
  _read() { this.push(this.count === 3 ? null : String(this.count++)); }
}
function Older() { Writable.call(this); this.seen = []; }
require("util").inherits(Older, Writable);
Older.prototype._write = function (chunk, _, done) { this.seen.push(String(chunk)); done(); };
export default { async fetch(request) {
  if (request.method === "POST") {
    const body = Readable.fromWeb(request.body).pipe(upper());
    return new Response(Readable.toWeb(body), { headers: { "content-type": "text/plain" } });
  }
  const older = new Older();
  older.write("a"); older.end("b");
  await finished(older);
  const failed = await piped(Readable.from(["a"]), new Transform({ transform(_chunk, _encoding, done) { done(new RangeError("no")); } }), new PassThrough()).catch(String);
  const stopped = new AbortController();
  const stalled = piped(new Readable({ read() {} }), new PassThrough(), { signal: stopped.signal }).catch((error) => error.name);
  stopped.abort();
  return Response.json({
    kinds: [Stream === require("stream"), Stream.Readable === Readable, Web === ReadableStream, new Readable() instanceof EventEmitter, new Duplex() instanceof Writable],
    older: older.seen, failed, stopped: await stalled,
    counted: await text(new Counter().pipe(upper())),
    parsed: await json(Readable.from([Buffer.from('{"a":'), Buffer.from("1}")])),
    operators: await Readable.from([1, 2, 3]).filter((n) => n > 1).map(async (n) => n * 2).toArray(),
    piped: await new Promise((done, fail) => { const out = pipeline(Readable.from(["x", "y"]), upper(), (error) => error ? fail(error) : done(String(out.read()))); }),
    iterated: await Array.fromAsync(Readable.from(["p", "q"])),
    disposed: await (async () => { const it = new Readable({ read() {} }); { await using held = it; } return it.destroyed; })(),
  });
} };`;

test.each([
  ["streams", ""],
  ["streams-in-contexts", 'import "node:async_hooks";'],
])(
  "node:stream reads, writes, pipes and transforms, also to and from bodies: %s",
  async (name, first) => {
    const { start, value } = await run(name, first + STREAMS);
    expect(value).toEqual({
      kinds: [true, true, true, true, true],
      older: ["a", "b"],
      failed: "RangeError: no",
      stopped: "AbortError",
      counted: "012",
      parsed: { a: 1 },
      operators: [4, 6],
      piped: "XY",
      iterated: ["p", "q"],
      disposed: true,
    });
    const body = "green ".repeat(10_000);
    const { text } = await node.get(`/${name}`, { method: "POST", body });
    expect(text).toBe(body.toUpperCase());
    expect(start).not.toBe("platform");
  },
);

const REST = `
import assert, { AssertionError, deepStrictEqual } from "node:assert";
import strict from "node:assert/strict";
import { createRequire, isBuiltin } from "node:module";
import { Console } from "node:console";
import { tracingChannel } from "node:diagnostics_channel";
import { AsyncLocalStorage } from "node:async_hooks";
import { performance as clock, PerformanceObserver as Observer } from "node:perf_hooks";
import os from "node:os";
import { parseArgs, styleText } from "node:util";
const load = createRequire(import.meta.url);
const failure = (run) => { try { run(); } catch (error) { return [error.code, error.message.split("\\n")[0], error instanceof AssertionError]; } };
export default { fetch() {
  const storage = new AsyncLocalStorage();
  const tracing = tracingChannel("t");
  tracing.start.bindStore(storage, ({ id }) => id);
  new Console().log("logged");
  return Response.json({
    assert: [assert === require("assert"), assert.ok === require("assert").ok, strict === assert.strict, require("node:assert/strict") === strict],
    failures: [failure(() => assert(0)), failure(() => strict.equal(1, "1")), failure(() => deepStrictEqual({}, [])), failure(() => assert.equal(1, "1")) ?? "equal"],
    required: [load("node:path").join("a", "b"), failure(() => load("left-pad"))],
    builtin: [process.getBuiltinModule("node:url").fileURLToPath("file:///a"), String(process.getBuiltinModule("fs")), isBuiltin("node:stream"), isBuiltin("fs")],
    traced: tracing.traceSync(() => storage.getStore(), { id: 7 }),
    clock: clock === performance && Observer === PerformanceObserver, line: os.EOL,
    parsed: parseArgs({ args: ["-a"], options: { all: { type: "boolean", short: "a" } } }).values,
    styled: styleText("red", "r", { validateStream: false }),
  });
} };`;

test("modules of assertions, channels and the system do what Node's do", async () => {
  const { value } = await run("rest", REST);
  expect(value).toEqual({
    assert: [true, true, true, true],
    failures: [
      ["ERR_ASSERTION", "The expression evaluated to a falsy value", true],
      ["ERR_ASSERTION", "Expected values to be strictly equal:", true],
      ["ERR_ASSERTION", "Expected values to be strictly deep-equal:", true],
      "equal",
    ],
    required: ["a/b", ["MODULE_NOT_FOUND", expect.stringContaining("'left-pad'"), false]],
    builtin: ["/a", "undefined", true, false],
    traced: 7,
    clock: true,
    line: "\n",
    parsed: { all: true },
    styled: "\u001B[31mr\u001B[39m",
  });
});

test("of node:crypto a bundle holds what it imports", async () => {
  const built = async (code: string) =>
    (await bundleSource({ code, filename: "index.ts", compatibilityFlags: ["nodejs_compat"] }))
      .code;
  const uses = (name: string) =>
    built(`import { ${name} } from "node:crypto"; export default { fetch: () => ${name}(1) };`);
  expect(await uses("randomUUID")).not.toMatch(/noble/);
  const hashes = await uses("createHash");
  expect(hashes).toMatch(/noble/);
  expect(hashes).not.toMatch(/scrypt|pbkdf2/);
});

test("a framework's own use of AsyncLocalStorage works: Hono's context storage", async () => {
  using folder = temporary();
  const cwd = join(folder.path, "project");
  mkdirSync(cwd);
  symlinkSync(join(import.meta.dirname, "../../node_modules"), join(cwd, "node_modules"));
  const source = `
    import { Hono } from "hono";
    import { contextStorage, getContext } from "hono/context-storage";
    const app = new Hono();
    app.use(contextStorage());
    const deep = async () => { await new Promise((resolve) => setTimeout(resolve, 1)); return getContext().req.query("q"); };
    app.get("/hono", async (c) => c.json(await deep()));
    export default app;`;
  writeFileSync(join(cwd, "index.ts"), source);
  const built = await bundle({ entry: "index.ts", cwd, compatibilityFlags: ["nodejs_compat"] });
  await publish("hono", built);
  const answers = await Promise.all(["a", "b", "c"].map((q) => node.get(`/hono?q=${q}`)));
  expect(answers.map(({ text }) => text)).toEqual(['"a"', '"b"', '"c"']);
});

test("zlib converts beside the isolate, with callbacks and as streams", async () => {
  const packed = gzipSync("of Node").toString("base64");
  const { value } = await run(
    "zlib",
    `
    import zlib, { gzip, crc32 } from "node:zlib";
    import { promisify, aborted } from "node:util";
    import { text } from "node:stream/consumers";
    import { Readable } from "node:stream";
    const forms = [["gzip", "gunzip"], ["deflate", "inflate"], ["deflateRaw", "inflateRaw"], ["brotliCompress", "brotliDecompress"], ["deflate", "unzip"], ["gzip", "unzip"]];
    export default { async fetch() {
      const seen = {};
      for (const [there, back] of forms) {
        const bytes = await promisify(zlib[there])("x".repeat(100_000), { level: 9 });
        seen[there + back] = [Buffer.isBuffer(bytes), bytes.length < 1_000, (await promisify(zlib[back])(bytes)).toString() === "x".repeat(100_000)];
      }
      const code = (promise) => promise.then(() => "none", (error) => error.code);
      const unpack = promisify(zlib.gunzip);
      seen.node = (await unpack(Buffer.from(${JSON.stringify(packed)}, "base64"))).toString();
      seen.empty = (await unpack(await promisify(gzip)(""))).length;
      seen.wrong = await code(unpack("no gzip"));
      seen.max = [await code(unpack(await promisify(gzip)("1234"), { maxOutputLength: 3 })), await code(unpack(await promisify(gzip)("1234"), { maxOutputLength: 4 }))];
      seen.sync = zlib.gunzipSync(zlib.gzipSync("at once")).toString();
      try { zlib.brotliCompressSync("a"); } catch (error) { seen.missing = error.code; }
      try { gzip(7, () => {}); } catch (error) { seen.input = error.code; }
      seen.stream = await text(Readable.from(["a", "b"]).pipe(zlib.createGzip()).pipe(zlib.createGunzip()));
      seen.crc = [crc32("hello"), crc32("lo", crc32("hel")), zlib.constants.Z_BEST_COMPRESSION];
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 1);
      await aborted(controller.signal, {});
      return Response.json(seen);
    } };`,
  );
  expect(value).toEqual({
    gzipgunzip: [true, true, true],
    deflateinflate: [true, true, true],
    deflateRawinflateRaw: [true, true, true],
    brotliCompressbrotliDecompress: [true, true, true],
    deflateunzip: [true, true, true],
    gzipunzip: [true, true, true],
    node: "of Node",
    empty: 0,
    wrong: "Z_DATA_ERROR",
    max: ["ERR_BUFFER_TOO_LARGE", "none"],
    sync: "at once",
    missing: "ERR_METHOD_NOT_IMPLEMENTED",
    input: "ERR_INVALID_ARG_TYPE",
    stream: "ab",
    crc: [crc32("hello"), crc32("hello"), 9],
  });
});

test("what a module exports by default can be written to, as Node's can", async () => {
  const { value } = await run(
    "patched",
    `import process from "node:process"; import path from "node:path";
     process.getBuiltinModule = () => "mine"; path.sep = "|";
     export default { fetch: () => Response.json([process.getBuiltinModule(), path.sep, typeof process.env]) };`,
  );
  expect(value).toEqual(["mine", "|", "object"]);
});

test("what a bundle does not import costs it nothing", async () => {
  const code = "export default { fetch: async () => Response.json(await 1) };";
  const plain = await bundleSource({ code, filename: "index.ts" });
  const flagged = await bundleSource({
    code,
    filename: "index.ts",
    compatibilityFlags: ["nodejs_compat"],
  });
  expect(flagged.code).toBe(plain.code);
});

test.each([
  [[], "node:util", 'which isolates have with "compatibility_flags": ["nodejs_compat"]'],
  [["nodejs_als"], "node:events", 'which isolates have with "compatibility_flags"'],
  [[], "node:fs", "which isolates do not have"],
  [["nodejs_compat"], "node:net", "which isolates do not have"],
])("with the flags %j an import of %s says what is missing", async (flags, name, text) => {
  const code = `import * as it from "${name}"; export default { fetch: () => new Response(typeof it) };`;
  const built = bundleSource({ code, filename: "index.ts", compatibilityFlags: flags });
  await expect(built).rejects.toMatchObject({
    code: "SOURCE_INVALID",
    message: expect.stringContaining(text),
  });
});

const PROBE = `
const root = globalThis;
export default { async fetch() {
  const hooks = root.process?.getBuiltinModule?.("node:async_hooks");
  const storage = new hooks.AsyncLocalStorage();
  return Response.json(await storage.run("kept", async () => { await null; return storage.getStore(); }));
} };`;

test("code that asks for modules while it runs finds process on the global object", async () => {
  expect((await run("probe", PROBE)).value).toBe("kept");
});

test.each([
  ["a member", "globalThis.process"],
  ["a member that may be missing", "(() => { const root = globalThis; return root?.process; })()"],
  ["a name", "(() => { const { process, Deno } = globalThis; return process; })()"],
  ["global", "global.process"],
])("process is found on the global object as %s", async (_, code) => {
  const source = `export default { fetch() {
    const { env, release } = ${code};
    env.NO_COLOR = "1";
    return Response.json([release.name, "NO_COLOR" in env]);
  } };`;
  expect((await run("global", source)).value).toEqual(["node", true]);
});
