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

test("one odd character anywhere is taken as Node takes it", () => {
  const bytes = fc.uint8Array({ maxLength: 100, size: "max" });
  const odd = fc.constantFrom("", ..."AZ09=-_ \n\r\t\f\v\0\u00ff\u0100\uffff".split(""));
  fc.assert(
    fc.property(bytes, fc.double({ min: 0, max: 1, noNaN: true }), odd, (given, place, other) => {
      const plain = Buffer.from(given).toString("latin1");
      for (const text of [plain, globalThis.btoa(plain)]) {
        const at = Math.floor(place * text.length);
        const changed = text.slice(0, at) + other + text.slice(at);
        const replaced = text.slice(0, at) + other + text.slice(at + 1);
        for (const input of [changed, replaced]) {
          expect(attempt(() => btoa(input))).toBe(attempt(() => globalThis.btoa(input)));
          expect(attempt(() => atob(input))).toBe(attempt(() => globalThis.atob(input)));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test("base64url gives back what it was given and refuses other alphabets", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60, size: "max" }), (bytes) => {
      const text = encodeBase64Url(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64url"));
      expect(decodeBase64Url(text)).toEqual(bytes);
    }),
  );
  for (const wrong of ["a+b/", "YQ==", "a b", "A"]) expect(decodeBase64Url(wrong)).toBeNull();
});
