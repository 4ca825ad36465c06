// GraphQL and RPC servers, validators, tokens, a database, SDKs of other services.

import type { Expectation } from "../expectation.ts";

const SKETCH = { id: "1", title: "Sketch of the Analytical Engine" };
const ORDER = { id: "9b2b1f0e-6f5c-4c57-8c4e-2b5a3e9f3d11", ship: { kind: "air" } };
const SIGN_UP = { email: "Ada@Example.com", age: "36", password: "12345678", again: "12345678" };

export const GRAPHQL_YOGA: readonly Expectation[] = [
  {
    ask: "POST /graphql-yoga",
    json: {
      query: "query($c: String) { books(contains: $c) { id title } greeting }",
      variables: { c: "Sketch" },
    },
    reply: { json: { data: { books: [SKETCH], greeting: "hi" } } },
  },
  {
    ask: "POST /graphql-yoga",
    json: { query: 'mutation { addBook(title: "Notes") { id } }' },
    reply: { json: { data: { addBook: { id: "2" } } } },
  },
  {
    ask: "POST /graphql-yoga",
    json: { query: "{ secret }" },
    reply: /^\{"errors":\[\{"message":"Unexpected error\.".*"data":\{"secret":null\}\}$/,
  },
  { ask: "POST /graphql-yoga", json: { query: "{ refused }" }, reply: /"code":"FORBIDDEN"/ },
  {
    ask: "POST /graphql-yoga",
    json: { query: "{ nothing }" },
    reply: /Cannot query field \\"nothing\\" on type \\"Query\\"/,
  },
  { ask: "GET /graphql-yoga?query={greeting}", reply: { json: { data: { greeting: "hi" } } } },
  {
    ask: "POST /graphql-yoga",
    headers: { accept: "text/event-stream" },
    json: { query: "subscription { countdown(from: 1) }" },
    reply:
      /event: next\ndata: \{"data":\{"countdown":1\}\}\n\nevent: next\ndata: \{"data":\{"countdown":0\}\}\n\nevent: complete/,
  },
  { ask: "GET /graphql-yoga", headers: { accept: "text/html" }, reply: /<title>Yoga GraphiQL/ },
];

export const TRPC: readonly Expectation[] = [
  {
    ask: `GET /trpc/greet?input=${encodeURIComponent('{"name":"ada"}')}`,
    reply: { json: { result: { data: "Hello, ada" } } },
  },
  { ask: "GET /trpc/greet?input={}", status: 400, reply: /expected string, received undefined/ },
  { ask: "POST /trpc/add", json: [1, 2], reply: { json: { result: { data: 3 } } } },
  { ask: "GET /trpc/me", status: 401, reply: /"code":"UNAUTHORIZED"/ },
  {
    ask: "GET /trpc/me",
    headers: { "x-user": "ada" },
    reply: { json: { result: { data: "ada" } } },
  },
  {
    ask: `GET /trpc/greet,me?batch=1&input=${encodeURIComponent('{"0":{"name":"ada"}}')}`,
    status: 207,
    reply: /^\[\{"result":\{"data":"Hello, ada"\}\},\{"error"/,
  },
  {
    ask: "GET /trpc/count",
    headers: { accept: "text/event-stream" },
    reply: /data: 1\n\n\ndata: 2\n\n\nevent: return\n/,
  },
  { ask: "GET /trpc/none", status: 404, reply: /No procedure found/ },
];

export const JOSE: readonly Expectation[] = [
  { ask: "GET /jose/hmac", reply: { json: ["admin", 7200] } },
  {
    ask: "GET /jose/signatures",
    reply: { json: ["ES256", "ES384", "EdDSA", "PS256", "RS256"] },
  },
  {
    ask: "GET /jose/encrypted",
    reply: { json: ["dir", "A256KW", "PBES2-HS256+A128KW", "ECDH-ES+A256KW"] },
  },
  { ask: "GET /jose/expired", reply: { json: ["ERR_JWT_EXPIRED", "exp"] } },
  { ask: "GET /jose/forged", reply: { json: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" } },
  { ask: "GET /jose/thumbprint", reply: { json: "w9eYdC6_s_tLQ8lH6PUpc0mddazaqtPgeC2IgWDiqY8" } },
  { ask: "GET /jose/remote", reply: { json: "afar" } },
];

export const ZOD: readonly Expectation[] = [
  {
    ask: "POST /zod",
    json: { ...SIGN_UP, born: "1815-12-10", contact: { by: "phone", number: "+1" } },
    reply: {
      json: {
        ...SIGN_UP,
        email: "ada@example.com",
        age: 36,
        born: "1815-12-10T00:00:00.000Z",
        contact: { by: "phone", number: "+1" },
        tags: [],
      },
    },
  },
  {
    ask: "POST /zod",
    json: { ...SIGN_UP, email: "x", age: 3, contact: { by: "phone", number: "1" } },
    status: 422,
    reply: {
      json: {
        email: ["Invalid email address"],
        age: ["Too small: expected number to be >=18"],
        contact: ["Invalid string: must match pattern /^\\+\\d+$/u"],
      },
    },
  },
  {
    ask: "POST /zod",
    json: { ...SIGN_UP, again: "", contact: { by: "post", street: "" } },
    status: 422,
    reply: { json: { again: ["not the same"] } },
  },
  {
    ask: "GET /zod/schema",
    reply: {
      json: {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties: {
          a: { type: "number", exclusiveMinimum: 0 },
          b: { type: "string", enum: ["x", "y"] },
        },
        required: ["a", "b"],
        additionalProperties: false,
      },
    },
  },
  { ask: "POST /zod/taken", body: "ada", reply: "false" },
];

export const VALIBOT: readonly Expectation[] = [
  {
    ask: "POST /valibot",
    json: { ...ORDER, quantity: "3" },
    reply: { json: { ...ORDER, quantity: 3, placed: "2026-01-01T00:00:00Z" } },
  },
  {
    ask: "POST /valibot",
    json: { ...ORDER, quantity: 30 },
    status: 422,
    reply: { json: { root: ["too heavy to fly"] } },
  },
  {
    ask: "POST /valibot",
    json: { id: "x", quantity: 0, ship: { kind: "sea", port: "" }, more: 1 },
    status: 422,
    reply: {
      json: {
        nested: {
          id: ['Invalid UUID: Received "x"'],
          quantity: ["Invalid value: Expected >=1 but received 0"],
          "ship.port": ["port?"],
          more: ['Invalid key: Expected never but received "more"'],
        },
      },
    },
  },
];

export const DRIZZLE: readonly Expectation[] = [
  {
    ask: "POST /drizzle/setup",
    reply: {
      json: [
        { id: 1, name: "Ada", born: "1815-12-10T00:00:00.000Z", tags: ["notes"], alive: false },
        [{ titles: 2 }],
      ],
    },
  },
  {
    ask: "GET /drizzle/joined",
    reply: {
      json: [
        { title: "Notes", by: "Ada" },
        { title: "Sketch", by: "Ada" },
      ],
    },
  },
  {
    ask: "GET /drizzle/related",
    reply: { json: { name: "Ada", books: [{ title: "Sketch" }, { title: "Notes" }] } },
  },
  { ask: "POST /drizzle/change", reply: { json: [[{ price: 5 }], 1, 1] } },
  {
    ask: "POST /drizzle/upsert",
    reply: { json: [{ tags: ["engine"], born: "1815-12-10T00:00:00.000Z" }] },
  },
  { ask: "POST /drizzle/unique", reply: "true" },
];

export const OPENAI: readonly Expectation[] = [
  { ask: "GET /openai/chat", reply: { json: "Hello" } },
  { ask: "GET /openai/stream", reply: { json: ["Hel", "lo"] } },
  { ask: "GET /openai/upload", reply: { json: { id: "file-1", name: "lines.jsonl", bytes: 5 } } },
  { ask: "GET /openai/flaky", reply: { json: "flaky" } },
  { ask: "GET /openai/none", reply: { json: [true, 404, "404 no such model"] } },
];
