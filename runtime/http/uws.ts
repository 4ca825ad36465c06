// The only door to uWebSockets.js.
//
// The package's binaries ask for glibc 2.38. The plain load comes first; only when it fails with that very
// error is a redirected copy (uws-glibc.ts) made, kept in a cache folder and loaded. Both the file it is made
// from and the copy itself are checked against known hashes each time, so that nothing but these exact bytes
// is ever loaded, whoever else can write to the folder.
//
// uWebSockets.js reads UWS_HTTP_MAX_HEADERS_SIZE from the environment while it loads (4096 without it).

import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type {
  App,
  AppOptions,
  HttpRequest,
  HttpResponse,
  SSLApp,
  TemplatedApp,
  us_listen_socket,
  us_listen_socket_close,
  us_socket_context_t,
  us_socket_local_port,
  WebSocket,
  WebSocketBehavior,
} from "uWebSockets.js";
import { EdgeError } from "../../sdk/errors.ts";
import { KNOWN_ADDONS, redirectImports } from "./uws-glibc.ts";

export type UwsApp = TemplatedApp;
export type UwsTlsOptions = AppOptions;
export type UwsBehavior<T> = WebSocketBehavior<T>;
export type UwsContext = us_socket_context_t;
export type UwsWebSocket<T> = WebSocket<T>;
export type UwsRequest = HttpRequest;
export type UwsResponse = HttpResponse;
export type UwsListenSocket = us_listen_socket;

/** What of the addon is used here. */
export interface Uws {
  readonly App: typeof App;
  readonly SSLApp: typeof SSLApp;
  readonly us_listen_socket_close: typeof us_listen_socket_close;
  readonly us_socket_local_port: typeof us_socket_local_port;
}

export interface UwsLoad {
  /** Where a redirected copy is kept, default `~/.cache/islet`. */
  readonly cacheDir?: string;
}

export interface UwsDescription {
  readonly how: "plain" | "redirected" | "unloadable";
  /** Version of the running C library, "" where there is none (musl, other systems). */
  readonly glibc: string;
  readonly detail: string;
}

/** The message of the loader, whatever version it names first, when the C library is too old. */
const GLIBC_TOO_OLD = /version `GLIBC_2\.\d+' not found/;
/** For running more than one App, `require` must give the same addon each time. */
let loaded: {
  readonly uws: Uws;
  readonly how: "plain" | "redirected";
  readonly from: string;
} | null = null;

/** Throws ADDON_UNLOADABLE, saying what was tried. */
export function loadUws(options: UwsLoad = {}): Uws {
  loaded ??= load(options.cacheDir ?? join(homedir(), ".cache", "islet"));
  return loaded.uws;
}

/** What `loadUws` does here, for people. Loads the addon into this process. */
export function describeUws(options: UwsLoad = {}): UwsDescription {
  const glibc = glibcVersion();
  try {
    loadUws(options);
  } catch (error) {
    const detail = error instanceof EdgeError ? error.message : String(error);
    return { how: "unloadable", glibc, detail };
  }
  return { how: loaded?.how ?? "plain", glibc, detail: loaded?.from ?? "" };
}

function load(cacheDir: string): NonNullable<typeof loaded> {
  const require = createRequire(import.meta.url);
  const name = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  let plain: string;
  try {
    plain = join(dirname(require.resolve("uWebSockets.js")), name);
  } catch (cause) {
    throw unloadable("The package uWebSockets.js is not installed.", cause);
  }
  try {
    return { uws: require(plain) as Uws, how: "plain", from: plain };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    if (!GLIBC_TOO_OLD.test(why)) throw unloadable(`${name} does not load: ${why}`, cause);
  }
  const copy = redirectedCopy(plain, name, cacheDir);
  try {
    return { uws: require(copy.path) as Uws, how: "redirected", from: copy.path };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw unloadable(`${name} does not load, nor does its copy for older systems: ${why}`, cause);
  } finally {
    // The loader has mapped the file; it needs no name any more.
    if (copy.temporary) rmSync(dirname(copy.path), { recursive: true, force: true });
  }
}

interface Copy {
  readonly path: string;
  readonly temporary: boolean;
}

function redirectedCopy(plain: string, name: string, cacheDir: string): Copy {
  const known = KNOWN_ADDONS[name];
  if (known === undefined) throw unloadable(`${name} needs a newer glibc than ${glibcVersion()}.`);
  const path = join(cacheDir, `${known.redirected.slice(0, 16)}-${name}`);
  if (hashOfFile(path) === known.redirected) return { path, temporary: false };

  const file = readFileSync(plain);
  if (sha256(file) !== known.original) {
    throw unloadable(`${plain} is not the file this release was made with; it was left alone.`);
  }
  redirectImports(file, known.baseVersion);
  if (sha256(file) !== known.redirected) {
    throw unloadable(`The copy of ${name} for older systems did not come out as expected.`);
  }
  try {
    writeWhole(path, file);
    return { path, temporary: false };
  } catch {
    // A home that cannot be written (containers, service users) is no reason not to start.
    try {
      const dir = mkdtempSync(join(tmpdir(), "islet-"));
      writeWhole(join(dir, name), file);
      return { path: join(dir, name), temporary: true };
    } catch (cause) {
      throw unloadable(`Neither ${cacheDir} nor ${tmpdir()} can be written.`, cause);
    }
  }
}

/** By rename, so that another process sees either nothing or the whole file. */
function writeWhole(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(6).toString("hex")}`;
  try {
    writeFileSync(draft, bytes, { flag: "wx" });
    chmodSync(draft, 0o500);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function hashOfFile(path: string): string {
  try {
    return sha256(readFileSync(path));
  } catch {
    // Not there yet, or not readable: it is written anew.
    return "";
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function unloadable(message: string, cause?: unknown): EdgeError {
  return new EdgeError("ADDON_UNLOADABLE", message, { cause, detail: { glibc: glibcVersion() } });
}

function glibcVersion(): string {
  const report: unknown = process.report.getReport();
  const header =
    typeof report === "object" && report !== null && "header" in report ? report.header : null;
  if (typeof header !== "object" || header === null) return "";
  return "glibcVersionRuntime" in header && typeof header.glibcVersionRuntime === "string"
    ? header.glibcVersionRuntime
    : "";
}
