// The table against a linear matcher that is written from the contract's words alone and shares no code with
// it but the parser of patterns; then what the contract leaves open, and hostile input.

import { domainToASCII } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EdgeError } from "../../../sdk/errors.ts";
import { parsePattern } from "../../../sdk/pattern.ts";
import { assertNoConflicts, normaliseRoute, splitRoute } from "../../../sdk/route.ts";
import type { RouteInput, RouteResult } from "./contract.ts";
import { compileRoutes } from "./table.ts";

/** "GET,POST host/path" or "host/path" or "/path"; the endpoint is called like the text. */
function route(text: string): RouteInput {
  const space = text.search(/(?<=^[A-Z,]+) /);
  const address = splitRoute(text.slice(space + 1));
  const methods = space === -1 ? [] : text.slice(0, space).split(",");
  return { ...normaliseRoute({ ...address, methods }, domainToASCII), endpoint: text };
}

function ask(routes: readonly string[], method: string, host: string, path: string): unknown {
  const result = compileRoutes(routes.map(route)).match(method, host, path);
  switch (result.kind) {
    case "match":
      return [result.match.endpoint, { ...result.match.params }];
    case "method":
      return result.allow;
    case "none":
      return "none";
  }
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof EdgeError ? error.code : String(error);
  }
  return "no error";
}

interface Candidate {
  readonly route: RouteInput;
  readonly params: Record<string, string>;
  /** Compared from the left; the smaller one wins. */
  readonly rank: readonly number[];
}

function naiveParams(input: RouteInput, path: string): Candidate | null {
  const pattern = parsePattern(input.path);
  const parts = path.slice(1).split("/");
  const params: Record<string, string> = {};
  const rank: number[] = [];
  if (pattern.rest === null ? parts.length !== pattern.segments.length : false) return null;
  if (parts.length < pattern.segments.length + (pattern.rest === null ? 0 : 1)) return null;
  for (const [index, segment] of pattern.segments.entries()) {
    const raw = parts[index] ?? "";
    const plain = decodeOrRaw(raw);
    if (segment.kind === "literal") {
      if (raw.includes("%2F") || plain !== decodeOrRaw(segment.text)) return null;
      rank.push(0);
      continue;
    }
    if (raw === "") return null;
    if (segment.kind === "regex" && !new RegExp(`^(?:${segment.source})$`, "u").test(plain)) {
      return null;
    }
    params[segment.name] = plain;
    rank.push(segment.kind === "regex" ? 1 : 2);
  }
  if (pattern.rest !== null) {
    params[pattern.rest] = decodeOrRaw(parts.slice(pattern.segments.length).join("/"));
    rank.push(3);
  }
  return { route: input, params, rank };
}

function decodeOrRaw(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function hostRank(pattern: string, host: string): number | null {
  if (pattern === "*") return 1_000;
  if (pattern.startsWith("*.")) {
    return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1
      ? 500 - pattern.length
      : null;
  }
  return pattern === host ? 0 : null;
}

function methodRank(methods: readonly string[], method: string): number | null {
  if (methods.length === 0) return 2;
  if (methods.includes(method)) return 0;
  return method === "HEAD" && methods.includes("GET") ? 1 : null;
}

function naiveMatch(
  routes: readonly RouteInput[],
  method: string,
  host: string,
  path: string,
): RouteResult {
  const takers: Candidate[] = [];
  const allow = new Set<string>();
  for (const input of routes) {
    const onHost = hostRank(input.host, host);
    const found = onHost === null ? null : naiveParams(input, path);
    if (found === null || onHost === null) continue;
    const byMethod = methodRank(input.methods, method);
    if (byMethod === null) for (const name of input.methods) allow.add(name);
    else takers.push({ ...found, rank: [onHost, ...found.rank, byMethod] });
  }
  const [best] = takers.sort((a, b) => compareRanks(a.rank, b.rank));
  if (best !== undefined) {
    const { route: winner, params } = best;
    return { kind: "match", match: { endpoint: winner.endpoint, route: winner, params } };
  }
  if (allow.size === 0) return { kind: "none" };
  if (allow.has("GET")) allow.add("HEAD");
  return { kind: "method", allow: [...allow].sort() };
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const hostPatterns = fc.constantFrom("*", "*.example.com", "*.b.example.com", "a.b.example.com");
const hosts = fc.constantFrom(
  "a.b.example.com",
  "c.b.example.com",
  "x.example.com",
  "example.com",
  "",
);
const patternSegments = fc.constantFrom(
  "a",
  "b",
  "7",
  "%7Ec",
  "{p}",
  "{p:[0-9]+}",
  "{p:[a-z]+}",
  "",
);
const pathSegments = fc.constantFrom("a", "b", "7", "~c", "%7ec", "%41", "z%2Fz", "%zz", "", "..");
const methodSets = fc.constantFrom([], ["GET"], ["POST"], ["GET", "POST"], ["HEAD"]);

const routeArbitrary: fc.Arbitrary<Omit<RouteInput, "endpoint">> = fc
  .record({
    host: hostPatterns,
    segments: fc.array(patternSegments, { minLength: 1, maxLength: 4 }),
    rest: fc.boolean(),
    methods: methodSets,
  })
  .map(({ host, segments, rest, methods }) => {
    const named = segments.map((segment, index) => segment.replace("{p", `{p${index}`));
    return { host, path: `/${[...named, ...(rest ? ["*"] : [])].join("/")}`, methods };
  });

/** Drops routes that would collide with one before them. */
function withoutConflicts(routes: readonly Omit<RouteInput, "endpoint">[]): readonly RouteInput[] {
  const kept: RouteInput[] = [];
  for (const [index, input] of routes.entries()) {
    const next = [...kept, { ...input, endpoint: `e${index}` }];
    if (codeOf(() => assertNoConflicts(next)) === "no error")
      kept.push({ ...input, endpoint: `e${index}` });
  }
  return kept;
}

test("table agrees with a linear matcher on any routes and any request", () => {
  const property = fc.property(
    fc.array(routeArbitrary, { maxLength: 12 }),
    fc.array(
      fc.tuple(
        fc.constantFrom("GET", "POST", "HEAD", "DELETE"),
        hosts,
        fc
          .array(pathSegments, { minLength: 1, maxLength: 5 })
          .map((parts) => `/${parts.join("/")}`),
      ),
      { minLength: 1, maxLength: 8 },
    ),
    (inputs, requests) => {
      const routes = withoutConflicts(inputs);
      const table = compileRoutes(routes);
      for (const [method, host, path] of requests) {
        expect(table.match(method, host, path)).toEqual(naiveMatch(routes, method, host, path));
      }
    },
  );
  fc.assert(property, { numRuns: 3_000 });
});

describe("paths", () => {
  test.each([
    ["/a", "/a", ["/a", {}]],
    ["/a", "/a/", "none"],
    ["/a/", "/a", "none"],
    ["/", "/", ["/", {}]],
    ["/files/*", "/files", "none"],
    ["/files/*", "/files/", ["/files/*", { rest: "" }]],
    ["/files/*", "/files/x/y", ["/files/*", { rest: "x/y" }]],
    ["/files/{*tail}", "/files//x%20y", ["/files/{*tail}", { tail: "/x y" }]],
    ["/*", "/", ["/*", { rest: "" }]],
    ["/a/:id", "/a/7", ["/a/:id", { id: "7" }]],
    ["/a/{id}", "/a/", "none"],
    ["/a/{id}", "/a//", "none"],
    ["/a/{id}", "/a/x%2Fy", ["/a/{id}", { id: "x/y" }]],
    ["/a/{id}", "/a/%zz", ["/a/{id}", { id: "%zz" }]],
    ["/a/{id}", "/a/%FF", ["/a/{id}", { id: "%FF" }]],
    ["/a/{id}", "/a/..", ["/a/{id}", { id: ".." }]],
    ["/a/{id}", "/a/%2e%2E", ["/a/{id}", { id: ".." }]],
    ["/a/{__proto__}", "/a/x", ["/a/{__proto__}", Object.fromEntries([["__proto__", "x"]])]],
    ["/a/{id:[0-9]{4}}", "/a/1234", ["/a/{id:[0-9]{4}}", { id: "1234" }]],
    ["/a/{id:[0-9]{4}}", "/a/12345", "none"],
    ["/a/{id:[{}]+}", "/a/%7B", ["/a/{id:[{}]+}", { id: "{" }]],
    ["/a/{id:x|y}", "/a/y", ["/a/{id:x|y}", { id: "y" }]],
    ["/a/{id:x|y}", "/a/xy", "none"],
    ["/~u", "/%7Eu", ["/~u", {}]],
    ["/%7eu", "/~u", ["/%7eu", {}]],
    ["/caf%c3%a9", "/caf%C3%A9", ["/caf%c3%a9", {}]],
    ["/café", "/caf%c3%a9", ["/café", {}]],
    ["/a b", "/a%20b", ["/a b", {}]],
    ["/a|b", "/a%7Cb", ["/a|b", {}]],
    ["/a%2fb", "/a%2Fb", ["/a%2fb", {}]],
    ["/a%2Fb", "/a/b", "none"],
    ["/a", "/%zz", "none"],
    ["/a/b", "/a/./b", "none"],
    ["/a/b", "//a/b", "none"],
    ["/v1:batch", "/v1:batch", ["/v1:batch", {}]],
  ])("pattern %s asked for %s gives %j", (pattern, path, expected) => {
    expect(ask([pattern], "GET", "h", path)).toEqual(expected);
  });

  test("a request steps back from a literal that leads nowhere", () => {
    const routes = ["/a/{x}/c", "/a/b/d", "/{*all}"];
    expect(ask(routes, "GET", "h", "/a/b/c")).toEqual(["/a/{x}/c", { x: "b" }]);
    expect(ask(routes, "GET", "h", "/a/b/e")).toEqual(["/{*all}", { all: "a/b/e" }]);
  });
});

describe("hosts", () => {
  const routes = ["a.example.com/x", "*.example.com/x", "*.example.com/y", "/x", "/y", "/z"];
  test.each([
    ["a.example.com", "/x", "a.example.com/x"],
    ["b.example.com", "/x", "*.example.com/x"],
    ["b.c.example.com", "/x", "*.example.com/x"],
    ["example.com", "/x", "/x"],
    ["a.example.com", "/y", "*.example.com/y"],
    ["a.example.com", "/z", "/z"],
    ["", "/x", "/x"],
    [".example.com", "/x", "/x"],
  ])("host %s asked for %s is answered by %s", (host, path, expected) => {
    expect(ask(routes, "GET", host, path)).toEqual([expected, {}]);
  });
});

describe("methods", () => {
  const routes = ["GET,POST /a", "/a/b", "PUT h/a"];
  test("HEAD is answered by the route of GET, unless one names it", () => {
    expect(ask(routes, "HEAD", "h", "/a")).toEqual(["GET,POST /a", {}]);
    expect(ask([...routes, "HEAD /a"], "HEAD", "h", "/a")).toEqual(["HEAD /a", {}]);
  });
  test("an address without this method names those of all its routes", () => {
    expect(ask(routes, "DELETE", "h", "/a")).toEqual(["GET", "HEAD", "POST", "PUT"]);
    expect(ask(routes, "OPTIONS", "other", "/a")).toEqual(["GET", "HEAD", "POST"]);
  });
  test("a route for any method yields to one that names it, and takes the others", () => {
    expect(ask(["GET /a", "/a"], "GET", "h", "/a")).toEqual(["GET /a", {}]);
    expect(ask(["GET /a", "/a"], "POST", "h", "/a")).toEqual(["/a", {}]);
  });
  test("a method that the best path does not take falls back to a less specific route", () => {
    expect(ask(["GET h/a", "/*"], "POST", "h", "/a")).toEqual(["/*", { rest: "a" }]);
  });
});

describe("conflicts", () => {
  test.each([
    ["/a", "/a"],
    ["/a/{x}", "/a/:y"],
    ["/a/{x:[0-9]+}", "/a/{x:[a-z]+}"],
    ["GET,POST /a", "POST,PUT /a"],
    ["/~a", "/%7ea"],
    ["/f/*", "/f/{*all}"],
    ["EXAMPLE.com/a", "example.com:8080/a"],
  ])("%s collides with %s", (first, second) => {
    const run = (): unknown => compileRoutes([route(first), route(second)]);
    expect(codeOf(run)).toBe("ROUTE_CONFLICT");
    expect(run).toThrow(first.split(" ").at(-1)?.split("/").at(-1));
    expect(run).toThrow(`of endpoint ${second} answers`);
  });
  test.each([
    ["/a", "/a/"],
    ["GET /a", "POST /a"],
    ["GET /a/{x:[0-9]+}", "POST /a/{x:[a-z]+}"],
    ["/a/{x:[0-9]+}/b", "/a/{x:[a-z]+}/c"],
    ["GET /a", "/a"],
    ["h/a", "/a"],
  ])("%s goes with %s", (first, second) => {
    expect(codeOf(() => compileRoutes([route(first), route(second)]))).toBe("no error");
  });
});

describe("hostile requests", () => {
  const table = compileRoutes(
    ["/{a}/{b}/x", "/{a}/b/y", "/a/{b}/z", "/n/{s:[a-z]*[a-z]*[0-9]}"].map(route),
  );
  test.each([
    ["a very long segment", `/${"a".repeat(1_000_000)}`],
    ["many segments", "/a".repeat(500_000)],
    ["many slashes", "/".repeat(1_000_000)],
    ["many percent signs", `/${"%".repeat(300_000)}`],
    ["encoded slashes", `/${"%2f".repeat(300_000)}`],
    ["a text made for backtracking", `/n/${"a".repeat(16_000)}`],
    ["no slash at all", "*"],
    ["nothing", ""],
  ])("%s is answered quickly with none", (_, path) => {
    // CPU time, and far more than it takes: what is not linear takes minutes.
    const before = process.cpuUsage();
    expect(table.match("GET", "h", path)).toEqual({ kind: "none" });
    expect(process.cpuUsage(before).user).toBeLessThan(2_000_000);
  });
  test("a regex parameter takes the longest input that its bound allows and no longer one", () => {
    const path = (length: number): string => `/n/${"a".repeat(length - 1)}7`;
    expect(table.match("GET", "h", path(1_023)).kind).toBe("match");
    expect(table.match("GET", "h", path(1_024)).kind).toBe("match");
    expect(table.match("GET", "h", path(1_025)).kind).toBe("none");
  });
  test("a host has a name of its own when a route names it, be it by a wildcard", () => {
    const named = compileRoutes([
      { ...route("/a"), host: "h.test" },
      { ...route("/b"), host: "*.wild.test" },
      route("/c"),
    ]);
    const hosts = ["h.test", "a.wild.test", "a.b.wild.test", "wild.test", "other", ""];
    expect(hosts.filter((host) => named.names(host))).toEqual(hosts.slice(0, 3));
    expect(compileRoutes([route("/c")]).names("h.test")).toBe(false);
  });
  test("a route without parameters answers with the same object each time", () => {
    const fixed = compileRoutes([route("/a")]);
    expect(fixed.match("GET", "h", "/a")).toBe(fixed.match("GET", "i", "/a"));
  });
});
