// Policies with a fault: where it is, and what belongs there.

import { expect, test } from "vitest";
import { EdgeError } from "../../../sdk/errors.ts";
import { parseGatewayConfig } from "../config.ts";

function faults(policy: string): string[] {
  const text = `routes:\n  - match: { path: /a }\n    target: { respond: {} }\n    policies:\n      - ${policy}\n`;
  try {
    parseGatewayConfig({ path: "/edge.yaml", text, variables: {} });
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    const list = error.detail?.["faults"];
    return (Array.isArray(list) ? list : []).map((fault: unknown) => {
      const of = (name: string): string => String(Reflect.get(Object(fault), name));
      const field = of("field").replace("routes[0].policies[0].", "");
      return `${of("line")}:${of("column")} ${field}: ${of("expected")}`;
    });
  }
  return [];
}

const WRONG: readonly (readonly [string, string])[] = [
  ["5:29 custom.endpoint: the name of an endpoint", "custom: { endpoint: 'No Name' }"],
  ["5:17 custom.endpoint: the name of an endpoint", "custom: { options: {} }"],
  ["5:32 custom.more: one of endpoint, options", "custom: { endpoint: a, more: 1 }"],
  [
    "5:41 custom.options: values of at most 16384 characters as JSON",
    `custom: { endpoint: a, options: "${"x".repeat(16_383)}" }`,
  ],
  ["5:36 compression.encodings[0]: one of br, zstd, gzip", "compression: { encodings: [lzw] }"],
  [
    "5:35 compression.encodings: a list of encodings, of br, zstd, gzip",
    "compression: { encodings: [] }",
  ],
  [
    "5:32 compression.types[0]: a media type such as text/html, text/* or *+json",
    "compression: { types: [text] }",
  ],
  ["5:33 idempotency.maxBody: a size of at most 16MiB", "idempotency: { maxBody: 16777217 }"],
  ["5:29 idempotency.ttl: a duration from 1000ms to 24h", "idempotency: { ttl: 999ms }"],
  [
    "5:39 errorPages.pages[0].on[0]: a status such as 404, a class such as 5xx, or a code such as UPSTREAM_FAILED",
    "errorPages: { pages: [ { on: [200], html: a } ] }",
  ],
  ["5:32 errorPages.pages[0]: html, json or both", "errorPages: { pages: [ { on: [404] } ] }"],
  [
    "5:22 concurrency: a queue or a store, since nobody is told when another node has a place",
    "concurrency: { max: 1, queue: { max: 1 }, store: r }",
  ],
  ["5:34 fault.abort.share: a number from 0 to 1", "fault: { abort: { share: 2 } }"],
  [
    "5:29 validation.body: a JSON Schema (2020-12): can't resolve reference #/none from id #",
    "validation: { body: { $ref: '#/none' } }",
  ],
  ["5:30 requestId.accept: one of trusted, all, none", "requestId: { accept: alle }"],
  ["5:23 query.set: parameters with their values", "query: { set: 1 }"],
  ["5:34 forwardAuth.upstream: one below upstreams", "forwardAuth: { upstream: b }"],
  ["5:22 forwardAuth: either url or upstream", "forwardAuth: {}"],
  ["5:29 mirror.upstream: one below upstreams", "mirror: { upstream: b }"],
  ["5:17 mirror.upstream: a name of 1 to 63 letters, digits, -, _ and .", "mirror: {}"],
  ["5:41 mirror.maxBody: a size of at most 1MiB", "mirror: { upstream: b, maxBody: 1048577 }"],
  ["5:41 mirror.maxOpen: a whole number from 1 to 1024", "mirror: { upstream: b, maxOpen: 1025 }"],
];

test.each(WRONG)("a fault is told with its place: %s", (fault, policy) => {
  expect(faults(policy)).toEqual([fault]);
});

const RIGHT: readonly string[] = [
  "custom: { endpoint: a }",
  "compression: {}",
  "securityHeaders: {}",
  "maintenance: {}",
  "fault: {}",
  "errorPages: { pages: [ { on: [404, 5xx, INTERNAL], json: '{}' } ] }",
  "validation: { body: { type: object } }",
  "idempotency: {}",
  "cache: {}",
  "requestId: {}",
  "query: { set: { a: '' }, add: { 'a b': '{request.id}' }, remove: [c] }",
  "cache: { ttl: 1s, maxSize: 16MiB, headers: [X-Tenant], staleWhileRevalidate: 30s, staleIfError: 1h }",
  "idempotency: { maxBody: 16MiB, maxReply: 0, ttl: 1s, lock: 1s, wait: 0s, required: true }",
  "compression: { encodings: [gzip], minSize: 0, types: ['text/*', '*+json', 'image/svg+xml'] }",
  `custom: { endpoint: a, options: "${"x".repeat(16_382)}" }`,
];

test.each(RIGHT)("what is just right is taken (%#)", (policy) => {
  expect(faults(policy)).toEqual([]);
});

test("ids come first, what keeps replies behind all others, copies last", () => {
  const text = `routes:
  - match: { path: /a }
    target: { respond: {} }
    policies: [ mirror: { upstream: b }, cache: {}, idempotency: {}, custom: { endpoint: a }, ipFilter: {}, cors: { origins: ["*"] }, requestId: {} ]
upstreams: { b: { servers: [] } }
`;
  const { routes } = parseGatewayConfig({ path: "/edge.yaml", text, variables: {} });
  expect(routes[0]?.policies.map(({ kind }) => kind)).toEqual([
    "requestId",
    "cors",
    "custom",
    "ipFilter",
    "cache",
    "idempotency",
    "mirror",
  ]);
});
