import { expect, test } from "vitest";
import { ENCODINGS } from "../../../../sdk/gateway/policies.ts";
import { createEncodingChoice } from "./encoding-choice.ts";

test.each([
  [undefined, null],
  ["", null],
  ["gzip", "gzip"],
  ["GZIP", "gzip"],
  ["x-gzip", "gzip"],
  ["gzip, deflate, br, zstd", "br"],
  ["gzip;q=1.0, br;q=0.5", "gzip"],
  ["br;q=0, gzip;q=0.001", "gzip"],
  ["gzip;q=0", null],
  ["gzip ; q=0.5 , zstd;Q=0.7", "zstd"],
  ["*", "br"],
  ["*;q=0", null],
  ["*, br;q=0", "zstd"],
  ["identity", null],
  ["identity;q=0.5, gzip;q=0.2", null],
  ["identity;q=0, gzip;q=0.2", "gzip"],
  ["gzip;q=2", null],
  ["gzip;q=0.1234", null],
  ["gzip;level=9", null],
  ["deflate, compress", null],
  [",,gzip,", "gzip"],
])("Accept-Encoding %j gets %j", (header, encoding) => {
  const choose = createEncodingChoice(ENCODINGS);
  expect(choose(header)).toBe(encoding);
  expect(choose(header)).toBe(encoding);
});

test("among equals the order of the configuration decides", () => {
  expect(createEncodingChoice(["gzip", "br"])("br, gzip")).toBe("gzip");
  expect(createEncodingChoice(["gzip"])("br")).toBeNull();
});
