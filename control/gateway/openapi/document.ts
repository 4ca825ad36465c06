// An OpenAPI document (3.0 or 3.1, JSON or YAML) made into what requests are checked by.

import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type {
  OpenApiBody,
  OpenApiOperation,
  OpenApiRules,
  ParameterPlace,
} from "../../../sdk/gateway/openapi.ts";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import type { Finding } from "../faults.ts";
import { schemaProblem } from "../policies/validation.ts";
import { parseYaml, type Path } from "../yaml.ts";
import { fieldsOf, jsonSchema, problem, type Fields } from "./schemas.ts";

/** It goes to every worker, with each change of the configuration. */
export const DOCUMENT_BYTES_MAX: number = 1024 * 1024;
/** Each has schemas of its own to be compiled. */
export const OPERATIONS_MAX = 1_000;

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"] as const;
const PLACES: Readonly<Record<string, ParameterPlace>> = {
  path: "path",
  query: "query",
  header: "headers",
};
/** Said elsewhere in the document, and not to be checked (OpenAPI 3.1, Parameter Object). */
const NOT_PARAMETERS: readonly string[] = ["accept", "content-type", "authorization"];

interface PolicyPlace {
  readonly folder: string;
  /** Of the list of policies. */
  readonly path: Path;
}

/** The policies, with what their documents say. */
export function withOpenApi<T extends PolicyConfig>(
  policies: readonly T[],
  { folder, path }: PolicyPlace,
  found: Finding[],
): T[] {
  return policies.map((policy, index) => {
    if (policy.kind !== "validation" || policy.openapi === null) return policy;
    const file = resolve(folder, policy.openapi.file);
    try {
      return {
        ...policy,
        openapi: { ...policy.openapi, file, ...readDocument(file, policy.openapi) },
      };
    } catch (error) {
      const at = [...path, index, "validation", "openapi"];
      const why = error instanceof Error ? error.message : String(error);
      const expected = "an OpenAPI document, 3.0 or 3.1, in JSON or YAML";
      found.push({ path: at, expected, problem: `${file}: ${why.replace(/\.$/, "")}` });
      return policy;
    }
  });
}

/** Throws what is wrong with it. */
function readDocument(
  file: string,
  { basePath }: OpenApiRules,
): Pick<OpenApiRules, "operations" | "shared"> {
  if (statSync(file).size > DOCUMENT_BYTES_MAX) {
    throw problem(`it is larger than ${DOCUMENT_BYTES_MAX} bytes`);
  }
  const { value, faults } = parseYaml(readFileSync(file, "utf8"), null);
  const [fault] = faults;
  if (fault !== undefined) throw problem(`line ${fault.line}: ${fault.problem}`);
  const document = fieldsOf(value);
  const version = document["openapi"];
  if (typeof version !== "string" || !/^3\.[01]\./.test(version)) {
    throw problem("it says no openapi: 3.0.x or 3.1.x");
  }
  const base = basePath === "" ? serverPath(document) : basePath.replace(/\/+$/, "");
  const operations = Object.entries(fieldsOf(document["paths"])).flatMap(([path, item]) =>
    operationsOf(document, base + path, fieldsOf(item)),
  );
  if (operations.length === 0) throw problem("it has no operations");
  if (operations.length > OPERATIONS_MAX) {
    throw problem(`it has more than ${OPERATIONS_MAX} operations`);
  }
  // A place of the document that schemas may refer to.
  const shared = jsonSchema({ components: document["components"] ?? {} }) as object;
  for (const { method, path, parameters, body } of operations) {
    const schemas = [...Object.values(parameters), ...(body?.content ?? []).map(([, one]) => one)];
    for (const schema of schemas) {
      const wrong = schema === null ? null : schemaProblem(schema, shared);
      if (wrong !== null) throw problem(`${method} ${path}: ${wrong}`);
    }
  }
  return { operations, shared };
}

/** Path of the first server, without a slash at its end. */
function serverPath(document: Fields): string {
  const servers = document["servers"];
  const first = fieldsOf(Array.isArray(servers) ? servers[0] : null)["url"];
  if (typeof first !== "string" || !URL.canParse(first, "http://a")) return "";
  return new URL(first, "http://a").pathname.replace(/\/+$/, "");
}

function operationsOf(document: Fields, path: string, item: Fields): OpenApiOperation[] {
  return METHODS.flatMap((method) => {
    if (item[method] === undefined) return [];
    const operation = fieldsOf(item[method]);
    // Those of the operation stand for those of the path.
    const byName = new Map<string, Fields>();
    for (const one of [...listOf(item["parameters"]), ...listOf(operation["parameters"])]) {
      const parameter = resolved(document, one);
      byName.set(`${String(parameter["in"])} ${String(parameter["name"])}`, parameter);
    }
    const all = [...byName.values()];
    return [
      {
        method: method.toUpperCase(),
        path,
        parameters: {
          path: parametersIn("path", all),
          query: parametersIn("query", all),
          headers: parametersIn("headers", all),
        },
        lists: all.filter(isList).map(({ name }) => String(name)),
        body: bodyOf(document, operation["requestBody"]),
      },
    ];
  });
}

function parametersIn(place: ParameterPlace, all: readonly Fields[]): object | null {
  const properties: Record<string, unknown> = {};
  const required: string[] = [];
  for (const parameter of all) {
    const { name } = parameter;
    if (typeof name !== "string" || PLACES[String(parameter["in"])] !== place) continue;
    const key = place === "headers" ? name.toLowerCase() : name;
    if (place === "headers" && NOT_PARAMETERS.includes(key)) continue;
    // An object in several parameters is not put together: it passes.
    if (parameter["style"] === "deepObject") continue;
    const { schema } = parameter;
    properties[key] = schema === undefined ? {} : jsonSchema(schema);
    if (parameter["required"] === true || place === "path") required.push(key);
  }
  if (Object.keys(properties).length === 0) return null;
  return { type: "object", properties, required };
}

function isList(parameter: Fields): boolean {
  const isArray = fieldsOf(parameter["schema"])["type"] === "array";
  return isArray && parameter["in"] === "query" && parameter["explode"] === false;
}

function bodyOf(document: Fields, value: unknown): OpenApiBody | null {
  if (value === undefined) return null;
  const body = resolved(document, value);
  const content = Object.entries(fieldsOf(body["content"])).map(
    ([type, media]): [string, object | null] => {
      const { schema } = fieldsOf(media);
      return [type.toLowerCase(), schema === undefined ? null : (jsonSchema(schema) as object)];
    },
  );
  return { required: body["required"] === true, content };
}

/** What a reference stands for; one step, as parameters and bodies have it. */
function resolved(document: Fields, value: unknown): Fields {
  const fields = fieldsOf(value);
  const reference = fields["$ref"];
  if (typeof reference !== "string") return fields;
  let at: unknown = document;
  const steps = reference.startsWith("#/") ? reference.slice(2).split("/") : [];
  for (const step of steps) {
    at = fieldsOf(at)[step.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  if (steps.length === 0 || at === undefined) throw problem(`$ref ${reference} leads nowhere`);
  return fieldsOf(at);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
