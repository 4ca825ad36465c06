import fc from "fast-check";
import { expect, test } from "vitest";
import { ACCESS_FIELDS, type AccessLogConfig } from "../../sdk/gateway/config.ts";
import { createConfiguredLine } from "./access-lines.ts";
import type { AccessRecord } from "./access-log.ts";

const TIME = "2026-01-02T03:04:05.678Z";
const RECORD: AccessRecord = {
  requestId: "1a",
  method: "GET",
  host: "a.test",
  path: "/b c",
  status: 200,
  outcome: "ok",
  endpoint: "hello",
  consumer: "",
  us: 12,
  bytes: 5,
};

function lineOf(config: Partial<AccessLogConfig>, record = RECORD, agent = "curl"): string {
  const line = createConfiguredLine({ format: "json", fields: [], share: 1, ...config });
  const header = (name: string): string | undefined => (name === "user-agent" ? agent : undefined);
  return line(record, TIME, { address: "10.0.0.1", header });
}

test("the combined format is as other servers write it", () => {
  expect(lineOf({ format: "combined" })).toBe(
    `10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /b c HTTP/1.1" 200 5 "-" "curl"\n`,
  );
});

test("logfmt quotes what needs it and leaves out what there is not", () => {
  const fields = ["status", "path", "consumer", "address"] as const;
  expect(lineOf({ format: "logfmt", fields })).toBe(`status=200 path="/b c" address=10.0.0.1\n`);
});

test("JSON has the fields that were asked for, in that order", () => {
  const line = lineOf({ fields: ["us", "userAgent", "referer"] });
  expect(line).toBe(`{"us":12,"userAgent":"curl","referer":""}\n`);
});

test.each(["json", "logfmt", "combined"] as const)(
  "%s is one line of ASCII, whatever clients send",
  (format) => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const fields = format === "combined" ? [] : ACCESS_FIELDS;
        const record = { ...RECORD, path: text };
        const line = lineOf({ format, fields }, record, text);
        expect(line).toMatch(/^[ -~]*\n$/);
        if (format === "json")
          expect(JSON.parse(line)).toMatchObject({ path: text, userAgent: text });
      }),
    );
  },
);
