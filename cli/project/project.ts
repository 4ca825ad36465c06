// A folder or file that somebody wants to publish → its entry and what it says about its endpoint. A folder
// is read by its edge.jsonc, else by its wrangler file, else by flags and names alone; a source file always
// stands for itself. Flags win over files.

import { existsSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { domainToASCII } from "node:url";
import { parseEgressHost } from "../../sdk/egress.ts";
import { EdgeError } from "../../sdk/errors.ts";
import type { Json } from "../../sdk/errors.ts";
import { ISOLATION_FORMS, parseIsolation } from "../../sdk/isolation.ts";
import type { Isolation } from "../../sdk/isolation.ts";
import type { LimitOverrides } from "../../sdk/limits.ts";
import type { RouteSpec, Trust } from "../../sdk/records.ts";
import { normaliseRoute, splitRoute } from "../../sdk/route.ts";
import { parseLimitFlags, parsePair } from "../parse.ts";
import type { Values } from "../values.ts";
import { overlayBindings } from "./bindings.ts";
import type { ProjectBindings } from "./bindings.ts";
import { readDevVars } from "./dev-vars.ts";
import { orUnreadable } from "../files.ts";
import { readDocument } from "./document.ts";
import { readEdgeConfig } from "./manifest.ts";
import type { ProjectManifest } from "./manifest.ts";
import { readWranglerConfig } from "./wrangler.ts";

export interface Project {
  /** Absolute. */
  readonly cwd: string;
  /** Absolute. */
  readonly entry: string;
  /** Absolute; null when there is none. */
  readonly configFile: string | null;
  readonly name: string;
  readonly routes: readonly RouteSpec[];
  readonly vars: { readonly [name: string]: Json };
  readonly limits: LimitOverrides;
  readonly trust?: Trust;
  readonly isolation?: Isolation;
  readonly egress: readonly string[];
  readonly crons: readonly string[];
  readonly compatibilityFlags: readonly string[];
  readonly drainTimeoutMs?: number;
  /** With their places: for complaints of the node. */
  readonly services: ProjectBindings;
}

export interface ProjectInput {
  /** Folder, source file or configuration file. */
  readonly path: string;
  readonly cwd: string;
  readonly values: Values;
  readonly warn: (text: string) => void;
  /** Also variables that are for development only. */
  readonly dev?: boolean;
}

const CONFIG_FILES = ["edge.jsonc", "wrangler.jsonc", "wrangler.json", "wrangler.toml"] as const;
const ENTRY_STEMS = ["index", "src/index", "worker", "src/worker"] as const;
const ENTRY_EXTENSIONS = [".ts", ".js", ".mjs"] as const;
/** What a name may be at most: a DNS label. */
const NAME_LENGTH_MAX = 63;

export function readProject({ path, cwd, values, warn, dev = false }: ProjectInput): Project {
  const place = findPlace(resolve(cwd, path), path);
  if (place.configFile === null && values.text("env") !== undefined) {
    throw new EdgeError("USAGE", "--env needs a configuration file with environments");
  }
  const file =
    place.configFile === null ? {} : readManifest(place.configFile, { cwd, values, warn });
  const entry = file.main === undefined ? place.entry : resolve(place.folder, file.main);
  if (entry === null) throw noEntry(relative(cwd, place.folder) || ".");
  const name = values.text("name") ?? file.name ?? deriveName(place, entry);
  const isolation = readIsolationFlag(values) ?? file.isolation;
  const devVars = dev ? readDevVars(place.folder, values.text("env")) : {};
  const limitFlags = parseLimitFlags(values.list("limit"), "--limit");
  return {
    cwd: place.folder,
    entry,
    configFile: place.configFile,
    name,
    routes: routesOf(values, file, name),
    vars: { ...file.vars, ...devVars, ...readVarFlags(values, cwd) },
    limits: { ...file.limits, ...limitFlags },
    egress: readEgressFlags(values) ?? file.egress ?? [],
    crons: file.crons ?? [],
    compatibilityFlags: file.compatibilityFlags ?? [],
    services: overlayBindings({}, file),
    ...(isolation === undefined ? {} : { isolation }),
    ...(file.trust === undefined ? {} : { trust: file.trust }),
    ...(file.drainTimeoutMs === undefined ? {} : { drainTimeoutMs: file.drainTimeoutMs }),
  };
}

/** Of the folder itself; null where it says nothing of a project. */
export function readProjectHere(values: Values, cwd: string): Project | null {
  try {
    const project = readProject({ path: ".", cwd, values, warn: () => undefined });
    return project.configFile === null ? null : project;
  } catch (error) {
    if (error instanceof EdgeError && error.code === "CONFIG_NOT_FOUND") return null;
    throw error;
  }
}

function readIsolationFlag(values: Values): Isolation | undefined {
  const text = values.text("isolation");
  if (text === undefined) return undefined;
  const isolation = parseIsolation(text);
  if (isolation !== null) return isolation;
  throw new EdgeError("USAGE", `--isolation takes ${ISOLATION_FORMS}, not "${text}"`);
}

interface Place {
  readonly folder: string;
  readonly configFile: string | null;
  readonly entry: string | null;
}

function findPlace(absolute: string, given: string): Place {
  const stat = orUnreadable(given, () => statSync(absolute, { throwIfNoEntry: false }));
  if (stat === undefined) {
    throw new EdgeError("CONFIG_NOT_FOUND", `There is no file or folder "${given}"`);
  }
  // One may have no end.
  if (stat.isCharacterDevice()) {
    throw new EdgeError("CONFIG_NOT_FOUND", `"${given}" is a device, not a file or folder`);
  }
  const folder = stat.isDirectory() ? absolute : dirname(absolute);
  if (!stat.isDirectory() && !/\.(?:jsonc?|toml)$/.test(absolute)) {
    return { folder, configFile: null, entry: absolute };
  }
  const configs = stat.isDirectory() ? CONFIG_FILES.map((name) => join(folder, name)) : [absolute];
  const configFile = configs.find((file) => existsSync(file)) ?? null;
  const entries = ENTRY_STEMS.flatMap((stem) =>
    ENTRY_EXTENSIONS.map((extension) => join(folder, `${stem}${extension}`)),
  );
  return { folder, configFile, entry: entries.find((file) => existsSync(file)) ?? null };
}

function readManifest(
  file: string,
  { cwd, values, warn }: Omit<ProjectInput, "path">,
): ProjectManifest {
  const document = readDocument(file, cwd);
  const environment = values.text("env");
  return basename(file).startsWith("wrangler")
    ? readWranglerConfig(document, environment, warn)
    : readEdgeConfig(document, environment);
}

function noEntry(folder: string): EdgeError {
  const looked = ENTRY_STEMS.map((stem) => `${stem}{${ENTRY_EXTENSIONS.join(",")}}`).join(", ");
  return new EdgeError("CONFIG_NOT_FOUND", `${folder} has no "main" and none of ${looked}`);
}

/** A file called after nothing in particular leaves the naming to its folder. */
function deriveName(place: Place, entry: string): string {
  const stem = basename(entry, extname(entry));
  const generic = ["index", "worker", "main", "handler"].includes(stem);
  const parent = dirname(entry);
  const folder = basename(parent) === "src" ? dirname(parent) : parent;
  const source =
    place.configFile !== null ? basename(place.folder) : generic ? basename(folder) : stem;
  const name = source
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[^a-z]+|-+$/g, "")
    .slice(0, NAME_LENGTH_MAX);
  if (name !== "") return name;
  throw new EdgeError("NAME_INVALID", `No name can be made of "${source}"; pass --name`);
}

/** Routes of flags replace those of files. A --domain without --route takes the whole domain. */
function routesOf(values: Values, file: ProjectManifest, name: string): readonly RouteSpec[] {
  const paths = values.list("route");
  const domains = values.list("domain");
  const methods = values.list("method").flatMap((text) => text.split(","));
  if (paths.length === 0 && domains.length === 0) {
    if (methods.length === 0) return file.routes ?? [];
    const specs = file.routes?.length
      ? file.routes
      : [{ path: `/${name}` }, { path: `/${name}/*` }];
    return specs.map((spec) => normaliseRoute({ ...spec, methods }, domainToASCII));
  }
  const texts = (paths.length === 0 ? ["/*"] : paths).map(splitRoute);
  return texts.flatMap((text) => {
    const hosts = text.host === undefined && domains.length > 0 ? domains : [text.host];
    return hosts.map((host) => normaliseRoute({ ...text, host, methods }, domainToASCII));
  });
}

function readEgressFlags(values: Values): readonly string[] | undefined {
  const hosts = values.list("egress").map((text) => {
    const host = parseEgressHost(text);
    if (host !== null) return host;
    throw new EdgeError("USAGE", `--egress is HOST or HOST:PORT, not "${text}"`);
  });
  return hosts.length === 0 ? undefined : hosts;
}

function readVarFlags(values: Values, cwd: string): { readonly [name: string]: Json } {
  const file = values.text("env-file");
  const fromFile = file === undefined ? {} : readDocument(resolve(cwd, file), cwd).value;
  const pairs = values.list("var").map((text) => parsePair(text, "--var"));
  return { ...fromFile, ...Object.fromEntries(pairs) };
}
