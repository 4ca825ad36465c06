// Requests beside the operations of an OpenAPI document: which one is asked for, and what its schemas have against it.
// A path without templates beats one with them; schemas are compiled when their operation is first asked for.

import type { OpenApiOperation, OpenApiRules } from "../../../../sdk/gateway/openapi.ts";
import type { Pass } from "../../pass.ts";
import {
  compileCheck,
  headersOf,
  openSchemas,
  queryOf,
  type Check,
  type Fault,
  type Schemas,
} from "./schema-check.ts";

export interface Operation {
  readonly config: OpenApiOperation;
  /** Parameters of the path, the query and the headers. */
  readonly faults: (pass: Pass, path: Readonly<Record<string, unknown>>) => Fault[];
  /** By the type of the body; null: whatever it holds is good; undefined: there is no such type. */
  readonly bodyCheck: (type: string) => Check | null | undefined;
}

export type Found =
  | { readonly kind: "operation"; readonly operation: Operation; readonly path: PathValues }
  | { readonly kind: "method"; readonly allow: string }
  | { readonly kind: "none" };

type PathValues = Readonly<Record<string, unknown>>;

interface PathOf {
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly isPlain: boolean;
  readonly methods: Map<string, () => Operation>;
}

export function createOperations(rules: OpenApiRules): (method: string, path: string) => Found {
  let text: Schemas | null = null;
  let json: Schemas | null = null;
  const schemas = (isText: boolean): Schemas =>
    isText
      ? (text ??= openSchemas(true, rules.shared))
      : (json ??= openSchemas(false, rules.shared));
  const paths = new Map<string, PathOf>();
  for (const config of rules.operations) {
    let path = paths.get(config.path);
    if (path === undefined) paths.set(config.path, (path = pathOf(config.path)));
    let made: Operation | null = null;
    path.methods.set(config.method, () => (made ??= createOperation(config, schemas)));
  }
  const ordered = [...paths.values()].toSorted((a, b) => Number(b.isPlain) - Number(a.isPlain));
  return (method, asked) => {
    let allow = "";
    for (const { pattern, names, methods } of ordered) {
      const match = pattern.exec(asked);
      if (match === null) continue;
      // RFC 9110, section 9.3.2: what GET may be asked, HEAD may be.
      const operation = methods.get(method) ?? (method === "HEAD" ? methods.get("GET") : undefined);
      if (operation !== undefined) {
        const values = names.map((name, at) => [name, decoded(match[at + 1] ?? "")] as const);
        const path = Object.fromEntries(values);
        return { kind: "operation", operation: operation(), path };
      }
      allow ||= [...methods.keys()].join(", ");
    }
    return allow === "" ? { kind: "none" } : { kind: "method", allow };
  };
}

function pathOf(template: string): PathOf {
  // Texts and names in turns.
  const parts = template.split(/\{([^{}/]+)\}/);
  const source = parts
    .map((part, at) => (at % 2 === 0 ? RegExp.escape(part) : "([^/]+?)"))
    .join("");
  const names = parts.filter((_part, at) => at % 2 === 1);
  return {
    pattern: new RegExp(`^${source}$`),
    names,
    isPlain: names.length === 0,
    methods: new Map(),
  };
}

function createOperation(
  config: OpenApiOperation,
  schemas: (isText: boolean) => Schemas,
): Operation {
  const { parameters, lists, body } = config;
  const of = (part: "path" | "query" | "headers"): Check | null => {
    const schema = parameters[part];
    return schema === null ? null : compileCheck(schemas(true), part, schema);
  };
  const path = of("path");
  const query = of("query");
  const headers = of("headers");
  const checks = new Map(
    (body?.content ?? []).map(([type, schema]) => [
      type,
      schema === null ? null : compileCheck(schemas(false), "body", schema),
    ]),
  );
  return {
    config,
    faults: (pass, values) => [
      ...(path?.({ ...values }) ?? []),
      ...(query?.(withLists(queryOf(pass.url), lists)) ?? []),
      ...(headers?.(headersOf(pass.headers)) ?? []),
    ],
    bodyCheck: (type) => {
      for (const range of [type, type.replace(/\/.*/, "/*"), "*/*"]) {
        const check = checks.get(range);
        if (check !== undefined) return check;
      }
      return undefined;
    },
  };
}

function withLists(
  values: Record<string, unknown>,
  lists: readonly string[],
): Record<string, unknown> {
  for (const name of lists) {
    const value = values[name];
    if (typeof value === "string") values[name] = value.split(",");
  }
  return values;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // No encoding of anything: compared as it is.
    return text;
  }
}
