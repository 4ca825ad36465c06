// What JSON Schemas have against a request. The door to ajv, with control/gateway/policies/validation.ts, which has
// refused schemas that are none.

import { createRequire } from "node:module";
import type { Ajv, ErrorObject, ValidateFunction } from "ajv";
import { SCHEMA_ID } from "../../../../sdk/gateway/openapi.ts";

const require: NodeJS.Require = createRequire(import.meta.url);
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json(?:\s*;|$)/i;
const DECODER: InstanceType<typeof TextDecoder> = new TextDecoder("utf-8", { fatal: true });

export interface Fault {
  readonly in: "body" | "path" | "query" | "headers";
  /** JSON Pointer. */
  readonly path: string;
  readonly message: string;
}

export type Check = (value: unknown) => Fault[];
export type Schemas = Ajv;

/** `isText`: what comes as text is taken for what the schema wants, as far as it can be read so. */
export function openSchemas(isText: boolean, shared: object | null = null): Schemas {
  // Here, since it takes a worker without such a policy longer to load than all of its other policies.
  const { Ajv2020 } = require("ajv/dist/2020.js") as typeof import("ajv/dist/2020.js");
  const addFormats = require("ajv-formats") as typeof import("ajv-formats");
  const ajv = new Ajv2020({ strict: false, coerceTypes: isText ? "array" : false });
  addFormats.default(ajv);
  if (shared !== null) ajv.addSchema(shared, SCHEMA_ID);
  return ajv;
}

export function compileCheck(schemas: Schemas, part: Fault["in"], schema: object): Check {
  const validate: ValidateFunction = schemas.compile(schema);
  return (value) =>
    validate(value) ? [] : (validate.errors ?? []).map((error) => faultOf(part, error));
}

function faultOf(
  part: Fault["in"],
  { instancePath, message = "does not fit" }: ErrorObject,
): Fault {
  return { in: part, path: instancePath, message };
}

export function isJson(type: string | undefined): boolean {
  return type !== undefined && JSON_TYPE.test(type);
}

export function bodyFaults(type: string | undefined, bytes: Uint8Array, check: Check): Fault[] {
  try {
    if (isJson(type)) return check(JSON.parse(DECODER.decode(bytes)));
  } catch {
    // No UTF-8, or no JSON.
  }
  return [{ in: "body", path: "", message: "must be JSON" }];
}

export function queryOf(url: string): Record<string, unknown> {
  const question = url.indexOf("?");
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (question < 0) return values;
  for (const [name, value] of new URLSearchParams(url.slice(question + 1))) {
    const before = values[name];
    if (before === undefined) values[name] = value;
    else values[name] = Array.isArray(before) ? [...(before as string[]), value] : [before, value];
  }
  return values;
}

export function headersOf(list: string): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const parts = list.split("\n");
  for (let at = 0; at + 1 < parts.length; at += 2) values[parts[at] ?? ""] ??= parts[at + 1];
  return values;
}
