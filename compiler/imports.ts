// What authors may import beside code: the platform's own `islet/sdk`, modules that Workers has, and data files in the
// shapes that Workers code expects (.wasm a WebAssembly.Module, .bin an ArrayBuffer; text kinds are plain loaders).
//
// Nothing here may let an absolute path into the output: bundles must hash the same in every folder.

import { isBuiltin } from "node:module";
import { readFile } from "node:fs/promises";
import { basename, dirname, extname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "./esbuild.ts";
import { GUEST_NAME } from "./script.ts";

const HANDLER_SDK = /^islet\/sdk$/;
const WORKERS_MODULE = /^cloudflare:(?:email|workers)$/;
/** A mail of the author's own making; what takes it looks at its fields (runtime/guest/services/email.ts). */
const EMAIL_MODULE = `export class EmailMessage {
  constructor(from, to, raw) {
    this.from = from;
    this.to = to;
    this.raw = raw;
  }
}
`;
/** The guest's own (runtime/guest/workers/module.ts). */
const MODULE_NAMES =
  "DurableObject, RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub, WorkerEntrypoint, " +
  "WorkflowEntrypoint, env, exports, tracing, waitUntil, withEnv";
const WORKERS_MODULES: Readonly<Record<string, string>> = {
  "cloudflare:email": EMAIL_MODULE,
  "cloudflare:workers": `export const { ${MODULE_NAMES} } = /* @__PURE__ */ ${GUEST_NAME}.workers();\n`,
};
const DATA_FILE = /\.(?:wasm|bin)$/;
const BYTES_SUFFIX = "?bytes";

/** Beside this file in the source tree, and as JavaScript in the built package. */
const HERE = fileURLToPath(import.meta.url);
const SDK = join(dirname(HERE), "..", "sdk");

/** A namespace keeps the place where this package is installed out of the output. */
export const handlerSdk: Plugin = {
  name: "islet-sdk",
  setup(build) {
    build.onResolve({ filter: HANDLER_SDK }, () => ({
      path: `handler${extname(HERE)}`,
      namespace: "islet",
      sideEffects: false,
    }));
    build.onResolve({ filter: /^\.{1,2}\//, namespace: "islet" }, ({ path, importer }) => ({
      path: posix.join(posix.dirname(importer), path),
      namespace: "islet",
      sideEffects: false,
    }));
    build.onLoad({ filter: /^/, namespace: "islet" }, async ({ path }) => ({
      contents: await readFile(join(SDK, path), "utf8"),
      loader: "ts",
    }));
    build.onResolve({ filter: WORKERS_MODULE }, ({ path }) => ({
      path,
      namespace: "workers",
      sideEffects: false,
    }));
    build.onLoad({ filter: WORKERS_MODULE, namespace: "workers" }, ({ path }) => ({
      contents: WORKERS_MODULES[path] ?? "",
      loader: "js",
    }));
  },
};

/** Each data file becomes a small module around the same file's bytes, which a second import brings in. */
export const dataFiles: Plugin = {
  name: "islet-data-files",
  setup(build) {
    build.onResolve({ filter: /\?bytes$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.slice(0, -BYTES_SUFFIX.length)),
      suffix: BYTES_SUFFIX,
    }));
    build.onResolve({ filter: /\.wasm\?module$/ }, ({ path, resolveDir, kind }) =>
      build.resolve(path.slice(0, -"?module".length), { resolveDir, kind }),
    );
    build.onLoad({ filter: DATA_FILE }, async ({ path, suffix }) => {
      if (suffix === BYTES_SUFFIX) return { contents: await readFile(path), loader: "binary" };
      const value = path.endsWith(".wasm") ? "new WebAssembly.Module(bytes)" : "bytes.buffer";
      const specifier = JSON.stringify(`./${basename(path)}${BYTES_SUFFIX}`);
      return {
        contents: `import bytes from ${specifier};\nexport default ${value};\n`,
        loader: "js",
        resolveDir: dirname(path),
      };
    });
  },
};

/** Source that came over the network may import nothing from this machine's disk. */
export const noFiles: Plugin = {
  name: "islet-no-files",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path, kind }) => {
      if (kind === "entry-point" || HANDLER_SDK.test(path)) return undefined;
      // As esbuild says it: it is explained like those from disk.
      if (isBuiltin(path)) return { errors: [{ text: `Could not resolve "${path}"` }] };
      if (WORKERS_MODULE.test(path)) return undefined;
      const text = `Cannot import "${path}" here: code sent as source stands alone`;
      return {
        errors: [{ text: `${text}; publish a project with: edge publish` }],
      };
    });
  },
};
