// Author's source → one bundle. Used by the CLI from disk, where the author's node_modules are, and by the
// node for source that arrives over the API.
//
// The same input gives the same bytes in every folder: every option that shapes output is given, paths are
// relative to `cwd`, nothing reads the clock or the environment. Nothing is minified: a bundle is parsed once
// and then lives in a snapshot, so readable names in stack traces are worth more than the bytes.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { EdgeError } from "../sdk/errors.ts";
import { BUNDLE_BYTES_MAX, MAP_BYTES_MAX } from "../sdk/limits.ts";
import type { Bundle, Diagnostic } from "../sdk/publish.ts";
import type { BundleFormat } from "../sdk/records.ts";
import { diagnosticsError, findingOf } from "./diagnostics.ts";
import type { Finding } from "./diagnostics.ts";
import { runEsbuild } from "./esbuild.ts";
import type { BuildOptions, Built, BuildOutcome } from "./esbuild.ts";
import { explainMissing, supportNode } from "./node/builtins.ts";
import { explainBuiltins } from "./builtins.ts";
import { dataFiles, handlerSdk, noFiles } from "./imports.ts";
import { EXPORTS_NAME } from "./script.ts";

export { stopEsbuild, warmEsbuild } from "./esbuild.ts";

export interface BundleInput {
  /** Absolute, or relative to `cwd`. */
  readonly entry: string;
  /** The project's folder: every path in the bundle, its map and its diagnostics is relative to it. */
  readonly cwd: string;
  /** Of NODE_FLAGS. */
  readonly compatibilityFlags?: readonly string[];
}

export interface SourceInput {
  readonly code: string;
  /** Names the source in diagnostics and stack traces; its extension (.ts .tsx .js .jsx .mjs) the language. */
  readonly filename: string;
  /** Of NODE_FLAGS. */
  readonly compatibilityFlags?: readonly string[];
}

/** What a bundle of this source would be named; not part of any output. */
const OUTPUT_FILE = "bundle.js";
/** esbuild knows this condition only by its text. */
const TOP_LEVEL_AWAIT = /Top-level await is currently not supported/;
/** How many inputs the BUNDLE_TOO_LARGE answer names. */
const LARGEST_SHOWN = 5;

/** Rejects with SOURCE_INVALID, BUNDLE_TOO_LARGE or CONFIG_NOT_FOUND. */
export async function bundle(input: BundleInput): Promise<Bundle> {
  const cwd = resolve(input.cwd);
  const entry = resolve(cwd, input.entry);
  if (!existsSync(entry)) {
    throw new EdgeError("CONFIG_NOT_FOUND", `There is no file ${input.entry}`);
  }
  return bundleWith(input.compatibilityFlags ?? [], {
    ...SHARED_OPTIONS,
    entryPoints: [entry],
    absWorkingDir: cwd,
    outfile: join(cwd, OUTPUT_FILE),
    plugins: [handlerSdk, dataFiles],
  });
}

/** Rejects with SOURCE_INVALID or BUNDLE_TOO_LARGE. */
export async function bundleSource(input: SourceInput): Promise<Bundle> {
  return bundleWith(input.compatibilityFlags ?? [], {
    ...SHARED_OPTIONS,
    stdin: { contents: input.code, sourcefile: input.filename, loader: loaderOf(input.filename) },
    absWorkingDir: "/",
    outfile: `/${OUTPUT_FILE}`,
    tsconfigRaw: {},
    plugins: [handlerSdk, noFiles],
  });
}

/** SHA-256 of the bundle's text, as the registry names it. */
export function hashBundle(code: string): string {
  return createHash("sha256").update(code).digest("hex");
}

const SHARED_OPTIONS = {
  bundle: true,
  platform: "browser",
  target: "es2024",
  conditions: ["workerd", "worker", "browser", "module"],
  mainFields: ["browser", "module", "main"],
  resolveExtensions: [".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".cjs", ".json"],
  loader: { ".json": "json", ".txt": "text", ".html": "text", ".sql": "text" },
  define: { "process.env.NODE_ENV": '"production"' },
  charset: "utf8",
  treeShaking: true,
  ignoreAnnotations: false,
  minify: false,
  keepNames: false,
  splitting: false,
  preserveSymlinks: false,
  legalComments: "none",
  sourcemap: "external",
  sourcesContent: true,
  jsx: "automatic",
  logLimit: 0,
} as const satisfies BuildOptions;

/** node:async_hooks follows callbacks, and cannot follow `await`. */
const LOWERED: Readonly<Record<string, boolean>> = {
  "async-await": false,
  "async-generator": false,
  "for-await": false,
  "top-level-await": true,
};

async function bundleWith(flags: readonly string[], base: BuildOptions): Promise<Bundle> {
  const node = supportNode(flags);
  const plugins = [...node.plugins, ...(base.plugins ?? [])];
  let options: BuildOptions = { ...base, plugins, inject: [...node.inject] };
  let built = await build(options);
  if (built.outcome.ok && node.asksFor(textOf(built.outcome.built, ".js"))) {
    built = await build(options);
  }
  if (node.tracksContext()) {
    options = { ...options, supported: LOWERED };
    built = await build(options);
  }
  const { format, outcome } = built;
  if (!outcome.ok) throw await sourceInvalid(options, outcome.errors, flags);
  return toBundle(format, outcome.built);
}

interface Build {
  readonly format: BundleFormat;
  readonly outcome: BuildOutcome;
}

async function build(options: BuildOptions): Promise<Build> {
  const outcome = await runEsbuild({ ...options, format: "iife", globalName: EXPORTS_NAME });
  if (outcome.ok || !outcome.errors.some((error) => TOP_LEVEL_AWAIT.test(error.text))) {
    return { format: "script", outcome };
  }
  return { format: "module", outcome: await runEsbuild({ ...options, format: "esm" }) };
}

async function sourceInvalid(
  options: BuildOptions,
  errors: (BuildOutcome & { ok: false })["errors"],
  flags: readonly string[],
): Promise<EdgeError> {
  const explained = await explainBuiltins(options, errors, (name) => explainMissing(name, flags));
  const findings: Finding[] = explained.map((error) => findingOf(error, "error"));
  return diagnosticsError("SOURCE_INVALID", findings);
}

function toBundle(format: BundleFormat, built: Built): Bundle {
  const code = textOf(built, ".js");
  const map = textOf(built, ".map");
  const inputs = inputsOf(built);
  const bytes = Buffer.byteLength(code);
  if (bytes > BUNDLE_BYTES_MAX) throw tooLarge(bytes, inputs);
  const warnings = built.warnings.map((warning) => findingOf(warning, "warning").diagnostic);
  if (Buffer.byteLength(map) > MAP_BYTES_MAX) {
    return { format, code, map: null, inputs, warnings: [...warnings, MAP_TOO_LARGE] };
  }
  return { format, code, map, inputs, warnings };
}

const MAP_TOO_LARGE: Diagnostic = {
  file: "",
  line: 0,
  column: 0,
  text: `The source map is larger than ${MAP_BYTES_MAX} bytes and is left out; stack traces show the bundle's lines`,
  severity: "warning",
};

function tooLarge(bytes: number, inputs: Bundle["inputs"]): EdgeError {
  const largest = inputs.slice(0, LARGEST_SHOWN);
  const list = largest.map((input) => `${input.file} (${input.bytes} bytes)`).join(", ");
  const message = `The bundle has ${bytes} bytes, the limit is ${BUNDLE_BYTES_MAX}; largest: ${list}`;
  return new EdgeError("BUNDLE_TOO_LARGE", message, {
    detail: { bytes, limit: BUNDLE_BYTES_MAX, largest: largest.map((input) => ({ ...input })) },
  });
}

function inputsOf(built: Built): Bundle["inputs"] {
  const output = Object.entries(built.metafile.outputs).find(([file]) => file.endsWith(".js"))?.[1];
  return Object.entries(output?.inputs ?? {})
    .map(([file, { bytesInOutput }]) => ({ file, bytes: bytesInOutput }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes || (a.file < b.file ? -1 : 1));
}

function textOf(built: Built, extension: string): string {
  return built.outputFiles.find((file) => file.path.endsWith(extension))?.text ?? "";
}

function loaderOf(filename: string): "ts" | "tsx" | "jsx" | "js" {
  switch (extname(filename)) {
    case ".js":
    case ".mjs":
      return "js";
    case ".jsx":
      return "jsx";
    case ".tsx":
      return "tsx";
    default:
      return "ts";
  }
}
