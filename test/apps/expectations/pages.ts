// Pages: rendered on the server by Preact and React, or lying in a KV namespace.

import type { Expectation } from "../expectation.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const NAMED = "?name=%3CAda%3E";

export const PREACT: readonly Expectation[] = [
  {
    ask: `GET /preact${NAMED}`,
    reply:
      '<h1 id="some">&lt;Ada></h1><button style="color:red;" disabled aria-label="count" class="dark">21 → 42</button><div><b>raw</b></div>',
    with: { "content-type": "text/html; charset=utf-8" },
  },
  { ask: "GET /preact/stream", reply: /<i>waiting<\/i>.*<em>late<\/em>/s },
];

export const REACT: readonly Expectation[] = [
  {
    ask: `GET /react${NAMED}`,
    reply:
      /^<!DOCTYPE html><html lang="en">.*&lt;Ada&gt;.*<p>loading<\/p>.*<p>fallback<\/p>.*<li>first<\/li><li>second<\/li>/s,
    with: { "x-errors": "only on the server" },
  },
  {
    ask: `GET /react${NAMED}&whole`,
    reply: /&lt;Ada&gt;(?!.*<p>loading).*<li>first<\/li><li>second<\/li>.*<p>fallback<\/p>/s,
  },
  { ask: "GET /react/static", reply: '<label for="_R_0_">Hello, nobody × 1</label>' },
];

export const REACT_ROUTER: readonly Expectation[] = [
  { ask: "GET /react-router", reply: /<a href="\/react-router\/pets\/1"[^>]*>1<\/a><\/main>$/ },
  { ask: "GET /react-router/pets/1", reply: /<form [^>]*method="post">1<!-- -->: <!-- -->Rex/ },
  { ask: "GET /react-router/pets/2", status: 404, reply: "<strong>no pet 2</strong>" },
  {
    ask: "POST /react-router/pets/2",
    headers: FORM,
    body: "name=Tom",
    status: 302,
    reply: "",
    with: { location: "/react-router/pets/2" },
  },
  { ask: "GET /react-router/pets/2", reply: /Tom/ },
  {
    ask: "POST /react-router/pets/2",
    headers: FORM,
    body: "name=",
    status: 400,
    reply: /Tom.*a name, please/,
  },
  { ask: "GET /react-router/nowhere", status: 404, reply: /No route matches URL/ },
];

export const KV_ASSET_HANDLER: readonly Expectation[] = [
  {
    ask: "PUT /kv-asset-handler/index.1234.html",
    body: "<h1>home</h1>",
    status: 201,
    reply: "",
  },
  { ask: "PUT /kv-asset-handler/app.5678.js", body: "alert(1)", status: 201, reply: "" },
  {
    ask: "GET /kv-asset-handler/",
    reply: "<h1>home</h1>",
    with: {
      "cache-control": "max-age=60",
      "cf-cache-status": "MISS",
      "content-type": "text/html; charset=utf-8",
      etag: '"index.1234.html"',
    },
  },
  {
    ask: "GET /kv-asset-handler/app.js",
    reply: "alert(1)",
    with: { "content-type": "application/javascript; charset=utf-8" },
  },
  { ask: "HEAD /kv-asset-handler/app.js", reply: "", with: { "content-length": "8" } },
  { ask: "GET /kv-asset-handler/none.js", status: 404, reply: "no such page" },
  { ask: "POST /kv-asset-handler/app.js", status: 405, reply: "read only" },
];
