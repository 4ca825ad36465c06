// Builds the guest script: the web platform and the bridge's inner end, as one script whose evaluation leaves
// one script-scope constant. Kept on disk and reused while none of its sources has changed, because the
// supervisor waits for it when it starts.

import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { diagnosticsError, findingOf } from "./diagnostics.ts";
import { runEsbuild } from "./esbuild.ts";
import type { BuildOptions, Built, Plugin } from "./esbuild.ts";
import { packedModule, type IdnaEntry } from "./idna-table.ts";
import { GUEST_NAME } from "./script.ts";

export interface GuestInput {
  /** The module whose exports become the guest's global constant. */
  readonly entry: string;
  readonly cacheDir: string;
}

export interface Guest {
  readonly code: string;
  /** SHA-256 of `code`. */
  readonly hash: string;
}

interface CachedGuest {
  /** Of the options: another way of building is another guest. */
  readonly recipe: string;
  /** Source file, relative to the entry's folder → SHA-256. */
  readonly inputs: { readonly [file: string]: string };
  readonly code: string;
  readonly hash: string;
}

/**
 * Packages that are evaluated at their first use: every isolate carries what was evaluated before the snapshot,
 * and these are tables that hardly anybody needs (8 ms to load an isolate with tr46's, 3 ms without). CommonJS
 * only; package → the exports that the guest uses.
 */
const LAZY_PACKAGES: { readonly [name: string]: readonly string[] } = {
  tr46: ["toASCII", "toUnicode"],
};
const LAZY = "lazy:";

const lazyPackages: Plugin = {
  name: "islet-lazy-packages",
  setup(build) {
    const names = Object.keys(LAZY_PACKAGES).join("|");
    build.onResolve({ filter: new RegExp(`^(?:${names})$`) }, ({ path, resolveDir }) => ({
      path,
      namespace: "lazy",
      pluginData: resolveDir,
    }));
    build.onResolve({ filter: new RegExp(`^${LAZY}`) }, ({ path, resolveDir }) =>
      // The trailing slash keeps the package's name from being caught again.
      build.resolve(`${path.slice(LAZY.length)}/`, { resolveDir, kind: "require-call" }),
    );
    build.onLoad({ filter: /.*/, namespace: "lazy" }, ({ path, pluginData }) => ({
      contents: `let loaded; const load = () => (loaded ??= require("${LAZY}${path}"));
        module.exports = {
          ${(LAZY_PACKAGES[path] ?? []).map((name) => `get ${name}() { return load().${name}; },`).join("")}
        };`,
      loader: "js",
      resolveDir: String(pluginData),
    }));
  },
};

const packedTable: Plugin = {
  name: "islet-packed-table",
  setup(build) {
    build.onLoad({ filter: /[/\\]tr46[/\\]lib[/\\]mappingTable\.json$/ }, ({ path }) => ({
      contents: packedModule(JSON.parse(readFileSync(path, "utf8")) as IdnaEntry[]),
      loader: "js",
    }));
  },
};

const OPTIONS = {
  bundle: true,
  format: "iife",
  globalName: "__guest",
  platform: "neutral",
  target: "es2024",
  mainFields: ["module", "main"],
  conditions: ["module"],
  charset: "ascii",
  treeShaking: true,
  // Sources live in the snapshot, and so in every isolate; names stay for stack traces.
  minifyWhitespace: true,
  legalComments: "none",
  sourcemap: false,
  tsconfigRaw: {},
} as const satisfies BuildOptions;

export async function buildGuest(input: GuestInput): Promise<Guest> {
  const entry = resolve(input.entry);
  const root = dirname(entry);
  const recipe = sha256(JSON.stringify([OPTIONS, LAZY_PACKAGES, packedModule([]), wrapGuest("")]));
  const file = join(input.cacheDir, `guest-${sha256(entry).slice(0, 16)}.json`);
  const cached = readCached(file);
  if (cached !== null && cached.recipe === recipe && isFresh(root, cached)) {
    return { code: cached.code, hash: cached.hash };
  }
  const outcome = await runEsbuild({
    ...OPTIONS,
    entryPoints: [entry],
    absWorkingDir: root,
    outfile: join(root, "guest.js"),
    plugins: [lazyPackages, packedTable],
  });
  if (!outcome.ok) {
    throw diagnosticsError(
      "SOURCE_INVALID",
      outcome.errors.map((error) => findingOf(error, "error")),
    );
  }
  const code = wrapGuest(outcome.built.outputFiles[0]?.text ?? "");
  const guest = { code, hash: sha256(code) };
  const inputs = hashInputs(root, outcome.built);
  try {
    writeCached(file, { recipe, inputs, ...guest });
  } catch {
    // A folder that this process may only read: building took longer, nothing else.
  }
  return guest;
}

/** The exports object of the bundler is open and full of getters; the constant is frozen and plain. */
function wrapGuest(code: string): string {
  const frozen = "Object.freeze(Object.assign({ __proto__: null }, __guest))";
  return `const ${GUEST_NAME} = (() => { "use strict";\n${code}\nreturn ${frozen}; })();`;
}

function hashInputs(root: string, built: Built): CachedGuest["inputs"] {
  const files = Object.keys(built.metafile.inputs).filter((file) =>
    existsSync(resolve(root, file)),
  );
  return Object.fromEntries(
    files.map((file) => [
      relative(root, resolve(root, file)),
      sha256(readFileSync(resolve(root, file))),
    ]),
  );
}

function isFresh(root: string, cached: CachedGuest): boolean {
  return (
    sha256(cached.code) === cached.hash &&
    Object.entries(cached.inputs).every(([file, hash]) => {
      const path = resolve(root, file);
      return existsSync(path) && sha256(readFileSync(path)) === hash;
    })
  );
}

function readCached(file: string): CachedGuest | null {
  if (!existsSync(file)) return null;
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isCached(value) ? value : null;
  } catch {
    // Damaged: built anew.
    return null;
  }
}

function isCached(value: unknown): value is CachedGuest {
  return (
    typeof value === "object" &&
    value !== null &&
    "recipe" in value &&
    "inputs" in value &&
    typeof value.inputs === "object" &&
    value.inputs !== null &&
    "code" in value &&
    typeof value.code === "string" &&
    "hash" in value &&
    typeof value.hash === "string"
  );
}

function writeCached(file: string, cached: CachedGuest): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o750 });
  const temporary = `${file}.${randomUUID()}`;
  writeFileSync(temporary, JSON.stringify(cached), { mode: 0o640 });
  renameSync(temporary, file);
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
