import { expect, test } from "vitest";
import fc from "fast-check";
import { EdgeError } from "../../sdk/errors.ts";
import {
  ACCESS_LOG,
  EMPTY_GATEWAY,
  type GatewayConfig,
  type StoreConfig,
} from "../../sdk/gateway/config.ts";
import { parseGatewayConfig } from "./config.ts";
import { nearest } from "./suggestion.ts";

const VARIABLES = { JWT_SECRET: "x".repeat(32), EMPTY: "", TRICKY: "a: {b: [c" };

function parse(text: string): GatewayConfig {
  return parseGatewayConfig({ path: "/etc/edge.yaml", text, variables: VARIABLES });
}

/** The lines of the error. */
function faults(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof EdgeError && error.code === "GATEWAY_CONFIG_INVALID") {
      return error.message.split("\n");
    }
    throw error;
  }
  return [];
}

const route = (more: string): string => `
upstreams: { users: { servers: ["http://127.0.0.1:7001"] } }
routes:
  - name: users
    match: { path: "/users/*" }
    ${more}
`;
const policy = (text: string): string =>
  route(`target: { upstream: users }\n    policies: [ ${text} ]`);

test("an empty file is a configuration of nothing", () => {
  expect(parse("# nothing\n")).toEqual(EMPTY_GATEWAY);
});

test("a configuration has every default filled in, times in milliseconds", () => {
  const { upstreams, routes } = parse(
    route("target: { upstream: users, stripPrefix: /users, addPrefix: /v1/ }"),
  );
  expect(upstreams[0]).toMatchObject({
    balance: "round-robin",
    breaker: { failures: 3, openForMs: 30_000 },
    health: null,
    retry: { attempts: 3, bufferBytes: 65_536 },
    timeout: { connectMs: 5_000, firstByteMs: 30_000, totalMs: 0 },
  });
  expect(routes[0]).toMatchObject({
    match: { host: "*", path: "/users/*", methods: [] },
    target: { kind: "upstream", path: { stripSegments: 1, addPrefix: "/v1", rewrite: null } },
  });
});

const WRONG: readonly (readonly [string, string, string])[] = [
  [
    "a syntax error",
    "upstreams:\n  a: [1, 2\nroutes: []\n",
    "edge.yaml:3:1: Flow sequence in block collection must be sufficiently indented and end with a ]; expected YAML",
  ],
  [
    "a key that stands twice",
    "routes: []\nroutes: []\n",
    "edge.yaml:2:1: Map keys must be unique; expected YAML",
  ],
  [
    "an unknown key",
    "trustedproxies: []\n",
    'edge.yaml:1:1: trustedproxies: unknown key "trustedproxies"; expected one of upstreams, routes, policies, trustedProxies, proxyProtocol, tls, accessLog, consumers, stores, services, faults. Did you mean trustedProxies?',
  ],
  [
    "an upstream that is not there",
    route("target: { upstream: user }"),
    'edge.yaml:6:25: routes[0].target.upstream: no upstream is called "user"; expected one of users. Did you mean users?',
  ],
  [
    "a duration without a unit",
    "upstreams: { a: { servers: ['http://a'], timeout: { connect: 10 } } }\n",
    "edge.yaml:1:62: upstreams.a.timeout.connect: found 10; expected a duration such as 250ms, 30s or 5m. Did you mean 10s?",
  ],
  [
    "a choice that is misspelt",
    "upstreams: { a: { servers: ['http://a'], balance: round_robin } }\n",
    'edge.yaml:1:51: upstreams.a.balance: found "round_robin"; expected one of round-robin, weighted, least-connections, p2c, random, hash, sticky. Did you mean round-robin?',
  ],
  [
    "a failure that is none, in a list within a choice",
    "upstreams: { a: { servers: ['http://a'], retry: { on: [conect] } } }\n",
    'edge.yaml:1:56: upstreams.a.retry.on[0]: found "conect"; expected one of connect, reset, timeout, 500, 502, 503, 504. Did you mean connect?',
  ],
  [
    "a Host whose port cannot be one",
    "upstreams: { a: { servers: ['http://a'], host: 'h:65536' } }\n",
    'edge.yaml:1:48: upstreams.a.host: found "h:65536"; expected upstream, preserve or a host\'s name',
  ],
  ...["[]", "{ methods: [] }"].map((none): [string, string, string] => [
    `no way at all to say who asks, ${none},`,
    policy(`anyOf: ${none}`),
    "one way to say who asks, of jwt, apiKey, basic, forwardAuth",
  ]),
  [
    "a variable that is not set",
    policy('jwt: { secret: "${NO_SECRET}" }'),
    "edge.yaml:7:32: the variable NO_SECRET is not set; expected NO_SECRET in the environment",
  ],
  [
    "a variable that is empty",
    policy('jwt: { secret: "${EMPTY}" }'),
    "edge.yaml:7:32: the variable EMPTY is empty; expected EMPTY in the environment",
  ],
  [
    "a secret that is too short, without showing it",
    policy("jwt: { algorithms: [HS256], secret: abc }"),
    "edge.yaml:7:53: routes[0].policies[0].jwt.secret: wrong; expected a secret of 32 bytes or more for HS256",
  ],
  [
    "a key without algorithms",
    policy('jwt: { jwks: "https://a.example/keys" }'),
    "edge.yaml:7:22: routes[0].policies[0].jwt.algorithms: missing; expected algorithms, by name: a list such as [RS256]",
  ],
  [
    "an algorithm of another kind of key",
    policy('jwt: { algorithms: [RS256], secret: "${JWT_SECRET}" }'),
    "edge.yaml:7:36: routes[0].policies[0].jwt.algorithms: found a list; expected only HS256, HS384 and HS512 beside secret: RS256 is not theirs",
  ],
  [
    "a limit by a claim that nobody verifies",
    policy("rateLimit: { capacity: 1, refillPerSec: 1, key: jwt:sub }"),
    "edge.yaml:7:15: routes[0].policies: a rateLimit by jwt:sub without a jwt policy; expected a jwt policy on the same route",
  ],
  [
    "a limit by consumer where nobody says who that is",
    policy("rateLimit: { capacity: 1, refillPerSec: 1, key: consumer }"),
    "edge.yaml:7:15: routes[0].policies: a rateLimit by consumer without a policy that tells who it is; expected apiKey or basic on the same route",
  ],
  [
    "keys that nobody has",
    policy("apiKey: {}"),
    "edge.yaml:7:15: routes[0].policies: apiKey without a consumer that has keys; expected consumers with keys",
  ],
  [
    "a key that can be guessed, without showing it",
    "consumers: { ann: { keys: [password] } }\n",
    "edge.yaml:1:28: consumers.ann.keys[0]: wrong; expected a key of 16 characters or more, as a variable, or sha256: and its hash in hex",
  ],
  [
    "a hash that is none",
    `consumers: { ann: { keys: ["sha256:${"a".repeat(63)}"] } }\n`,
    "edge.yaml:1:28: consumers.ann.keys[0]: wrong; expected a key of 16 characters or more, as a variable, or sha256: and its hash in hex",
  ],
  [
    "a password's hash that is none",
    'consumers: { ann: { password: "$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAA" } }\n',
    "edge.yaml:1:31: consumers.ann.password: wrong; expected a password, as a variable, or $scrypt$ln=14,r=8,p=1$SALT$HASH",
  ],
  [
    "a key of two consumers",
    `consumers: { ann: { keys: ["${"k".repeat(16)}"] }, bob: { keys: ["${"k".repeat(16)}"] } }\n`,
    'edge.yaml:1:65: consumers.bob.keys[0]: it is a key of "ann" already; expected another key',
  ],
  [
    "a group that nobody is in",
    `consumers: { ann: { keys: ["${"k".repeat(16)}"], groups: [staff] } }\n${policy("apiKey: { groups: [stuff] }")}`,
    'edge.yaml:8:15: routes[0].policies: no consumer is in the group "stuff"; expected groups that consumers are in. Did you mean staff?',
  ],
  [
    "two policies in one",
    policy("{ bodyLimit: { max: 1 }, timeout: { total: 1s } }"),
    "edge.yaml:7:17: routes[0].policies[0]: found a map; expected one policy, of requestId, ipFilter, ",
  ],
  [
    "* together with credentials",
    policy("cors: { origins: ['*'], credentials: true }"),
    "edge.yaml:7:34: routes[0].policies[0].cors.origins: found a list; expected origins by name: browsers refuse * together with credentials",
  ],
  [
    "a prefix that no address has",
    route("target: { upstream: users, stripPrefix: /user }"),
    'edge.yaml:6:45: routes[0].target.stripPrefix: no address of this route begins with "/user"; expected the first segments of the route\'s path, without parameters',
  ],
  [
    "a redirect's parameter that the route has not",
    route('target: { redirect: "/new/{id}" }'),
    "edge.yaml:6:25: routes[0].target.redirect: the route has no parameter {id}; expected one of {rest}",
  ],
  [
    "a header that would say how long a body is",
    policy('headers: { request: { set: { content-length: "5" } } }'),
    "routes[0].policies[0].headers.request.set: found a map; expected headers that say nothing of connections and lengths",
  ],
  [
    "a list of nobody who may pass, which would let all pass",
    policy("ipFilter: { allow: [] }"),
    "routes[0].policies[0].ipFilter.allow: found a list; expected a network or more; without allow all may pass",
  ],
  [
    "a range of statuses that has none",
    "upstreams: { a: { servers: [], health: { expect: 399-200 } } }\n",
    'upstreams.a.health.expect: found "399-200"; expected a status or a range such as 200-399',
  ],
  [
    "two targets",
    route("target: { upstream: users, endpoint: hello }"),
    "edge.yaml:6:13: routes[0].target: upstream and endpoint together; expected one of upstream, endpoint, redirect, respond",
  ],
  [
    "a path that no client can ask for",
    "routes: [ { match: { path: '/a/../b' }, target: { endpoint: a } } ]\n",
    'edge.yaml:1:28: routes[0].match.path: Route pattern "/a/../b", character 4: clients remove dot segments, so this address can never be asked for; expected what requests can ask for: a route that is none of it never matches',
  ],
  [
    "a server with a path",
    "upstreams: { a: { servers: ['http://a/b'] } }\n",
    'edge.yaml:1:29: upstreams.a.servers[0]: found "http://a/b"; expected a server without a path: a route\'s target can add one (addPrefix)',
  ],
  [
    "a certificate's file that is not there",
    "upstreams: { a: { servers: ['https://a'], tls: { ca: none.pem } } }\n",
    "edge.yaml:1:54: upstreams.a.tls.ca: /etc/none.pem cannot be read; expected a file in PEM",
  ],
  [
    "an anchor, which could stand for gigabytes",
    "routes: &a []\npolicies: *a\n",
    "edge.yaml:1:12: an anchor or alias; expected the values themselves",
  ],
];

test.each(WRONG)("%s is refused with its place and what belongs there", (_what, text, fault) => {
  expect(faults(text)).toContainEqual(expect.stringContaining(fault));
});

test("a route that another answers already is refused: it can never match", () => {
  const text = `
routes:
  - { name: a, match: { path: "/x/{id}", methods: [GET, POST] }, target: { endpoint: a } }
  - { name: b, match: { path: "/x/{name}", methods: [GET] }, target: { endpoint: b } }
`;
  expect(faults(text)).toEqual([
    'edge.yaml:4:23: routes[1].match: this route can never match: GET /x/{name} is answered by "a"; expected another host, path or method',
  ]);
});

test("a single status is one to YAML too", () => {
  const { upstreams } = parse("upstreams: { a: { servers: [], health: { expect: 204 } } }\n");
  expect(upstreams[0]?.health).toMatchObject({ statusMin: 204, statusMax: 204 });
});

test("every fault of a file is told at once", () => {
  const text = "upstreams: { a: { servers: {}, balance: x } }\nroutes: [ { match: {} } ]\n";
  expect(faults(text).length).toBeGreaterThan(3);
});

test("a variable's value is text and never structure; $${ stands for ${", () => {
  const { routes } = parse(
    'routes: [ { match: { path: / }, target: { respond: { body: "${TRICKY} $${X}" } } } ]\n',
  );
  expect(routes[0]?.target).toMatchObject({ body: "a: {b: [c ${X}" });
});

test("policies of all routes come first, and a route's own take the place of their kind", () => {
  const { routes } = parse(`
policies: [ timeout: { total: 1s }, bodyLimit: { max: 1KiB } ]
routes:
  - { match: { path: /a }, target: { endpoint: a }, policies: [ timeout: { total: 2s } ] }
`);
  expect(routes[0]?.policies).toEqual([
    { kind: "bodyLimit", bytesMax: 1_024 },
    { kind: "timeout", totalMs: 2_000 },
  ]);
});

test("cors comes before everything, a limit by a claim after the token", () => {
  const { routes } = parse(
    policy(
      'rateLimit: { capacity: 1, refillPerSec: 1, key: jwt:sub }, jwt: { secret: "${JWT_SECRET}" }, cors: { origins: ["*"] }',
    ),
  );
  expect(routes[0]?.policies.map(({ kind }) => kind)).toEqual(["cors", "jwt", "rateLimit"]);
});

test("any text is a configuration or is refused with places, and nothing else happens", () => {
  const pieces = [
    "routes",
    "a",
    ":",
    "{",
    "}",
    "[",
    "]",
    "\n",
    " ",
    "- ",
    "${",
    "&a",
    "*a",
    '"',
    "1",
    "~",
    "!!x",
  ];
  const piece = fc.constantFrom(...pieces);
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (some) => {
      for (const fault of faults(some.join(""))) expect(fault).toMatch(/^edge\.yaml:\d+:\d+: /);
    }),
  );
});

test("what is quoted of a file stays on the line of its fault", () => {
  expect(faults('"${\n\n')).toHaveLength(2);
  for (const fault of faults('"${\n\n')) expect(fault).toMatch(/^edge\.yaml:\d+:\d+: /);
});

test("the nearest name is proposed only when it is near", () => {
  const names = ["rateLimit", "ipFilter", "cors"];
  expect(nearest("rate_limit", names)).toBe("rateLimit");
  expect(nearest("ratelimt", names)).toBe("rateLimit");
  expect(nearest("crosss", names)).toBe(null);
  expect(nearest("something", names)).toBe(null);
});

test("keys and passwords of consumers leave the file as hashes", () => {
  const text = `consumers: { ann: { keys: ["\${JWT_SECRET}"], password: "\${JWT_SECRET}" } }\n`;
  const config = parse(text);
  expect(JSON.stringify(config)).not.toContain(VARIABLES.JWT_SECRET);
  expect(config.consumers[0]).toMatchObject({ name: "ann", groups: [], limit: null });
  // The same at every reading, so that a reload sees no change where there is none.
  expect(parse(text)).toEqual(config);
});

test("a store is a Redis by its address, with what is left out filled in", () => {
  const config = (url: string): StoreConfig | undefined =>
    parse(`stores: { shared: { url: "${url}" } }`).stores[0];
  expect(config("rediss://ann:a%2Fb@[::1]:7000/3")).toEqual({
    name: "shared",
    timeoutMs: 50,
    onFailure: "local",
    redis: {
      host: "::1",
      port: 7_000,
      username: "ann",
      password: "a/b",
      database: 3,
      use_tls: true,
      pool_size: 4,
      default_ttl_secs: 0,
    },
  });
  expect(config("redis://cache.internal")?.redis).toMatchObject({ port: 6_379, database: 0 });
  for (const url of ["http://a", "redis://", "redis://a/b", "redis://a?x", "redis://%zz@a"]) {
    expect(faults(`stores: { shared: { url: "${url}" } }`)).toHaveLength(1);
  }
});

test("a limit that names no store is told which there are", () => {
  const policy = "rateLimit: { capacity: 1, refillPerSec: 1, store: shard }";
  const text = `
stores: { shared: { url: "redis://a" } }
consumers: { ann: { rateLimit: { capacity: 1, refillPerSec: 1, store: other } } }
policies: [ ${policy} ]
routes: [ { match: { path: /a }, target: { respond: {} }, policies: [ ${policy} ] } ]
`;
  const found = faults(text);
  expect(JSON.stringify(found)).toContain("one of shared");
  expect(found).toHaveLength(3);
});

test("an access log has a known format, known fields and a share", () => {
  expect(parse("accessLog: { sample: 0.5 }").accessLog).toEqual({ ...ACCESS_LOG, share: 0.5 });
  expect(parse("accessLog: { format: logfmt }").accessLog.fields).toContain("us");
  for (const odd of [
    "format: xml",
    "fields: [body]",
    "sample: 2",
    "format: combined, fields: [id]",
  ]) {
    expect(faults(`accessLog: { ${odd} }`)).toHaveLength(1);
  }
});

test("a split whose parts do not fit is told where", () => {
  const split = (text: string): string[] => faults(route(`target: { ${text} }`));
  const parts = "split: [ { upstream: users }, { weight: 0, respond: {} } ]";
  expect(split(parts)).toEqual([]);
  expect(split("split: [ { weight: 0, upstream: users } ]").join()).toContain("above 0");
  expect(split("split: [ { upstream: user } ]").join()).toContain("split[0].upstream");
  expect(split(`${parts}, addPrefix: /a`).join()).toContain("addPrefix");
  expect(split(`${parts}, by: ip, sticky: { cookie: a }`).join()).toContain("target.by");
  expect(split("upstream: users, by: ip").join()).toContain("target.by");
  expect(split("upstream: users, sticky: { cookie: a }").join()).toContain("target.sticky");
});
