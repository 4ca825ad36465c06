import { expect, test } from "vitest";
import { shown } from "./shown.ts";

test("what is secret is not shown, whatever it stands in", () => {
  const config = {
    tls: { certificates: [{ cert: "-----BEGIN", key: "-----BEGIN", keyFile: "/a.key" }] },
    routes: [
      {
        policies: [
          { kind: "jwt", source: { kind: "secret", secret: "s3cret" } },
          { kind: "rateLimit", key: [{ kind: "header", name: "x-user" }] },
          { kind: "headers", request: { set: [["Authorization", "Bearer s3cret"]] } },
          { kind: "headers", request: { set: [["x-plain", "shown"]] } },
          { kind: "later", config: { apiKey: "s3cret", pinToken: 5, url: "http://u:s3cret@h/p" } },
        ],
      },
    ],
    consumers: [
      { name: "a", keys: ["s3cret", "s3cret2"], password: { hash: "s3cret", rounds: 1 } },
    ],
  };
  const seen = shown(config);
  expect(JSON.stringify(seen)).not.toMatch(/s3cret|BEGIN|:5[,}]/);
  expect(seen).toMatchObject({
    tls: { certificates: [{ cert: "(PEM)", key: "(secret)", keyFile: "/a.key" }] },
    routes: [
      {
        policies: [
          { source: { kind: "secret", secret: "(secret)" } },
          { key: [{ kind: "header", name: "x-user" }] },
          { request: { set: [["Authorization", "(secret)"]] } },
          { request: { set: [["x-plain", "shown"]] } },
          { config: { url: "http://(secret)@h/p" } },
        ],
      },
    ],
    consumers: [{ name: "a", keys: ["(secret)", "(secret)"], password: "(secret)" }],
  });
});

test("what is not there stays so", () => {
  expect(shown({ secret: "", password: null, on: false, count: 0 })).toEqual({
    secret: "",
    password: null,
    on: false,
    count: 0,
  });
});
