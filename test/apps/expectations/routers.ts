// Frameworks that route: Hono, itty-router, H3.

import type { Expectation } from "../expectation.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const ORIGIN = { origin: "https://example.com" };
/** HS256 of {"sub":"ada"} by the app's secret. */
const TOKEN =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.jJLYq7YgDTnorYJsbh5009SBRcGagv2N7SSUplCtBUc";
/** The SHA-1 of the app's text. */
const ETAG = '"9d427d4cd0a3c905c6fbdac716e6163210dc1e84"';

export const HONO: readonly Expectation[] = [
  {
    ask: "GET /hono?q=1",
    reply: { json: { greeting: "hi", query: "1" } },
    with: { "x-frame-options": "SAMEORIGIN" },
  },
  { ask: "GET /hono/users/12", reply: { json: { id: 12 } } },
  { ask: "GET /hono/users/ab", status: 404, reply: { json: { missing: "/hono/users/ab" } } },
  { ask: "GET /hono/etag", reply: "the same every time", with: { etag: ETAG } },
  { ask: "GET /hono/etag", headers: { "if-none-match": ETAG }, status: 304, reply: "" },
  {
    ask: "GET /hono/cors",
    headers: ORIGIN,
    reply: "shared",
    with: { "access-control-allow-origin": ORIGIN.origin, vary: "Origin" },
  },
  {
    ask: "OPTIONS /hono/cors",
    headers: { ...ORIGIN, "access-control-request-method": "PUT" },
    status: 204,
    reply: "",
    with: { "access-control-allow-methods": "GET,PUT" },
  },
  {
    ask: "GET /hono/page",
    reply: '<html><body class="page"><h1>&lt;Hono&gt;</h1><li>1</li><li>2</li></body></html>',
  },
  { ask: "GET /hono/token", reply: TOKEN },
  {
    ask: "GET /hono/api/me",
    headers: { authorization: `Bearer ${TOKEN}` },
    reply: { json: { sub: "ada" } },
  },
  { ask: "GET /hono/api/me", status: 401, reply: "Unauthorized" },
  {
    ask: "GET /hono/admin",
    headers: { authorization: `Basic ${btoa("ada:lovelace")}` },
    reply: "welcome",
  },
  { ask: "GET /hono/admin", status: 401, reply: "Unauthorized" },
  {
    ask: "GET /hono/cookies",
    headers: {
      cookie: "plain=a%20b; signed=c.MUmTB2agro%2FhRV6ZrZ7l9CSmq06xS4iiNdVG%2FjmVxZI%3D",
    },
    reply: { json: ["a b", "c"] },
    with: {
      "set-cookie":
        "plain=a%20b; Path=/; HttpOnly, signed=c.MUmTB2agro%2FhRV6ZrZ7l9CSmq06xS4iiNdVG%2FjmVxZI%3D; Path=/",
    },
  },
  { ask: "GET /hono/numbers", reply: "123" },
  {
    ask: "GET /hono/events",
    reply: "event: tick\ndata: one\nid: 1\n\nevent: tick\ndata: two\nid: 2\n\n",
  },
  {
    ask: "POST /hono/form",
    body: formOf({ name: "ada", file: new File(["punched"], "card.txt") }),
    reply: { json: { name: "ada", file: ["card.txt", 7, "punched"] } },
  },
  { ask: "POST /hono/small", json: { a: 1 }, reply: "2" },
  { ask: "POST /hono/small", json: { b: 1 }, status: 422, reply: "no a" },
  { ask: "POST /hono/small", json: { a: "1111111111" }, status: 413, reply: "too large" },
  { ask: "GET /hono/background", status: 204, reply: "" },
  { ask: "GET /hono/teapot", status: 418, reply: "short and stout" },
  { ask: "GET /hono/broken", status: 500, reply: "broken" },
];

export const ITTY_ROUTER: readonly Expectation[] = [
  { ask: "GET /itty-router", reply: { json: { routers: "small" } } },
  { ask: "GET /itty-router/query?a=1&a=2&b=3", reply: { json: { a: ["1", "2"], b: "3" } } },
  { ask: "GET /itty-router/files/a/b/c", reply: { json: { path: "a/b/c" } } },
  { ask: "GET /itty-router/optional", reply: { json: { format: "none" } } },
  { ask: "GET /itty-router/optional/json", reply: { json: { format: "json" } } },
  {
    ask: "GET /itty-router/secret",
    status: 403,
    reply: { json: { status: 403, reason: "secret" } },
  },
  { ask: "GET /itty-router/broken", status: 500, reply: /"error":"Expected property name/ },
  {
    ask: "GET /itty-router/none",
    status: 404,
    reply: { json: { status: 404, error: "Not Found" } },
  },
  { ask: "PUT /itty-router/notes/1", json: { a: 1 }, status: 201, reply: "" },
  { ask: "GET /itty-router/notes/1", reply: { json: { a: 1 } } },
  {
    ask: "GET /itty-router/notes/2",
    status: 404,
    reply: { json: { status: 404, error: "no note 2" } },
  },
  {
    ask: "GET /itty-router/shared/page",
    headers: ORIGIN,
    reply: "<h1>itty</h1>",
    with: { "access-control-allow-origin": ORIGIN.origin, "content-type": "text/html" },
  },
  {
    ask: "OPTIONS /itty-router/shared/page",
    headers: ORIGIN,
    status: 204,
    reply: "",
    with: { "access-control-max-age": "60" },
  },
];

export const H3: readonly Expectation[] = [
  { ask: "GET /h3", reply: { json: { hello: "h3" } }, with: { "x-h3": "2" } },
  { ask: "GET /h3/hello/ada", reply: "Hello, ada!" },
  { ask: "GET /h3/query?a=1&b=x%20y", reply: { json: { a: "1", b: "x y" } } },
  { ask: "POST /h3/echo", json: { a: 1 }, status: 201, reply: { json: { got: { a: 1 } } } },
  {
    ask: "POST /h3/echo",
    headers: FORM,
    body: "a=1&b=2",
    status: 201,
    reply: { json: { got: { a: "1", b: "2" } } },
  },
  { ask: "GET /h3/page", reply: "<h1>&lt;h3&gt;</h1>" },
  { ask: "GET /h3/away", status: 302, reply: /url=\/h3\//, with: { location: "/h3/" } },
  {
    ask: "GET /h3/cookies",
    headers: { cookie: "b=2" },
    reply: "2",
    with: { "set-cookie": "a=1; Path=/, b=; Max-Age=0; Path=/" },
  },
  { ask: "GET /h3/stream", reply: "from a blob" },
  { ask: "GET /h3/events", reply: "data: one\n\nevent: two\ndata: 2\n\n" },
  {
    ask: "OPTIONS /h3/cors",
    headers: { ...ORIGIN, "access-control-request-method": "GET" },
    status: 204,
    reply: "",
    with: { "access-control-allow-origin": "*" },
  },
  {
    ask: "GET /h3/missing",
    status: 404,
    reply: { json: { status: 404, message: "not here" } },
  },
  { ask: "GET /h3/nothing", status: 404, reply: /Cannot find any route matching \[GET\]/ },
];

function formOf(fields: Readonly<Record<string, string | File>>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}
