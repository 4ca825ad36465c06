// npm run build: JavaScript in dist/ for the published package, since Node strips no types below node_modules. What
// runs as a program of the node is bundled, which halves the time that starting it takes; what handlers are bundled
// with stays one file per source. Declarations are made for sdk only, the one part that others import.
//
// `npm test` builds the same with the packages in it, and starts the nodes of its tests from that.

import assert from "node:assert";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { build, type BuildOptions, type Plugin } from "esbuild";

const ROOT: string = join(import.meta.dirname, "..");

/** Whatever is started by its name. */
const PROGRAMS = [
  "cli/edge.ts",
  "runtime/worker.ts",
  "runtime/jail.ts",
  "runtime/jail/probe.ts",
  "control/registry/verify.ts",
  "services/database/sqlite/main.ts",
];
/** Whatever handlers import, and so is bundled with each of them. */
const LIBRARIES = ["sdk/**/*.ts", "compiler/node/modules/**/*.ts"];

/** Names of files that the sources build themselves, which no compiler rewrites. */
const FIXED_EXTENSION = /new URL\(\s*["'`]\.[^"'`]*\.ts["'`]/;
/** The file's own imports; each file of a library keeps its place. */
const SOURCE_IMPORT = /((?:from|import\(|import) ?["']\.[^"']*)\.ts(["'])/g;
/** Stands for the way from an output to `dist`, known only when it is written. */
const UP = "@@DIST@@";

const COMMON: BuildOptions = {
  absWorkingDir: ROOT,
  outbase: ROOT,
  format: "esm",
  charset: "utf8",
  tsconfigRaw: {},
  logLevel: "warning",
};

/** Modules find their neighbours and packages by their own address: each goes on seeing that of its source. */
const ownAddress: Plugin = {
  name: "own-address",
  setup(bundling) {
    bundling.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const address = `${UP}/${relative(ROOT, path).replace(/\.ts$/, ".js")}`;
      const text = readFileSync(path, "utf8");
      const contents = text.replaceAll(
        "import.meta.url",
        `new URL(${JSON.stringify(address)}, import.meta.url).href`,
      );
      return { contents, loader: "ts" };
    });
  },
};

/**
 * A module that imports Node's `http` has all its exports read, and so also loads the WebSocket and fetch that are
 * among them: a tenth of the time that a worker takes to start. What is required is read when it is used.
 */
const requiredHttp: Plugin = {
  name: "required-http",
  setup(bundling) {
    const filter = /^(?:node:)?http$/;
    bundling.onResolve({ filter }, () => ({ path: "http", namespace: "required" }));
    bundling.onLoad({ filter, namespace: "required" }, () => ({
      contents: 'module.exports = process.getBuiltinModule("node:http");',
    }));
  },
};

/** For packages that are bundled and not modules. */
const REQUIRE = `import { createRequire as requireFrom } from "node:module";
const require = requireFrom(import.meta.url);`;
/** They load files of their own, or handlers import them, or they are large and seldom used. */
const NEVER_BUNDLED = [
  "isolated-vm",
  "lmdb",
  "esbuild",
  "uWebSockets.js",
  "unenv",
  "readable-stream",
  "@aws-sdk/*",
];

async function bundlePrograms(dist: string, withPackages: boolean): Promise<void> {
  const packages: BuildOptions = withPackages
    ? { external: NEVER_BUNDLED, mainFields: ["module", "main"], banner: { js: REQUIRE } }
    : { packages: "external" };
  const { outputFiles } = await build({
    ...COMMON,
    ...packages,
    entryPoints: PROGRAMS,
    outdir: dist,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    platform: "node",
    target: "node24",
    plugins: [ownAddress, requiredHttp],
    write: false,
  });
  for (const { path, text } of outputFiles) {
    write(path, text.replaceAll(UP, relative(dirname(path), dist) || "."));
  }
}

async function transformLibraries(dist: string): Promise<void> {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: sources(),
    outdir: dist,
    target: "esnext",
    write: false,
  });
  for (const { path, text } of outputFiles) write(path, text.replaceAll(SOURCE_IMPORT, "$1.js$2"));
}

function sources(): string[] {
  return LIBRARIES.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).filter(
    (path) => !path.endsWith(".test.ts"),
  );
}

/** Declarations keep the `.ts` of their imports, which a consumer's compiler would look for in vain. */
function declareSdk(dist: string): void {
  const configuration = {
    extends: "../tsconfig.json",
    compilerOptions: {
      rootDir: "..",
      outDir: ".",
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      isolatedDeclarations: false,
    },
    include: ["../sdk"],
    exclude: ["../**/*.test.ts", "../node_modules"],
  };
  const file = join(dist, "tsconfig.json");
  writeFileSync(file, JSON.stringify(configuration));
  const compiler = join(ROOT, "node_modules/.bin/tsc");
  execFileSync(compiler, ["-p", file], { stdio: ["ignore", 2, 2] });
  rmSync(file);
  for (const name of globSync("sdk/**/*.d.ts", { cwd: dist })) {
    const path = join(dist, name);
    writeFileSync(path, readFileSync(path, "utf8").replaceAll(SOURCE_IMPORT, "$1.js$2"));
  }
}

/**
 * The guest's libraries are needed by nobody else, so they are development dependencies: the package has them in
 * one file, which the node bundles again with its own options, as it does from source.
 */
async function bundleGuest(dist: string): Promise<void> {
  await build({
    ...COMMON,
    entryPoints: ["runtime/guest/boot.ts"],
    outdir: dist,
    bundle: true,
    platform: "neutral",
    target: "esnext",
    mainFields: ["module", "main"],
    conditions: ["module"],
  });
}

/** Code that looks for ../package.json finds one at the same distance as in the sources. */
function writePackage(dist: string): void {
  const value: unknown = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert(typeof value === "object" && value !== null && "version" in value);
  const content = { name: "islet", version: value.version, type: "module", private: true };
  writeFileSync(join(dist, "package.json"), `${JSON.stringify(content)}\n`);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function assertNoSourceNames(dist: string): void {
  const files = globSync("**/*.js", { cwd: dist });
  assert(files.length > PROGRAMS.length, "the build wrote too little JavaScript");
  for (const file of files) {
    const hit = FIXED_EXTENSION.exec(readFileSync(join(dist, file), "utf8"));
    assert(hit === null, `${file}: ${hit?.[0]} names a file that the package does not have`);
  }
}

async function buildInto(dist: string, withPackages: boolean): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  await Promise.all([
    bundlePrograms(dist, withPackages),
    transformLibraries(dist),
    bundleGuest(dist),
  ]);
  writePackage(dist);
  assertNoSourceNames(dist);
}

/** As if it were installed in `folder`, beside this clone's packages. */
export async function buildForTests(folder: string): Promise<void> {
  await buildInto(join(folder, "dist"), true);
  for (const name of ["bin/edge", "package.json", "examples/hello"]) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
}

if (import.meta.main) {
  const dist = join(ROOT, "dist");
  await buildInto(dist, false);
  declareSdk(dist);
}
