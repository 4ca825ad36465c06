import fc from "fast-check";
import { expect, test } from "vitest";
import { atob, btoa, decodeBase64Url, encodeBase64Url } from "./base64.ts";

function attempt(run: () => string): string {
  try {
    return run();
  } catch (error) {
    return `failed: ${(error as Error).name}`;
  }
}

test("btoa and atob agree with Node's on any text", () => {
  const near = fc.string({ unit: fc.constantFrom(..."AZaz09+/=-_ \n\u00ff\u0100".split("")) });
  fc.assert(
    fc.property(fc.oneof(near, fc.string({ unit: "binary" })), (text) => {
      expect(attempt(() => btoa(text))).toBe(attempt(() => globalThis.btoa(text)));
      expect(attempt(() => atob(text))).toBe(attempt(() => globalThis.atob(text)));
    }),
    { numRuns: 3_000 },
  );
});

test("base64url gives back what it was given and refuses other alphabets", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = encodeBase64Url(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64url"));
      expect(decodeBase64Url(text)).toEqual(bytes);
    }),
  );
  for (const wrong of ["a+b/", "YQ==", "a b", "A"]) expect(decodeBase64Url(wrong)).toBeNull();
});
