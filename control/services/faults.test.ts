import { expect, test } from "vitest";
import type { Binding } from "../../sdk/services/service.ts";
import { FAULT_DELAY_MS_MAX } from "../../sdk/services/faults.ts";
import { parseGatewayConfig } from "../gateway/config.ts";
import { parseInput } from "../parse.ts";
import { faultFindings, faultsSchema } from "./faults.ts";

function complaint(faults: string): string {
  const text = `faults:\n  shop: ${faults}\n`;
  try {
    parseGatewayConfig({ path: "/edge.yaml", text, variables: {} });
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test("faults have the same normal form in a manifest and in the file", () => {
  const text = `faults: { shop: { DB: { delay: { share: 0.1, for: 200ms }, fail: { share: 0.02, code: SERVICE_TIMEOUT } }, fetch: { fail: {} } } }`;
  const normal = {
    DB: { delayShare: 0.1, delayMs: 200, failShare: 0.02, code: "SERVICE_TIMEOUT" },
    fetch: { delayShare: 0, delayMs: 0, failShare: 1, code: null },
  };
  expect(parseGatewayConfig({ path: "/edge.yaml", text, variables: {} }).faults).toEqual({
    shop: normal,
  });
  const written = {
    DB: { delay: { share: 0.1, for: "200ms" }, fail: { share: 0.02, code: "SERVICE_TIMEOUT" } },
    fetch: { fail: {} },
  };
  expect(parseInput(faultsSchema, written)).toEqual(normal);
});

const MAX = `${FAULT_DELAY_MS_MAX}ms`;

test.each([
  ["{ DB: { delay: { for: 1ms } } }", ""],
  [`{ DB: { delay: { for: ${MAX} } } }`, ""],
  [`{ DB: { delay: { for: ${FAULT_DELAY_MS_MAX + 1}ms } } }`, "a duration of at most 60s"],
  ["{ DB: { delay: { share: 1 } } }", "shop.DB.delay.for: missing; expected a duration such as"],
  ["{ DB: { fail: { share: 0 } } }", ""],
  ["{ DB: { fail: { share: -0.01 } } }", "found -0.01; expected a number from 0 to 1"],
  ["{ DB: { fail: { share: 1.01 } } }", "found 1.01; expected a number from 0 to 1"],
  ["{ DB: { fail: { share: 2% } } }", 'found "2%"; expected a number from 0 to 1'],
  [
    "{ DB: { fail: { code: SERVICE_TIMOUT } } }",
    'faults.shop.DB.fail.code: found "SERVICE_TIMOUT"; expected one of SERVICE_UNAVAILABLE',
  ],
  ["{ DB: { fail: { code: SERVICE_TIMOUT } } }", "Did you mean SERVICE_TIMEOUT?"],
  ["{ DB: { fail: { code: HANDLER_EXCEPTION } } }", "expected one of SERVICE_UNAVAILABLE"],
  ["{ DB: { delays: { for: 1ms } } }", 'unknown key "delays"; expected one of delay, fail'],
  ["{ DB: {} }", "expected { delay: { share, for }, fail: { share, code } }"],
  ["{ 1DB: { fail: {} } }", "a bad name; expected a binding's name, or fetch"],
  ["5", "found 5; expected bindings by name"],
])("faults of %s: %s", (faults, expected) => {
  const message = complaint(faults);
  if (expected === "") expect(message).toBe("");
  else expect(message).toContain(expected);
});

test("faults of what an endpoint does not bind, or that its calls never meet, are found", () => {
  const bindings: readonly Binding[] = [
    { kind: "kv", name: "PAGES", service: "embedded", scope: "a" },
    { kind: "endpoint", name: "AUTH", endpoint: "auth" },
  ];
  const fault = { delayShare: 0, delayMs: 0, failShare: 1, code: null };
  const timeout = { ...fault, code: "SERVICE_TIMEOUT" } as const;
  const failed = { ...fault, code: "FETCH_FAILED" } as const;
  expect(faultFindings({ PAGES: timeout, AUTH: failed, fetch: failed }, bindings)).toEqual([]);
  expect(faultFindings({ PAGE: fault }, bindings)).toMatchObject([
    { problem: 'there is no binding "PAGE"', suggestion: "PAGES" },
  ]);
  expect(
    faultFindings({ PAGES: failed, AUTH: timeout, fetch: timeout }, bindings).map(
      ({ path, problem }) => `${path.join(".")}: ${problem}`,
    ),
  ).toEqual([
    "PAGES.fail.code: calls of PAGES never fail with FETCH_FAILED",
    "AUTH.fail.code: calls of AUTH never fail with SERVICE_TIMEOUT",
    "fetch.fail.code: calls of fetch never fail with SERVICE_TIMEOUT",
  ]);
});
