// The configuration file, the gateway's part and services: text to normal form, or an error that names every place
// that is wrong. Nothing is half taken: a file with one fault is refused whole, at start and at reload.

import { readFileSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { ConfigFault, GatewayConfig } from "../../sdk/gateway/config.ts";
import { fieldsOf, type FileServices } from "../services/file.ts";
import { configInvalid, faultOf, findingsOf, valueAt, type Finding } from "./faults.ts";
import { createKeysAt } from "./known-keys.ts";
import { normalise } from "./normal.ts";
import { gatewayJsonSchema, gatewaySchema } from "./schema.ts";
import { parseYaml, type Path, type Variables } from "./yaml.ts";

/** A file of ten thousand routes is a tenth of it; it is read whole, by every worker too. */
export const CONFIG_BYTES_MAX: number = 8 * 1024 * 1024;

export interface ConfigSource {
  /** Of the file; names of other files are relative to its folder. */
  readonly path: string;
  readonly text: string;
  /** What `${VAR}` stands for. */
  readonly variables: Variables;
}

let keysAt: ReturnType<typeof createKeysAt> | null = null;

export interface ConfigFile {
  readonly gateway: GatewayConfig;
  /** What the registry has a say in. No worker is told of services: they are in it, where all others are. */
  readonly services: FileServices;
}

/** Throws GATEWAY_CONFIG_INVALID. */
export function parseGatewayConfig(source: ConfigSource): GatewayConfig {
  return parseConfigFile(source).gateway;
}

/** Throws GATEWAY_CONFIG_INVALID. */
export function parseConfigFile({ path, text, variables }: ConfigSource): ConfigFile {
  const file = basename(path);
  const yaml = parseYaml(text, variables);
  if (yaml.faults.length > 0) {
    throw configInvalid(
      yaml.faults.map((fault): ConfigFault => ({ file, field: "", suggestion: "", ...fault })),
    );
  }
  const { value } = yaml;
  const refuse = (found: readonly Finding[]): EdgeError =>
    configInvalid(found.map((finding) => faultOf(finding, file, yaml.place)));
  const parsed = gatewaySchema.safeParse(value);
  if (!parsed.success) {
    throw refuse(findingsOf(parsed.error.issues, { value, keysAt: keysIn(value) }));
  }
  const { config, found } = normalise(parsed.data, dirname(path));
  if (found.length > 0) throw refuse(found);
  return {
    gateway: config,
    services: { byName: parsed.data.services, faults: config.faults, refuse },
  };
}

/** A service has the keys of its type. */
function keysIn(value: unknown): (path: Path) => readonly string[] {
  keysAt ??= createKeysAt(gatewayJsonSchema());
  const gatewayKeysAt = keysAt;
  return (path) => {
    const [top, , field] = path;
    if (top !== "services" || path.length < 2) return gatewayKeysAt(path);
    const service: unknown = valueAt(value, path.slice(0, 2));
    return field === undefined ? fieldsOf(valueAt(service, ["type"])) : [];
  };
}

/** Throws GATEWAY_CONFIG_INVALID, also when the file is not there. */
export function readConfigFile(path: string, variables: Variables): ConfigFile {
  return parseConfigFile({ path, text: readConfigText(path), variables });
}

/** Throws GATEWAY_CONFIG_INVALID. */
export function readConfigText(path: string): string {
  try {
    const stat = statSync(path);
    // A device may have no end.
    if (!stat.isFile() && !stat.isFIFO())
      throw new EdgeError("GATEWAY_CONFIG_INVALID", `${path} is no file`);
    if (stat.size <= CONFIG_BYTES_MAX) return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EdgeError("GATEWAY_CONFIG_INVALID", `${path} cannot be read: ${why}`, { cause });
  }
  const message = `${path} is larger than ${CONFIG_BYTES_MAX} bytes`;
  throw new EdgeError("GATEWAY_CONFIG_INVALID", message);
}
