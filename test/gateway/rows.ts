// Which test proves which promise of the gateways that this one takes after, and which one keeps a defect of theirs
// away. `rows.test.ts` looks whether the tests are there; a promise without one says why.

export interface Row {
  readonly id: string;
  readonly what: string;
  /** File, then a test's name in it. */
  readonly tests: readonly (readonly [file: string, name: string])[];
  /** Instead of tests. */
  readonly absent?: string;
}

const PROXY = "test/gateway/proxy.suite.ts";
const UPSTREAM = "test/gateway/upstream.test.ts";
const POLICIES = "test/gateway/policies.test.ts";
const JWT = "test/gateway/jwt.test.ts";
const ROUTES = "runtime/gateway/route/table.test.ts";
const LIMITERS = "runtime/gateway/policies/limits/limiters.test.ts";
const BREAKER = "runtime/gateway/upstream/breaker.test.ts";
const BALANCER = "runtime/gateway/upstream/balancer.test.ts";
const FILE = "test/e2e/gateway-file.test.ts";
const SERVERS = "test/e2e/servers.test.ts";
const ADDED = "control/gateway/servers.test.ts";
const CONFIG = "control/gateway/config.test.ts";
const NODE = "test/e2e/gateway.suite.ts";
const ADMIN = "test/admin/admin.test.ts";
const ACCESS = "runtime/observe/access-log.test.ts";

const OPENS = "opens after three failures, then answers 503 at once and leaves the server alone";
const PROBE =
  "DF13: lets exactly one request through when its time is over, and closes when that goes well";
const REFUSES = "refuses with 429, says what is left and when to come back";
const VERIFIES =
  "DF17: without a token it is 401, and only the configured algorithm and secret verify one";
const CHECKS = "begin at once, take a server out that fails them, and bring it back";
const POST =
  "DF13: a POST whose connection breaks is sent once, unless it says that it may be sent twice";
const CLIENT =
  "DF15: a client is its address: neither its port nor a header that it writes makes it another";
const HOP =
  "DF16: headers of the connection and those it names stay behind, and Host is the server's";
const NO_LOGIN = "The admin API knows bearer tokens alone: there is no log-in, cookie or session.";
const NO_IMPORT = "Nothing imports OpenAPI documents.";

export const FERROWAY: readonly Row[] = [
  {
    id: "FER-1",
    what: "a reverse proxy",
    tests: [
      [PROXY, "method, path, query, headers and body arrive as they were sent"],
      [PROXY, HOP],
      [PROXY, "a server that cannot be reached is 502 after the attempts it may have"],
    ],
  },
  {
    id: "FER-2",
    what: "routes by prefix",
    tests: [
      [PROXY, "DF12: a prefix ends where a segment ends"],
      [ROUTES, "table agrees with a linear matcher on any routes and any request"],
    ],
  },
  {
    id: "FER-3",
    what: "a chain of policies",
    tests: [
      [POLICIES, "a preflight is answered without the target, and uses up no limit"],
      [POLICIES, "several hold together, and the one with least left shows"],
    ],
  },
  {
    id: "FER-3a",
    what: "a log of requests",
    tests: [[ACCESS, "is what JSON.stringify would say, whatever host and path contain"]],
  },
  {
    id: "FER-3b",
    what: "CORS",
    tests: [
      [POLICIES, "a preflight is answered without the target, and uses up no limit"],
      [POLICIES, "another origin is told nothing, but that the answer varies"],
      [POLICIES, "any origin is *, which does not vary"],
    ],
  },
  {
    id: "FER-3c",
    what: "headers of one's own",
    tests: [[POLICIES, "are removed, set and added on both ways, with what the request holds"]],
  },
  {
    id: "FER-4",
    what: "a token bucket per client",
    tests: [
      [POLICIES, REFUSES],
      [LIMITERS, "begins full, fills by the second and never holds more than its capacity"],
      [LIMITERS, "are bounded: with more keys than places, those written longest ago begin anew"],
    ],
  },
  {
    id: "FER-5",
    what: "round robin",
    tests: [
      [BALANCER, "takes one after the other"],
      [BALANCER, "gives each exactly its share of each round, whatever the weights"],
    ],
  },
  { id: "FER-5a", what: "health checks", tests: [[UPSTREAM, CHECKS]] },
  {
    id: "FER-5b",
    what: "503 without a healthy server",
    tests: [
      [UPSTREAM, "without any server that is well the answer is 503, or with panic any server's"],
    ],
  },
  {
    id: "FER-6",
    what: "a configuration in YAML",
    tests: [
      [CONFIG, "a configuration has every default filled in, times in milliseconds"],
      [FILE, "does not start with a wrong one, and says where it is wrong"],
    ],
  },
  { id: "FER-6a", what: "tokens", tests: [[JWT, VERIFIES]] },
];

export const GATEWAYS: readonly Row[] = [
  {
    id: "RGW-1",
    what: "policies, then a server, then its breaker",
    tests: [[JWT, "a limit by a claim is the token's, and an unverified one uses up nobody's"]],
  },
  {
    id: "RGW-2",
    what: "servers that register themselves",
    tests: [
      [SERVERS, "servers come, drain, go and are let go while a node runs, in all its workers"],
      [ADDED, "a server that has to renew itself is there as long as it does"],
    ],
  },
  {
    id: "RGW-3",
    what: "health and metrics",
    tests: [
      [NODE, "answers /health as long as no endpoint does"],
      [ADMIN, "metrics are the workers' text"],
    ],
  },
  {
    id: "RGW-4",
    what: "routes and secret in YAML",
    tests: [
      [
        FILE,
        "serves its routes beside endpoints, with state that all workers share, and takes changes",
      ],
    ],
  },
  {
    id: "RGW-5",
    what: "a breaker per server",
    tests: [
      [UPSTREAM, OPENS],
      [UPSTREAM, PROBE],
      [
        UPSTREAM,
        "is one for all workers: three failures anywhere are enough, and one probe is for all",
      ],
      [
        BREAKER,
        "has at most one probe at a time, and opens only by failures, whatever comes in which order",
      ],
    ],
  },
  { id: "RGW-6", what: "what counts as failure", tests: [[UPSTREAM, "a %s counts %d times"]] },
  {
    id: "RGW-7",
    what: "round robin per upstream",
    tests: [[BALANCER, "takes one after the other"]],
  },
  {
    id: "RGW-8",
    what: "retries on other servers",
    tests: [
      [PROXY, "a GET whose connection breaks is sent to the other server"],
      [PROXY, POST],
      [UPSTREAM, "are bounded: when everything fails, few are open at once"],
    ],
  },
  { id: "RGW-9", what: "503 with all breakers open", tests: [[UPSTREAM, OPENS]] },
  {
    id: "RGW-10",
    what: "tokens, and their revocation",
    tests: [
      [JWT, VERIFIES],
      [JWT, "revoked tokens and subjects are refused, as soon as the list is another"],
    ],
  },
  {
    id: "RGW-11",
    what: "a fixed window for all",
    tests: [
      [LIMITERS, "takes its number in each window, twice that around an end"],
      [
        LIMITERS,
        "let each key through as often as one exact bucket would, whichever worker it meets",
      ],
      ["test/gateway/concurrency.test.ts", "are one for all, and each is given back once"],
    ],
  },
  {
    id: "RGW-12",
    what: "streams, over connections that stay",
    tests: [
      [PROXY, "a body of unknown length goes through in pieces"],
      [PROXY, "a client that reads slowly slows the server down"],
    ],
  },
  {
    id: "GGW-1",
    what: "upstreams that are listed",
    tests: [
      [SERVERS, "servers come, drain, go and are let go while a node runs, in all its workers"],
      [
        FILE,
        "serves its routes beside endpoints, with state that all workers share, and takes changes",
      ],
    ],
  },
  {
    id: "GGW-2",
    what: "a path per service",
    tests: [[PROXY, "paths are stripped, given a prefix, and rewritten with parameters"]],
  },
  {
    id: "GGW-3",
    what: "least connections, among equals the quicker",
    tests: [[BALANCER, "takes who has least by weight, among equals who was quicker"]],
  },
  {
    id: "GGW-4",
    what: "checks at once, thresholds, a slow start",
    tests: [
      [UPSTREAM, CHECKS],
      [BREAKER, "changes after so many checks in a row, and one between begins anew"],
      [UPSTREAM, "a server that has come back gets little at first"],
    ],
  },
  {
    id: "GGW-5",
    what: "a bucket by several keys",
    tests: [[POLICIES, "counts by a header, and by the address where the header is missing"]],
  },
  {
    id: "GGW-6",
    what: "one server after the other",
    tests: [
      [PROXY, "a POST that found no connection is sent to the next server: nothing of it was sent"],
    ],
  },
  {
    id: "GGW-7",
    what: "requests as they came",
    tests: [
      [PROXY, "method, path, query, headers and body arrive as they were sent"],
      [POLICIES, CLIENT],
    ],
  },
];

export const DEFECTS: readonly Row[] = [
  {
    id: "DF1",
    what: "bytes that are no text are destroyed",
    tests: [
      [PROXY, "DF1: bytes go both ways unharmed, as many as there are"],
      [NODE, "carries 5 MB of any bytes through a handler and back"],
    ],
  },
  {
    id: "DF2",
    what: "several headers of a name are one",
    tests: [
      [PROXY, "DF2: several Set-Cookie stay several"],
      [NODE, "keeps several Set-Cookie apart"],
    ],
  },
  {
    id: "DF3",
    what: "a handler goes on after its time, and its errors are told",
    tests: [
      [NODE, "cuts a handler that spins or fills its memory, and answers the next request"],
      [NODE, "says HANDLER_EXCEPTION without what was thrown, and logs that"],
    ],
  },
  {
    id: "DF4",
    what: "failures of the admin API are 200",
    tests: [
      [ADMIN, "answers in one envelope with the request's id"],
      [ADMIN, "an unknown address is NOT_FOUND"],
    ],
  },
  {
    id: "DF5",
    what: "what is turned off answers, * is no host",
    tests: [
      [NODE, "says STOPPED and NOT_DEPLOYED for endpoints that cannot answer"],
      [ROUTES, "host %s asked for %s is answered by %s"],
    ],
  },
  {
    id: "DF6",
    what: "keys and secrets lie open",
    tests: [
      [CONFIG, "keys and passwords of consumers leave the file as hashes"],
      [
        "test/control/services.test.ts",
        "are sealed where they are stored, masked where they are shown, and open for backends",
      ],
      [
        "test/e2e/secrets.test.ts",
        "a secret is in no file of the node, no log, no argument and no environment",
      ],
    ],
  },
  {
    id: "DF7",
    what: "log-in by another's service, cookies in the clear",
    tests: [],
    absent: NO_LOGIN,
  },
  {
    id: "DF8",
    what: "fields cannot be cleared",
    tests: [[ADMIN, "are updated field by field, and null clears"]],
  },
  {
    id: "DF9",
    what: "what is deleted still answers",
    tests: [
      [ADMIN, "live as the quick start says: create, code, compile, start, edit, stop, delete"],
    ],
  },
  {
    id: "DF10",
    what: "metrics and logs that nobody writes",
    tests: [
      [ADMIN, "stats count endpoints, isolates and requests"],
      [ADMIN, "metrics are the workers' text"],
    ],
  },
  { id: "DF11", what: "an import twice is two", tests: [], absent: NO_IMPORT },
  {
    id: "DF12",
    what: "a prefix within a segment",
    tests: [[PROXY, "DF12: a prefix ends where a segment ends"]],
  },
  {
    id: "DF13",
    what: "a POST is sent again, probes without number, 5xx is well",
    tests: [
      [PROXY, POST],
      [UPSTREAM, PROBE],
      [UPSTREAM, "a %s counts %d times"],
    ],
  },
  {
    id: "DF14",
    what: "anybody can register a server",
    tests: [[ADMIN, "%s %s without or with a wrong token is UNAUTHORIZED"]],
  },
  {
    id: "DF15",
    what: "limits by port, X-Forwarded-For of anybody",
    tests: [
      [POLICIES, CLIENT],
      [POLICIES, "DF15: X-Forwarded-For counts only from proxies that are trusted, from the right"],
    ],
  },
  { id: "DF16", what: "headers of the connection go on", tests: [[PROXY, HOP]] },
  {
    id: "DF17",
    what: "a secret in the code",
    tests: [
      [JWT, VERIFIES],
      [CONFIG, "a secret that is too short, without showing it"],
    ],
  },
  { id: "DF18", what: "a session before the password was changed", tests: [], absent: NO_LOGIN },
  {
    id: "DF19",
    what: "one address twice, what is stopped is 500",
    tests: [
      [ADMIN, "of one name or one route exist once"],
      [
        "test/control/publish.test.ts",
        "publish with a route that another endpoint has is refused with both named",
      ],
      [NODE, "says STOPPED and NOT_DEPLOYED for endpoints that cannot answer"],
    ],
  },
  {
    id: "DF20",
    what: "endpoints without code are on",
    tests: [[ADMIN, "without code cannot be compiled: the seeds' words"]],
  },
];
