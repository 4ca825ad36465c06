// What a project says about its endpoint, from whichever file or flags; and edge.jsonc, its own format.

import { domainToASCII } from "node:url";
import { parseCron } from "../../sdk/schedule/cron.ts";
import { parseEgressHost } from "../../sdk/egress.ts";
import { EdgeError } from "../../sdk/errors.ts";
import type { Json, JsonObject } from "../../sdk/errors.ts";
import { ISOLATION_FORMS, parseIsolation } from "../../sdk/isolation.ts";
import type { Isolation } from "../../sdk/isolation.ts";
import { VARS_PER_ENDPOINT_MAX } from "../../sdk/limits.ts";
import type { LimitOverrides } from "../../sdk/limits.ts";
import type { RouteSpec, Trust } from "../../sdk/records.ts";
import { normaliseRoute, splitRoute } from "../../sdk/route.ts";
import { parseDuration } from "../../sdk/gateway/units.ts";
import { NODE_FLAGS } from "../../compiler/node/builtins.ts";
import { isObject, isList } from "../json.ts";
import { parseLimit } from "../parse.ts";
import { BINDING_READERS, overlayBindings, readFaults } from "./bindings.ts";
import type { ProjectBindings } from "./bindings.ts";
import { fieldError } from "./document.ts";
import type { ConfigDocument, FieldPath } from "./document.ts";

export interface ProjectManifest extends ProjectBindings {
  readonly name?: string;
  /** Entry file, relative to the configuration file's folder. */
  readonly main?: string;
  /** Undefined: nothing said. Empty: every host at /NAME and /NAME/*. */
  readonly routes?: readonly RouteSpec[];
  readonly vars?: { readonly [name: string]: Json };
  readonly limits?: LimitOverrides;
  readonly trust?: Trust;
  readonly isolation?: Isolation;
  readonly egress?: readonly string[];
  readonly crons?: readonly string[];
  readonly compatibilityFlags?: readonly string[];
  readonly drainTimeoutMs?: number;
}

type Reader = (document: ConfigDocument, path: FieldPath, value: Json) => ProjectManifest;

const READERS: Readonly<Record<string, Reader>> = {
  $schema: () => ({}),
  name: (document, path, value) => ({ name: readText(document, path, value) }),
  main: (document, path, value) => ({ main: readText(document, path, value) }),
  routes: (document, path, value) => ({ routes: readRoutes(document, path, value) }),
  vars: (document, path, value) => ({ vars: readVars(document, path, value) }),
  limits: (document, path, value) => ({ limits: readLimits(document, path, value) }),
  trust: (document, path, value) => {
    if (value === "own" || value === "untrusted") return { trust: value };
    throw fieldError(document, path, 'it is "own" or "untrusted"');
  },
  isolation: (document, path, value) => {
    const isolation = typeof value === "string" ? parseIsolation(value) : null;
    if (isolation !== null) return { isolation };
    throw fieldError(document, path, `${JSON.stringify(value)} is none of ${ISOLATION_FORMS}`);
  },
  egress: (document, path, value) => ({ egress: readEgress(document, path, value) }),
  compatibility_flags: (document, path, value) => {
    const compatibilityFlags = readFlags(document, path, value);
    const at = compatibilityFlags.findIndex((flag) => !NODE_FLAGS.includes(flag));
    if (at < 0) return { compatibilityFlags };
    throw fieldError(
      document,
      [...path, at],
      `there is no such flag; there are ${NODE_FLAGS.join(", ")}`,
    );
  },
  triggers: (document, path, value) => ({ crons: readTriggers(document, path, value) }),
  drainTimeout: (document, path, value) => {
    const drainTimeoutMs = typeof value === "string" ? parseDuration(value) : null;
    if (drainTimeoutMs !== null) return { drainTimeoutMs };
    throw fieldError(document, path, 'it is a duration such as "30s"');
  },
  faults: readFaults,
  ...BINDING_READERS,
};

/** edge.jsonc; with `environment`, the fields of env.<environment> over the others. */
export function readEdgeConfig(
  document: ConfigDocument,
  environment: string | undefined,
): ProjectManifest {
  const base = readFields(document, [], document.value);
  return overlay(base, readEnvironment(document, environment, readFields));
}

/** Every environment is checked, also those not asked for. */
export function readEnvironment(
  document: ConfigDocument,
  environment: string | undefined,
  read: (document: ConfigDocument, path: FieldPath, fields: JsonObject) => ProjectManifest,
): ProjectManifest {
  const all = document.value["env"] ?? {};
  if (!isObject(all)) throw fieldError(document, ["env"], "an object of environments is expected");
  const read1 = (name: string): ProjectManifest => {
    const fields = all[name];
    if (isObject(fields)) return read(document, ["env", name], fields);
    throw fieldError(document, ["env", name], "an object is expected");
  };
  const byName = new Map(Object.keys(all).map((name) => [name, read1(name)]));
  if (environment === undefined) return {};
  const found = byName.get(environment);
  if (found !== undefined) return found;
  const known = byName.size === 0 ? "it has none" : `it has ${[...byName.keys()].join(", ")}`;
  throw new EdgeError("USAGE", `${document.file} has no environment "${environment}"; ${known}`);
}

/** `over` wins field by field; vars and limits are merged, and each field of bindings is one. */
export function overlay(base: ProjectManifest, over: ProjectManifest): ProjectManifest {
  return {
    ...base,
    ...over,
    vars: { ...base.vars, ...over.vars },
    limits: { ...base.limits, ...over.limits },
    ...overlayBindings(base, over),
  };
}

function readFields(
  document: ConfigDocument,
  path: FieldPath,
  fields: JsonObject,
): ProjectManifest {
  let manifest: ProjectManifest = {};
  for (const [name, value] of Object.entries(fields)) {
    const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
    if (reader !== undefined) {
      const read = reader(document, [...path, name], value);
      manifest = { ...manifest, ...read, ...overlayBindings(manifest, read) };
    } else if (name !== "env" || path.length > 0) {
      const known = Object.keys(READERS).join(", ");
      throw fieldError(
        document,
        [...path, name],
        `there is no such field; there are ${known}, env`,
      );
    }
  }
  return manifest;
}

export function readText(document: ConfigDocument, path: FieldPath, value: Json): string {
  if (typeof value === "string" && value.trim() !== "") return value;
  throw fieldError(document, path, "a text is expected");
}

export function readVars(document: ConfigDocument, path: FieldPath, value: Json): JsonObject {
  if (!isObject(value)) throw fieldError(document, path, "an object of variables is expected");
  if (Object.keys(value).length <= VARS_PER_ENDPOINT_MAX) return value;
  throw fieldError(document, path, `there are more than ${VARS_PER_ENDPOINT_MAX} variables`);
}

function readLimits(document: ConfigDocument, path: FieldPath, value: Json): LimitOverrides {
  if (!isObject(value)) throw fieldError(document, path, "an object of limits is expected");
  let limits: LimitOverrides = {};
  for (const [name, limit] of Object.entries(value)) {
    try {
      limits = { ...limits, ...parseLimit(name, limit, "MANIFEST_INVALID") };
    } catch (error) {
      throw placed(document, [...path, name], error);
    }
  }
  return limits;
}

function readEgress(document: ConfigDocument, path: FieldPath, value: Json): readonly string[] {
  if (!isList(value)) throw fieldError(document, path, "a list of hosts is expected");
  return value.map((item: Json, index) => {
    const host = typeof item === "string" ? parseEgressHost(item) : null;
    if (host !== null) return host;
    throw fieldError(document, [...path, index], 'a host is "HOST" or "HOST:PORT"');
  });
}

export function readFlags(
  document: ConfigDocument,
  path: FieldPath,
  value: Json,
): readonly string[] {
  if (!isList(value)) throw fieldError(document, path, "a list of flags is expected");
  return value.map((item: Json, index) => readText(document, [...path, index], item));
}

/** wrangler's `triggers`. */
export function readTriggers(
  document: ConfigDocument,
  path: FieldPath,
  value: Json,
): readonly string[] {
  if (!isObject(value)) throw fieldError(document, path, "an object is expected");
  for (const name of Object.keys(value)) {
    if (name === "crons") continue;
    throw fieldError(document, [...path, name], "there is no such field here; there is crons");
  }
  const { crons = [] } = value;
  const list = [...path, "crons"];
  if (!isList(crons)) throw fieldError(document, list, "a list of cron expressions is expected");
  return crons.map((item: Json, index) => {
    const text = readText(document, [...list, index], item);
    const cron = parseCron(text);
    if (typeof cron === "string") throw fieldError(document, [...list, index], cron);
    return text;
  });
}

function readRoutes(document: ConfigDocument, path: FieldPath, value: Json): readonly RouteSpec[] {
  if (!isList(value)) throw fieldError(document, path, "a list of routes is expected");
  return value.map((item: Json, index) => readRoute(document, [...path, index], item));
}

function readRoute(document: ConfigDocument, path: FieldPath, value: Json): RouteSpec {
  try {
    if (typeof value === "string") return normaliseRoute(splitRoute(value), domainToASCII);
    if (!isObject(value)) {
      throw fieldError(
        document,
        path,
        'a route is "/path", "host/path" or { path, host, methods }',
      );
    }
    for (const name of Object.keys(value)) {
      if (name === "host" || name === "path" || name === "methods") continue;
      const problem = "there is no such field; a route has path, host and methods";
      throw fieldError(document, [...path, name], problem);
    }
    const { host, methods } = value;
    return normaliseRoute(
      {
        path: readText(document, [...path, "path"], value["path"] ?? null),
        host: host === undefined ? undefined : readText(document, [...path, "host"], host),
        methods: methods === undefined ? [] : readMethods(document, [...path, "methods"], methods),
      },
      domainToASCII,
    );
  } catch (error) {
    throw placed(document, path, error);
  }
}

function readMethods(document: ConfigDocument, path: FieldPath, value: Json): readonly string[] {
  if (isList(value)) return value.map((item: Json) => readText(document, path, item));
  throw fieldError(document, path, 'a list of methods is expected, as in ["GET", "POST"]');
}

/** The same error, with the place in front of its message. */
export function placed(document: ConfigDocument, path: FieldPath, error: unknown): unknown {
  if (!(error instanceof EdgeError) || error.detail?.["file"] !== undefined) return error;
  const { line, column } = document.locate(path);
  const message = `${document.file}:${line}:${column}: ${error.message}`;
  const detail = { ...error.detail, file: document.file, line, column };
  return new EdgeError(error.code, message, { detail, cause: error });
}
