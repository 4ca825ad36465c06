// Requests beside an OpenAPI document, and documents that are none.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseGatewayConfig } from "../../control/gateway/config.ts";
import { DOCUMENT_BYTES_MAX, OPERATIONS_MAX } from "../../control/gateway/openapi/document.ts";
import { temporary, type Temporary } from "../temporary.ts";
import { openFront, type Front } from "./front.ts";

const DOCUMENT = `
openapi: 3.0.3
servers: [ { url: "https://api.example/v1" } ]
paths:
  /users/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: integer, minimum: 1 } }
    get:
      parameters:
        - { name: fields, in: query, explode: false, schema: { type: array, items: { enum: [name, mail] } } }
        - $ref: "#/components/parameters/Tenant"
  /users/me:
    get: {}
  /users:
    post:
      requestBody:
        required: true
        content:
          application/json: { schema: { $ref: "#/components/schemas/User" } }
          image/*: {}
    get:
      parameters: [ { name: page, in: query, required: true, schema: { type: integer } } ]
components:
  parameters:
    Tenant: { name: X-Tenant, in: header, required: true, schema: { type: string, minLength: 2 } }
  schemas:
    User:
      type: object
      required: [name]
      properties:
        name: { type: string }
        age: { type: integer, minimum: 0, exclusiveMinimum: true }
        nick: { type: string, nullable: true }
        friend: { $ref: "#/components/schemas/User" }
`;

let folder: Temporary;
let front: Front;
const path = (): string => join(folder.path, "edge.yaml");

function routes(openapi: string): string {
  return `routes: [ { match: { path: "/*" }, target: { endpoint: hello }, policies: [ validation: { maxBody: 1KiB, openapi: ${openapi} } ] } ]\n`;
}

beforeAll(async () => {
  folder = temporary();
  writeFileSync(join(folder.path, "api.yaml"), DOCUMENT);
  front = await openFront(routes("{ file: api.yaml }"), { path: path() });
});

afterAll(async () => {
  await front[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function ask(
  method: string,
  url: string,
  {
    body,
    type = "application/json",
    tenant = "ab",
  }: { body?: string; type?: string; tenant?: string } = {},
): Promise<string> {
  const headers: Record<string, string> = { "x-tenant": tenant };
  if (body !== undefined) headers["content-type"] = type;
  const response = await front.get(url, { method, headers, ...(body !== undefined && { body }) });
  if (response.status !== 422) {
    await response.arrayBuffer();
    return `${response.status}${response.headers.get("allow") ?? ""}`;
  }
  const { errors } = (await response.json()) as {
    errors: { in: string; path: string; message: string }[];
  };
  return errors.map((error) => `${error.in}${error.path} ${error.message}`).join("; ");
}

describe("a request", () => {
  test.each([
    ["GET", "/v1/users/7", {}, "200"],
    ["HEAD", "/v1/users/7", {}, "200"],
    ["GET", "/v1/users/7?fields=name,mail", {}, "200"],
    ["GET", "/v1/users/me", { tenant: "a" }, "200"],
    ["GET", "/v1/users/%37", {}, "200"],
    ["GET", "/v1/users/0", {}, "path/id must be >= 1"],
    ["GET", "/v1/users/x", {}, "path/id must be integer"],
    [
      "GET",
      "/v1/users/7?fields=name,age",
      {},
      "query/fields/1 must be equal to one of the allowed values",
    ],
    [
      "GET",
      "/v1/users/7",
      { tenant: "a" },
      "headers/x-tenant must NOT have fewer than 2 characters",
    ],
    ["GET", "/v1/users", {}, "query must have required property 'page'"],
    ["GET", "/v1/users?page=2&more=1", {}, "200"],
    ["POST", "/v1/users", { body: '{"name":"a","nick":null,"friend":{"name":"b"}}' }, "200"],
    [
      "POST",
      "/v1/users",
      { body: '{"name":"a","friend":{}}' },
      "body/friend must have required property 'name'",
    ],
    ["POST", "/v1/users", { body: '{"name":"a","age":0}' }, "body/age must be > 0"],
    ["POST", "/v1/users", { body: '{"name":7}' }, "body/name must be string"],
    ["POST", "/v1/users", { body: "{" }, "body must be JSON"],
    ["POST", "/v1/users", {}, "body is required"],
    ["POST", "/v1/users", { body: "x", type: "image/png" }, "200"],
    [
      "POST",
      "/v1/users",
      { body: "x", type: "text/plain" },
      "headers/content-type must be application/json or image/*",
    ],
    ["POST", "/v1/users", { body: `{"name":"${"x".repeat(1_024 - 11)}"}` }, "200"],
    ["POST", "/v1/users", { body: `{"name":"${"x".repeat(1_024 - 10)}"}` }, "413"],
    ["DELETE", "/v1/users/7", {}, "405GET"],
    ["GET", "/v1/nothing", {}, "404"],
    ["GET", "/users/7", {}, "404"],
  ])("%s %s with %j answers %s", async (method, url, more, answer) => {
    expect(await ask(method, url, more)).toBe(answer);
  });

  test("that no operation is for passes where it may, below another base", async () => {
    const text = routes("{ file: api.yaml, basePath: /api/, unknown: pass }");
    await using own = await openFront(text, { path: path() });
    expect((await own.get("/nothing")).status).toBe(200);
    expect((await own.get("/v1/users/x")).status).toBe(200);
    expect((await own.get("/api/users/x")).status).toBe(422);
  });
});

describe("a document", () => {
  const faultOf = (document: string): string => {
    writeFileSync(join(folder.path, "other.yaml"), document);
    try {
      parseGatewayConfig({ path: path(), text: routes("{ file: other.yaml }"), variables: {} });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    return "";
  };
  const withPaths = (paths: string): string => `{ "openapi": "3.1.0", "paths": { ${paths} } }`;

  test.each([
    ["swagger: '2.0'", "it says no openapi: 3.0.x or 3.1.x"],
    ["openapi: 3.1.0\npaths: {}", "it has no operations"],
    ["openapi: 3.1.0\npaths: {", "other.yaml: line 2:"],
    [
      withPaths('"/a": { "get": { "parameters": [ { "$ref": "#/components/parameters/A" } ] } }'),
      "$ref #/components/parameters/A leads nowhere",
    ],
    [
      withPaths(
        '"/a": { "post": { "requestBody": { "content": { "application/json": { "schema": { "$ref": "b.yaml" } } } } } }',
      ),
      "leads out of the document",
    ],
    [
      withPaths(
        '"/a": { "post": { "requestBody": { "content": { "application/json": { "schema": { "type": "number7" } } } } } }',
      ),
      "POST /a: schema is invalid",
    ],
  ])("%s is refused with its place", (document, problem) => {
    const fault = faultOf(document);
    expect(fault).toMatch(/^edge\.yaml:1:\d+: routes\[0\]\.policies\[0\]\.validation\.openapi: /);
    expect(fault).toContain(problem);
  });

  test("that is not there is told by its name", () => {
    const text = routes("{ file: none.yaml }");
    expect(() => parseGatewayConfig({ path: path(), text, variables: {} })).toThrow("none.yaml");
  });

  test("may be as large as workers can be given", () => {
    const document = withPaths('"/a": { "get": {} }');
    for (const bytes of [DOCUMENT_BYTES_MAX - 1, DOCUMENT_BYTES_MAX]) {
      expect(faultOf(document.padEnd(bytes))).toBe("");
    }
    expect(faultOf(document.padEnd(DOCUMENT_BYTES_MAX + 1))).toContain("it is larger than");
  });

  test("may have so many operations", () => {
    const document = (count: number): string =>
      withPaths(Array.from({ length: count }, (_, at) => `"/a${at}": { "get": {} }`).join(", "));
    for (const count of [OPERATIONS_MAX - 1, OPERATIONS_MAX]) {
      expect(faultOf(document(count))).toBe("");
    }
    expect(faultOf(document(OPERATIONS_MAX + 1))).toContain("more than 1000 operations");
  });
});
