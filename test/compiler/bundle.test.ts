// Bundles of real project folders: the same bytes everywhere, every kind of import, and places in what is
// wrong. What a bundle does is asked of the bundle itself, run in an isolate.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { bundle, bundleSource, hashBundle, stopEsbuild } from "../../compiler/bundle.ts";
import { buildGuest } from "../../compiler/guest.ts";
import { BUNDLE_FILE, GUEST_FILE, wrapScript } from "../../compiler/script.ts";
import { createStackMapper } from "../../compiler/source-map.ts";
import { createEngine } from "../../runtime/isolate/engine.ts";
import { EdgeError } from "../../sdk/errors.ts";
import { BUNDLE_BYTES_MAX } from "../../sdk/limits.ts";
import type { Bundle } from "../../sdk/publish.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  await stopEsbuild();
});

function project(files: Record<string, string | Uint8Array>): string {
  const cwd = mkdtempSync(join(tmpdir(), "islet-bundle-"));
  folders.push(cwd);
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, file)), { recursive: true });
    writeFileSync(join(cwd, file), content);
  }
  return cwd;
}

async function failure(work: Promise<unknown>): Promise<EdgeError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EdgeError)) throw new TypeError("It did not fail with an EdgeError");
  return error;
}

/** Runs a script bundle and evaluates an expression over its default export, called `it`. */
async function evaluate({ code }: Bundle, expression: string): Promise<unknown> {
  const engine = await createEngine({
    memoryMb: 64,
    snapshot: null,
    onCatastrophic: () => undefined,
  });
  try {
    const guest = "const __islet = { register(factory) { globalThis.it = factory().default; } };";
    await engine.run({ code: guest, filename: GUEST_FILE, timeoutMs: 1_000 });
    await engine.run({ code: wrapScript(code), filename: BUNDLE_FILE, timeoutMs: 1_000 });
    return await engine.evaluate(expression, 1_000);
  } finally {
    engine.dispose();
  }
}

const HANDLER = "export default { fetch() { return 'ok' } };";
/** The smallest WebAssembly module: magic number and version. */
const EMPTY_WASM: Uint8Array = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);

describe("bundle", () => {
  const files = {
    "src/index.ts": `import { defineHandler } from "islet/sdk"; import { a } from "./deep/a.ts";
      import text from "./t.txt"; import data from "./d.bin";
      export default defineHandler(() => [a, text, data]);`,
    "src/deep/a.ts": "export const a: number = 1;",
    "src/t.txt": "text",
    "src/d.bin": "data",
  };

  test("is the same to the byte in two folders, and names neither", async () => {
    const [one, two] = [project(files), project(files)];
    const first = await bundle({ entry: "src/index.ts", cwd: one });
    const second = await bundle({ entry: join(two, "src/index.ts"), cwd: two });
    expect(hashBundle(second.code)).toBe(hashBundle(first.code));
    expect(second.map).toBe(first.map);
    for (const text of [first.code, first.map ?? ""]) {
      expect(text).not.toContain(tmpdir());
      expect(text).not.toContain(process.cwd());
    }
  });

  test.each([
    ["json", '{"n": 41}', "it.fetch.n + 1", 42],
    ["txt", "plain", "it.fetch", "plain"],
    ["html", "<p>", "it.fetch", "<p>"],
    ["sql", "select 1", "it.fetch", "select 1"],
    ["bin", "abc", "it.fetch instanceof ArrayBuffer && it.fetch.byteLength", 3],
    ["wasm", EMPTY_WASM, "it.fetch instanceof WebAssembly.Module", true],
  ])("imports .%s files", async (extension, content, expression, expected) => {
    const source = `import data from "./data.${extension}"; export default { fetch: data };`;
    const cwd = project({ "index.ts": source, [`data.${extension}`]: content });
    expect(await evaluate(await bundle({ entry: "index.ts", cwd }), expression)).toBe(expected);
  });

  test("takes a package's export for workers", async () => {
    const exports = { workerd: "./edge.js", node: "./node.js", default: "./other.js" };
    const cwd = project({
      "index.ts": 'import where from "pkg"; export default { fetch: where };',
      "node_modules/pkg/package.json": JSON.stringify({ name: "pkg", exports }),
      "node_modules/pkg/edge.js": "export default 'edge';",
      "node_modules/pkg/node.js": "export default 'node';",
      "node_modules/pkg/other.js": "export default 'other';",
    });
    expect(await evaluate(await bundle({ entry: "index.ts", cwd }), "it.fetch")).toBe("edge");
  });

  test("becomes a module where the source awaits at top level", async () => {
    const cwd = project({ "index.ts": `const a = await 1; ${HANDLER}` });
    const { format, code } = await bundle({ entry: "index.ts", cwd });
    expect(format).toBe("module");
    expect(code).toContain("export {");
  });

  test("names the place of a syntax error, counting from one", async () => {
    const cwd = project({ "index.ts": 'const a = 1;\nconst ä = "é", = 2;\n' });
    const error = await failure(bundle({ entry: "index.ts", cwd }));
    expect(error.code).toBe("SOURCE_INVALID");
    expect(error.detail).toMatchObject({
      diagnostics: [{ file: "index.ts", line: 2, column: 16, severity: "error" }],
    });
    expect(error.message).toContain('  2 | const ä = "é", = 2;\n');
  });

  test("says who imports a built-in module of Node", async () => {
    const cwd = project({
      "index.ts": `import "pkg"; ${HANDLER}`,
      "node_modules/pkg/package.json": '{"name":"pkg","main":"main.js"}',
      "node_modules/pkg/main.js": "import './inner.js';",
      "node_modules/pkg/inner.js": "import fs from 'node:fs';\nfs.x();",
    });
    const error = await failure(bundle({ entry: "index.ts", cwd }));
    const chain = "index.ts > node_modules/pkg/main.js > node_modules/pkg/inner.js";
    expect(error.code).toBe("SOURCE_INVALID");
    expect(error.message).toContain(`"node:fs" is a Node.js built-in module`);
    expect(error.message).toContain(chain);
  });

  test("lets a package try for a built-in module and do without", async () => {
    const source = `let has = true; try { require("crypto") } catch { has = false }`;
    const cwd = project({ "index.ts": `${source}; export default { fetch: has };` });
    expect(await evaluate(await bundle({ entry: "index.ts", cwd }), "it.fetch")).toBe(false);
  });

  test("is refused from the first byte above the limit, naming the largest input", async () => {
    const overhead = Buffer.byteLength((await bundleText(1)).code) - 1;
    const exact = await bundleText(BUNDLE_BYTES_MAX - overhead);
    expect(Buffer.byteLength(exact.code)).toBe(BUNDLE_BYTES_MAX);
    const error = await failure(bundleText(BUNDLE_BYTES_MAX - overhead + 1));
    expect(error.code).toBe("BUNDLE_TOO_LARGE");
    expect(error.message).toContain("big.txt");
  });

  async function bundleText(chars: number): Promise<Bundle> {
    const source = 'import big from "./big.txt"; export default { fetch: () => big };';
    const cwd = project({ "index.ts": source, "big.txt": "x".repeat(chars) });
    return await bundle({ entry: "index.ts", cwd });
  }

  test("is not found where there is no file", async () => {
    const error = await failure(bundle({ entry: "none.ts", cwd: project({}) }));
    expect(error.code).toBe("CONFIG_NOT_FOUND");
  });
});

describe("bundleSource", () => {
  test("may import the platform's own module", async () => {
    const code =
      'import { defineHandler } from "islet/sdk"; export default defineHandler(() => 1);';
    const built = await bundleSource({ code, filename: "index.ts" });
    expect(await evaluate(built, "it.fetch(null, {}, {})")).toBe(1);
  });

  test("may import Workers' EmailMessage", async () => {
    const code = 'import { EmailMessage } from "cloudflare:email"; export default EmailMessage;';
    const built = await bundleSource({ code, filename: "index.ts" });
    const fields = await evaluate(built, 'JSON.stringify(new it("a@b.c", "d@e.f", "raw"))');
    expect(fields).toBe('{"from":"a@b.c","to":"d@e.f","raw":"raw"}');
  });

  test.each(["/etc/hostname.txt", "./x.ts", "hono", "../sdk/errors.ts"])(
    "may not import %s from the node's disk",
    async (path) => {
      const source = `import x from ${JSON.stringify(path)}; export default x;`;
      const error = await failure(bundleSource({ code: source, filename: "index.ts" }));
      expect(error.code).toBe("SOURCE_INVALID");
      expect(error.message).toContain(`Cannot import "${path}"`);
    },
  );
});

test("source map leads from a stack in the wrapped script to the author's line", async () => {
  const cwd = project({
    "src/index.ts": `import { fail } from "./fail.ts";\nexport default { fetch: () => fail() };`,
    "src/fail.ts":
      "interface A { b: string }\n\nexport function fail(): A {\n  throw new Error('x');\n}",
  });
  const built = await bundle({ entry: "src/index.ts", cwd });
  const stack = String(await evaluate(built, "try { it.fetch() } catch (error) { error.stack }"));
  const mapper = createStackMapper(built.map);
  expect(mapper.topPosition(stack)).toEqual({ file: "src/fail.ts", line: 4, column: 9 });
  expect(mapper.mapStack(stack)).toContain("src/index.ts:2:");
  expect(createStackMapper("no map").mapStack(stack)).toContain(`${BUNDLE_FILE}:`);
});

test("what stands behind the frames of a stack stays when those of the platform are taken out", () => {
  const mapper = createStackMapper(null);
  const frames = [
    "    at fetch (islet:bundle:1:2)",
    "    at async Requests.settle (islet:guest:3:4)",
    "    at islet:guest:5:6",
  ].join("\n");
  const kept = "x Error: e\n    at fetch (islet:bundle:1:2)";
  expect(mapper.mapStack(`x Error: e\n${frames}`)).toBe(kept);
  expect(mapper.mapStack(`x Error: e\n${frames} { status: 5 } (tail)`)).toBe(
    `${kept} { status: 5 } (tail)`,
  );
  expect(mapper.mapStack(`x Error: e\n${frames} Error: f\n${frames} 5`)).toBe(
    `${kept} Error: f\n    at fetch (islet:bundle:1:2) 5`,
  );
  expect(mapper.mapStack(`x Error: e\n${frames}\nnext\n    at (<isolated-vm boundary>)`)).toBe(
    `${kept}\nnext`,
  );
});

test("buildGuest reuses its file until a source changes, and rebuilds a damaged one", async () => {
  const cwd = project({ "boot.ts": 'export { a } from "./a.ts";', "a.ts": "export const a = 1;" });
  const input = { entry: join(cwd, "boot.ts"), cacheDir: join(cwd, "cache") };
  const first = await buildGuest(input);
  expect(await buildGuest(input)).toEqual(first);
  writeFileSync(join(cwd, "a.ts"), "export const a = 2;");
  const changed = await buildGuest(input);
  expect(changed.hash).not.toBe(first.hash);
  for (const content of ["", "{}", '{"recipe":1,"inputs":{},"code":"x","hash":"y"}']) {
    for (const file of readdirSync(input.cacheDir)) {
      writeFileSync(join(input.cacheDir, file), content);
    }
    expect(await buildGuest(input)).toEqual(changed);
  }
});
