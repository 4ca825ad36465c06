// The gateway's configuration file: text to normal form, or an error that names every place that is wrong. Nothing
// is half taken: a file with one fault is refused whole, at start and at reload.

import { readFileSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { ConfigFault, GatewayConfig } from "../../sdk/gateway/config.ts";
import { configInvalid, faultOf, findingsOf } from "./faults.ts";
import { createKeysAt } from "./known-keys.ts";
import { normalise } from "./normal.ts";
import { gatewayJsonSchema, gatewaySchema } from "./schema.ts";
import { parseYaml, type Variables } from "./yaml.ts";

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

/** Throws GATEWAY_CONFIG_INVALID. */
export function parseGatewayConfig({ path, text, variables }: ConfigSource): GatewayConfig {
  const file = basename(path);
  const yaml = parseYaml(text, variables);
  if (yaml.faults.length > 0) {
    throw configInvalid(
      yaml.faults.map((fault): ConfigFault => ({ file, field: "", suggestion: "", ...fault })),
    );
  }
  const { value } = yaml;
  const parsed = gatewaySchema.safeParse(value);
  if (!parsed.success) {
    keysAt ??= createKeysAt(gatewayJsonSchema());
    const found = findingsOf(parsed.error.issues, { value, keysAt });
    throw configInvalid(found.map((finding) => faultOf(finding, file, yaml.place)));
  }
  const { config, found } = normalise(parsed.data, dirname(path));
  if (found.length === 0) return config;
  throw configInvalid(found.map((finding) => faultOf(finding, file, yaml.place)));
}

/** Throws GATEWAY_CONFIG_INVALID, also when the file is not there. */
export function readGatewayConfig(path: string, variables: Variables): GatewayConfig {
  return parseGatewayConfig({ path, text: readConfigText(path), variables });
}

/** Throws GATEWAY_CONFIG_INVALID. */
export function readConfigText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size <= CONFIG_BYTES_MAX) return readFileSync(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EdgeError("GATEWAY_CONFIG_INVALID", `${path} cannot be read: ${why}`, { cause });
  }
  const message = `${path} is larger than ${CONFIG_BYTES_MAX} bytes`;
  throw new EdgeError("GATEWAY_CONFIG_INVALID", message);
}
