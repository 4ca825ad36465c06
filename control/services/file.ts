// Services as a configuration file lists them: by name, type beside the fields of its configuration.

import { z } from "zod";
import { EdgeError, type JsonObject } from "../../sdk/errors.ts";
import { parseInput } from "../parse.ts";
import { parseConfig, parseType } from "./config.ts";
import type { ServiceInput } from "./services.ts";

const serviceSchema = z.looseObject({
  type: z.string(),
  autoActivate: z.boolean().default(true),
});
const servicesSchema = z.record(z.string(), serviceSchema);

/**
 * `{ "main-db": { "type": "postgres", "host": … } }`, available unless `autoActivate` is false. Throws INPUT_INVALID
 * with the field's path, as "main-db.port".
 */
export function parseServices(input: unknown): readonly ServiceInput[] {
  return Object.entries(parseInput(servicesSchema, input)).map(([name, service]) => {
    const { type, autoActivate, ...config } = service;
    return readService(name, { type, config: config as JsonObject, autoActivate });
  });
}

function readService(
  name: string,
  service: { readonly type: string; readonly config: JsonObject; readonly autoActivate: boolean },
): ServiceInput {
  const { type, config, autoActivate } = service;
  try {
    const state = autoActivate ? "available" : "created";
    return { name, type, config: parseConfig(parseType(type), config), state };
  } catch (error) {
    throw error instanceof EdgeError ? placed(name, error) : error;
  }
}

/** "config.port" and "service_type" are the API's names. */
function placed(name: string, error: EdgeError): EdgeError {
  const rename = (text: string): string =>
    text.replace(/^config\./, `${name}.`).replace(/^service_type/, `${name}.type`);
  const message = error.message.split("; ").map(rename).join("; ");
  return new EdgeError(error.code, message, { cause: error });
}
