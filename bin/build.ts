// npm run build: the sources as JavaScript in dist/, same folders, for the published package, since Node strips no
// types below node_modules. One file in, one file out: stack traces, worker start-up and the guest's bundle work as
// they do from source. Declarations are made for sdk only, the one part that others import.

import assert from "node:assert";
import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const ROOT: string = join(import.meta.dirname, "..");
const SOURCES = ["sdk", "compiler", "runtime", "services", "control", "admin-api", "cli"];

/** Names of files that the sources build themselves, which no compiler rewrites. */
const FIXED_EXTENSION = /new URL\(\s*["'`]\.[^"'`]*\.ts["'`]/;

function compile(): void {
  const configuration = {
    extends: "../tsconfig.json",
    compilerOptions: {
      rootDir: "..",
      outDir: ".",
      noEmit: false,
      declaration: false,
      isolatedDeclarations: false,
      rewriteRelativeImportExtensions: true,
    },
    include: SOURCES.map((folder) => `../${folder}`),
    exclude: ["../**/*.test.ts", "../node_modules"],
  };
  const sdk = {
    extends: "./tsconfig.json",
    compilerOptions: { declaration: true, emitDeclarationOnly: true },
    include: ["../sdk"],
    exclude: ["../**/*.test.ts"],
  };
  const files = { "tsconfig.json": configuration, "tsconfig.sdk.json": sdk };
  for (const [name, content] of Object.entries(files)) {
    const path = join(ROOT, "dist", name);
    writeFileSync(path, JSON.stringify(content));
    execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", path], { stdio: ["ignore", 2, 2] });
  }
  for (const name of Object.keys(files)) rmSync(join(ROOT, "dist", name));
}

/** Declarations keep the `.ts` of their imports, which a consumer's compiler would look for in vain. */
function rewriteDeclarations(): void {
  for (const file of globSync("dist/sdk/**/*.d.ts", { cwd: ROOT })) {
    const path = join(ROOT, file);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replaceAll(/((?:from|import\() ?["']\.[^"']*)\.ts(["'])/g, "$1.js$2"));
  }
}

/**
 * The guest's libraries are needed by nobody else, so they are development dependencies: the package has them in
 * one file, which the node bundles again with its own options, as it does from source.
 */
async function bundleGuest(): Promise<void> {
  const outfile = join(ROOT, "dist/runtime/guest/boot.js");
  rmSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(ROOT, "runtime/guest/boot.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "esnext",
    mainFields: ["module", "main"],
    conditions: ["module"],
    charset: "utf8",
    tsconfigRaw: {},
    logLevel: "warning",
  });
}

function copyAssets(): void {
  const pattern = `{${SOURCES.join(",")}}/**/*`;
  for (const entry of globSync(pattern, { cwd: ROOT, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || /\.(ts|md)$|\/tsconfig[^/]*\.json$/.test(path)) continue;
    const target = join(ROOT, "dist", path.slice(ROOT.length + 1));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(path, target);
  }
}

/** Code that looks for ../package.json finds one at the same distance as in the sources. */
function writePackage(): void {
  const value: unknown = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert(typeof value === "object" && value !== null && "version" in value);
  const content = { name: "islet", version: value.version, type: "module", private: true };
  writeFileSync(join(ROOT, "dist/package.json"), `${JSON.stringify(content)}\n`);
}

function assertNoSourceNames(): void {
  const files = globSync("dist/**/*.js", { cwd: ROOT });
  assert(files.length > 0, "the build wrote no JavaScript");
  for (const file of files) {
    const hit = FIXED_EXTENSION.exec(readFileSync(join(ROOT, file), "utf8"));
    assert(hit === null, `${file}: ${hit?.[0]} names a file that the package does not have`);
  }
}

rmSync(join(ROOT, "dist"), { recursive: true, force: true });
mkdirSync(join(ROOT, "dist"));
compile();
rewriteDeclarations();
await bundleGuest();
copyAssets();
writePackage();
assertNoSourceNames();
