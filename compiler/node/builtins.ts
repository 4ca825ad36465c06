// Node's built-in modules for bundles that ask for them (`compatibility_flags`): which there are, and where each comes
// from. Some are written here (modules/), some are unenv's, of which only those are taken that do what they say.
//
// Their files are known by names of their own in a bundle: where this package is installed must not show in it.

import { readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "../esbuild.ts";

/** All modules below, and `Buffer`, `process`, `global` and `setImmediate` as globals. */
const COMPATIBLE = "nodejs_compat";
/** Only `node:async_hooks`. */
const CONTEXT = "nodejs_als";
export const NODE_FLAGS: readonly string[] = [COMPATIBLE, "nodejs_compat_v2", CONTEXT];

const UNENV: readonly string[] = ["punycode", "querystring", "url"];
/** Module → its file in modules/. */
const OWN: Readonly<Record<string, string>> = {
  assert: "assertions/assert",
  "assert/strict": "assertions/strict",
  async_hooks: "async-hooks",
  buffer: "buffer",
  console: "system/console",
  crypto: "crypto",
  diagnostics_channel: "system/diagnostics-channel",
  events: "events",
  module: "system/module",
  os: "system/system",
  path: "path",
  "path/posix": "path",
  perf_hooks: "system/performance",
  process: "process",
  stream: "streams/stream",
  "stream/consumers": "streams/consumers",
  "stream/promises": "streams/promises",
  "stream/web": "streams/web",
  string_decoder: "string-decoder",
  timers: "timers",
  "timers/promises": "timers-promises",
  util: "formatting",
  "util/types": "value-types",
  zlib: "streams/zlib",
};
/** What is imported by default of modules that are more than a set of functions. */
const DEFAULTS: Readonly<Record<string, string>> = {
  assert: "assert",
  "assert/strict": "assert",
  events: "EventEmitter",
  stream: "Stream",
};
const OFFERED: ReadonlySet<string> = new Set([...UNENV, ...Object.keys(OWN)]);
const ASYNC_HOOKS = "async_hooks";
/** Written for each bundle. */
const NAMED = "islet/system/named";
const GETS = /getBuiltinModule\)?(?:\?\.)?\(\s*["'`](?:node:)?([a-z_]+(?:\/[a-z0-9]+)?)["'`]\s*\)/g;
/** What `createRequire` made may have any name. */
const REQUIRES = /(?:\(\s*["'`]node:|require\w*\)?\(\s*["'`])([a-z_]+(?:\/[a-z0-9]+)?)["'`]\s*\)/gi;
/** `process` of whatever is called the global object, as code asks that runs in several runtimes. */
const LOOKS_UP =
  /(?:\bglobal(?:This)?|\?)\.process\b|\bprocess\b[^;{}=]*\}\s*=\s*global(?:This)?\b|["']process["'] in global/;
const BUILTIN = /^(?:node:)?[a-z_]+(?:\/[a-z0-9]+)?$/;
const NAMESPACE = "node";
const ASYNC_ITERATOR =
  "Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype)";
/** By how a module is asked for: what is before its name. */
const IMPORTED = "imported:";
const REQUIRED = "required:";
const GLOBALS = "islet:node-globals";

const HERE = fileURLToPath(import.meta.url);
const MODULES = join(dirname(HERE), "modules");
/** What the modules are made of, from where this package is installed. */
const PACKAGES = /^(?:@noble\/hashes|readable-stream|unenv)\//;
/** What readable-stream brings along for browsers without it. */
const ABORT = "abort-controller";

export interface NodeSupport {
  readonly plugins: readonly Plugin[];
  /** Modules to inject as globals. */
  readonly inject: readonly string[];
  /** Whether `node:async_hooks` is part of what was built: then `async` has to be lowered. */
  readonly tracksContext: () => boolean;
  /** Whether a bundle looks for modules or `process` while it runs: then it has to be built again with them in it. */
  readonly asksFor: (code: string) => boolean;
}

export function supportNode(flags: readonly string[]): NodeSupport {
  const isCompatible = flags.some((flag) => flag.startsWith(COMPATIBLE));
  const offers = (name: string): boolean =>
    isCompatible ? OFFERED.has(name) : name === ASYNC_HOOKS && flags.includes(CONTEXT);
  let found = false;
  let names: readonly string[] = [];
  let isGlobal = false;
  const plugin: Plugin = {
    name: "islet-node",
    setup(build) {
      build.onResolve({ filter: BUILTIN }, ({ path, kind, importer }) => {
        const name = path.replace(/^node:/, "");
        if (!offers(name)) return undefined;
        if (name === ASYNC_HOOKS && PACKAGES.test(importer)) {
          return ours("islet/no-context");
        }
        found ||= name === ASYNC_HOOKS;
        const prefix = kind === "require-call" ? REQUIRED : IMPORTED;
        return ours(`${prefix}${name}`);
      });
      build.onResolve({ filter: new RegExp(`^${GLOBALS}$`) }, () => ({
        ...ours("islet/globals"),
        sideEffects: isGlobal,
      }));
      build.onResolve({ filter: /^/, namespace: NAMESPACE }, ({ path, importer }) => {
        const file = fileOf(path, importer);
        return file === null ? undefined : ours(file);
      });
      build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
        contents: path === NAMED ? listOf(names) : contentsOf(path) + globalFor(path, isGlobal),
        loader: path.startsWith("islet/") ? "ts" : "js",
      }));
    },
  };
  return {
    plugins: isCompatible || flags.includes(CONTEXT) ? [plugin] : [],
    inject: isCompatible ? [GLOBALS] : [],
    tracksContext: () => found,
    asksFor(code) {
      if (isCompatible) names = namesIn(code).filter(offers);
      isGlobal = names.length > 0 || (isCompatible && LOOKS_UP.test(code));
      return isGlobal;
    },
  };
}

function namesIn(code: string): string[] {
  const calls = [
    ...code.matchAll(GETS),
    ...(code.includes("createRequire") ? code.matchAll(REQUIRES) : []),
  ];
  return [...new Set(calls.map(([, name = ""]) => name))].toSorted();
}

function listOf(names: readonly string[]): string {
  const entries = names.map((name) => `${JSON.stringify(name)}: () => require("node:${name}")`);
  return `export const offered = ${JSON.stringify([...OFFERED].toSorted())};
export const named = { ${entries.join(", ")} };
`;
}

/** Who asks for modules while it runs may look `process` up on whatever it calls the global object. */
function globalFor(path: string, isGlobal: boolean): string {
  return path === "islet/globals" && isGlobal ? "globalThis.process ??= process;\n" : "";
}

function ours(path: string): { path: string; namespace: string; sideEffects: boolean } {
  return { path, namespace: NAMESPACE, sideEffects: false };
}

/** What a module of ours means by `path`. */
function fileOf(path: string, importer: string): string | null {
  if (path.startsWith(IMPORTED) || path === ABORT) return path;
  // By the slash readable-stream means the registry's package of that name, which is for browsers.
  if (/^[a-z_]+\/$/.test(path)) return `${REQUIRED}${path.slice(0, -1)}`;
  if (PACKAGES.test(path)) return path.replace(/^unenv\/(.*)$/, "unenv/dist/runtime/$1.mjs");
  if (!path.startsWith(".")) return null;
  // Of what stands for a whole module: all names are from the top.
  if (importer.startsWith(IMPORTED)) return path.slice(2);
  const file = join(dirname(importer), path);
  // As they are called by who asks for the module: one file is one module.
  if (file.startsWith("islet/")) return file.replace(/\.[jt]s$/, "");
  return file.startsWith("readable-stream/") && extname(file) === "" ? `${file}.js` : file;
}

function contentsOf(path: string): string {
  if (path === ABORT) return "module.exports = globalThis;";
  // What CommonJS gets is what others get by default.
  if (path.startsWith(REQUIRED)) {
    return `module.exports = require("${IMPORTED}${path.slice(REQUIRED.length)}").default;`;
  }
  if (path.startsWith(IMPORTED)) return contentsOfImported(path.slice(IMPORTED.length));
  if (!PACKAGES.test(path)) return readFileSync(ownFile(path), "utf8");
  // A lowered generator has no prototype to look at; what is made of this has all members of its own.
  return readFileSync(packageFile(path), "utf8").replace(ASYNC_ITERATOR, "Object.prototype");
}

function contentsOfImported(name: string): string {
  const own = OWN[name];
  const isOwn = own !== undefined;
  const file = isOwn ? `./islet/${own}` : `./unenv/dist/runtime/node/${name}.mjs`;
  const from = JSON.stringify(file);
  const named = isOwn ? DEFAULTS[name] : "default";
  // Node's can be written to, unlike a namespace; and nobody who imports members by name gets all of them by this.
  const byDefault =
    named === undefined
      ? `import * as all from ${from}; export default /* @__PURE__ */ Object.assign({}, all);`
      : `export { ${named} as default } from ${from};`;
  return `export * from ${from}; ${byDefault}`;
}

function ownFile(path: string): string {
  return join(MODULES, `${path.replace(/^islet\//, "")}${extname(HERE)}`);
}

/** Found from here, wherever they are installed. */
function packageFile(path: string): string {
  const name = PACKAGES.exec(path)?.[0] ?? "";
  const file = fileURLToPath(import.meta.resolve(name.slice(0, -1)));
  return join(file.slice(0, file.lastIndexOf(`/${name}`)), path);
}

/** What a bundle that imports `name` is told. */
export function explainMissing(name: string, flags: readonly string[]): string {
  const isCompatible = flags.some((flag) => flag.startsWith(COMPATIBLE));
  if (isCompatible) return "which isolates do not have";
  if (!OFFERED.has(name)) return "which isolates do not have";
  return `which isolates have with "compatibility_flags": ["${COMPATIBLE}"] in edge.jsonc`;
}
