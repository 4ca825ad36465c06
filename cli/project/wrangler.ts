// wrangler.jsonc, .json and .toml as far as a node can do what they ask. A field that would change what the
// handler does or sees and is not supported is an error that names it: nothing is dropped in silence. Fields
// that only matter to where Workers run are accepted, with a warning if they were meant to have an effect.

import { domainToASCII } from "node:url";
import { EdgeError } from "../../sdk/errors.ts";
import type { Json, JsonObject } from "../../sdk/errors.ts";
import type { RouteSpec } from "../../sdk/records.ts";
import { normaliseRoute } from "../../sdk/route.ts";
import { NODE_FLAGS } from "../../compiler/node/builtins.ts";
import { isObject, isList } from "../json.ts";
import { BINDING_READERS, overlayBindings } from "./bindings.ts";
import { fieldError, fieldName } from "./document.ts";
import type { ConfigDocument, FieldPath } from "./document.ts";
import {
  overlay,
  placed,
  readEnvironment,
  readFlags,
  readText,
  readTriggers,
  readVars,
} from "./manifest.ts";
import type { ProjectManifest } from "./manifest.ts";

/** No effect here and none missed. */
const SILENT: ReadonlySet<string> = new Set([
  "$schema", "account_id", "compatibility_date", "dev", "env",
  "keep_vars", "legacy_env", "preview_urls", "send_metrics", "upload_source_maps", "workers_dev",
]); // prettier-ignore
/** An effect that is missed, but not by the handler. */
const WARNED: ReadonlySet<string> = new Set([
  "keep_names", "limits", "logpush", "minify", "observability", "placement", "tail_consumers",
  "tsconfig",
]); // prettier-ignore

type Warn = (text: string) => void;

export function readWranglerConfig(
  document: ConfigDocument,
  environment: string | undefined,
  warn: Warn,
): ProjectManifest {
  const read = (from: ConfigDocument, path: FieldPath, fields: JsonObject): ProjectManifest =>
    readFields(from, path, { fields, warn });
  return overlay(read(document, [], document.value), readEnvironment(document, environment, read));
}

function readFields(
  document: ConfigDocument,
  path: FieldPath,
  { fields, warn }: { fields: JsonObject; warn: Warn },
): ProjectManifest {
  let manifest: ProjectManifest = {};
  for (const [name, value] of Object.entries(fields)) {
    const at = [...path, name];
    if (name === "name") manifest = { ...manifest, name: readText(document, at, value) };
    else if (name === "main") manifest = { ...manifest, main: readText(document, at, value) };
    else if (Object.hasOwn(BINDING_READERS, name) && name !== "bindings") {
      const read = BINDING_READERS[name]?.(document, at, value) ?? {};
      manifest = { ...manifest, ...overlayBindings(manifest, read) };
    } else if (name === "vars") manifest = { ...manifest, vars: readVars(document, at, value) };
    else if (name === "route" || name === "routes") {
      const list = name === "route" ? [value] : value;
      if (!isList(list)) throw fieldError(document, at, "a list of routes is expected");
      const routes = list.flatMap((item: Json, index) =>
        readRoute(document, name === "route" ? at : [...at, index], { item, warn }),
      );
      manifest = { ...manifest, routes: [...(manifest.routes ?? []), ...routes] };
    } else if (name === "compatibility_flags") {
      // Others say how Workers' runtime behaved on some day.
      const flags = readFlags(document, at, value).filter((flag) => NODE_FLAGS.includes(flag));
      manifest = { ...manifest, compatibilityFlags: flags };
    } else if (name === "triggers") {
      manifest = { ...manifest, crons: readTriggers(document, at, value) };
    } else if (WARNED.has(name)) {
      warn(`${document.file}: ${fieldName(at)} has no effect here`);
    } else if (!SILENT.has(name) && !isEmpty(value)) {
      throw fieldError(document, at, "nodes do not support this wrangler field yet");
    }
  }
  return manifest;
}

function readRoute(
  document: ConfigDocument,
  path: FieldPath,
  { item, warn }: { item: Json; warn: Warn },
): readonly RouteSpec[] {
  const custom = isObject(item) && item["custom_domain"] === true;
  const pattern = readText(document, path, isObject(item) ? (item["pattern"] ?? null) : item);
  try {
    const routes = convertPattern(custom ? `${pattern}/*` : pattern);
    if (/[^/]\*$/.test(pattern)) {
      const paths = routes.map((route) => route.path).join(" and ");
      warn(`${document.file}: ${fieldName(path)} "${pattern}" answers at ${paths} only`);
    }
    return routes;
  } catch (error) {
    throw placed(document, path, error);
  }
}

/**
 * `host/path*`. In wrangler a star takes anything, also within a segment; here `/path*` becomes `/path` and
 * `/path/*`, and `*example.com` becomes example.com and *.example.com.
 */
export function convertPattern(pattern: string): readonly RouteSpec[] {
  const bare = pattern.replace(/^https?:\/\//, "");
  const slash = bare.indexOf("/");
  const host = slash === -1 ? bare : bare.slice(0, slash);
  const path = slash === -1 ? "/" : bare.slice(slash);
  const star = path.indexOf("*");
  if (star !== -1 && star !== path.length - 1) {
    const problem = `Route "${pattern}": a star in a path can only be its last character.`;
    throw new EdgeError("ROUTE_INVALID", problem, { detail: { pattern } });
  }
  const paths = /[^/]\*$/.test(path) ? [path.slice(0, -1), `${path.slice(0, -1)}/*`] : [path];
  const hosts = /^\*[^.]/.test(host) ? [host.slice(1), `*.${host.slice(1)}`] : [host];
  return hosts.flatMap((name) =>
    paths.map((text) => normaliseRoute({ host: name, path: text }, domainToASCII)),
  );
}

function isEmpty(value: Json): boolean {
  if (isList(value)) return value.length === 0;
  return isObject(value) ? Object.values(value).every(isEmpty) : value === null || value === false;
}
