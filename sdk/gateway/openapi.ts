// What a gateway checks requests by of an OpenAPI document: its operations, with schemas in the form of JSON Schema.

export const PARAMETER_PLACES = ["path", "query", "headers"] as const;
export type ParameterPlace = (typeof PARAMETER_PLACES)[number];

export interface OpenApiOperation {
  /** In upper case. */
  readonly method: string;
  /** With the base path in front: /v1/users/{id}. */
  readonly path: string;
  /** Schema of an object with all parameters of a place; null: there are none. */
  readonly parameters: Readonly<Record<ParameterPlace, object | null>>;
  /** Of the query, whose values are lists within one text, divided by commas. */
  readonly lists: readonly string[];
  readonly body: OpenApiBody | null;
}

export interface OpenApiBody {
  readonly required: boolean;
  /** Media types in lower case, as application/json or image/*; null: whatever it holds is good. */
  readonly content: readonly (readonly [string, object | null])[];
}

export interface OpenApiRules {
  /** Absolute. */
  readonly file: string;
  /** "": that of the document's first server. */
  readonly basePath: string;
  /** What no operation is for is refused, or passes. */
  readonly unknown: "refuse" | "pass";
  readonly operations: readonly OpenApiOperation[];
  /** What schemas refer to, under SCHEMA_ID. */
  readonly shared: object;
}

/** By which operations' schemas refer to `shared`. */
export const SCHEMA_ID = "openapi:document";
