// The hand-written parser against whatwg-url, the standard's reference implementation, and its fast path against
// the full parser. Not against Node, which decodes some queries and judges some domains otherwise.

import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseFully, parsePlain } from "./url-record.ts";
import { URL, URLSearchParams } from "./url.ts";

const require = createRequire(import.meta.url);
const { URL: ReferenceUrl, URLSearchParams: ReferenceParams } = require("whatwg-url") as Pick<
  typeof globalThis,
  "URL" | "URLSearchParams"
>;

const PIECES =
  "http: https: file: foo: ws: blob: // / \\ a b.c example.com EXAMPLE ü ß 1.2 0x7f.1 127.0.0.1 [::1] " +
  "[1::2:3.4.5.6] [1:0:0:2::] :80 :443 :0080 :65535 :65536 : @ user p:w ? # ?q=1' #f .. . %2e %2E. %41 c: C| " +
  "\t % é localhost //x 256 0x 09 ` { ^ | ~ = & + -";
const piece = fc.oneof(
  fc.constantFrom(...PIECES.split(" "), " ", "\ud800"),
  fc.string({ unit: "binary", maxLength: 3 }),
  fc.constantFrom(...Array.from("ßς日本١אａ％。½ⅷ𝒳\u200d\u00ad\u0301\u3002\ufeff")),
);
const address = fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join(""));

const ATTRIBUTES = [
  "href",
  "origin",
  "protocol",
  "username",
  "password",
  "host",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const;
type Attributes = Readonly<Record<(typeof ATTRIBUTES)[number], string>>;

function attributes(url: Attributes | null): readonly string[] | null {
  return url === null ? null : ATTRIBUTES.map((name) => url[name]);
}

describe("URL", () => {
  test("agrees with the reference on any address against any base", () => {
    fc.assert(
      fc.property(address, fc.option(address, { nil: undefined }), (input, base) => {
        const ours = attributes(URL.parse(input, base));
        expect(ours).toEqual(attributes(ReferenceUrl.parse(input, base)));
        expect(URL.canParse(input, base)).toBe(ours !== null);
      }),
      { numRuns: 5_000 },
    );
  });

  test("agrees with the reference after any attribute was set", () => {
    const settable = fc.constantFrom(...ATTRIBUTES.filter((name) => name !== "origin"));
    const bases = fc.constantFrom(
      "http://u:p@example.com:8080/a/b?c#d",
      "https://example.com",
      "file:///c:/x",
      "file://host/x",
      "foo://bar:1/baz",
      "foo:/a",
      "foo:opaque ?x",
      "ws://a/",
    );
    fc.assert(
      fc.property(bases, settable, address, (base, name, value) => {
        const ours = new URL(base);
        const reference = new ReferenceUrl(base);
        const set = (url: object): boolean => {
          try {
            return Reflect.set(url, name, value);
          } catch {
            return false;
          }
        };
        expect(set(ours)).toBe(set(reference));
        expect(attributes(ours)).toEqual(attributes(reference));
      }),
      { numRuns: 5_000 },
    );
  });

  test("parses plain addresses on the fast path exactly as in full", () => {
    const number = fc.constantFrom(..."0 1 9 10 99 127 199 249 255 256 01 0x7f 1a".split(" "), "");
    const numbers = fc.array(number, { minLength: 1, maxLength: 5 }).map((all) => all.join("."));
    const anything = fc
      .array(fc.constantFrom(..."ab1.-:/?#=&%é@ ".split("")), { maxLength: 20 })
      .map((characters) => characters.join(""));
    const plain = fc
      .tuple(fc.constantFrom("http://", "https://"), fc.oneof(anything, numbers))
      .map((parts) => parts.join(""));
    let fast = 0;
    fc.assert(
      fc.property(fc.oneof(plain, fc.webUrl({ withQueryParameters: true })), (input) => {
        const quick = parsePlain(input);
        if (quick === null) return;
        fast++;
        expect(quick).toEqual(parseFully(input, null));
      }),
      { numRuns: 5_000 },
    );
    expect(fast).toBeGreaterThan(500);
  });

  test("takes plain addresses on the fast path", () => {
    expect(parsePlain("https://api.example.com:8443/a/b.c/d?x=1&y=2#z")).not.toBeNull();
    expect(parsePlain("http://127.0.0.1:8080/a")).not.toBeNull();
    for (const odd of ["http://a.b/./c", "http://A.b/", "http://1.2/", "http://a@b/"]) {
      expect(parsePlain(odd)).toBeNull();
    }
  });

  test("checks punycode that is given as such", () => {
    expect(new URL("http://XN--BCHER-KVA.example/").hostname).toBe("xn--bcher-kva.example");
    for (const host of ["xn--", "xn--a", "a.b.xn--pokxncvks", "xn--0.pt"]) {
      expect(URL.canParse(`http://${host}/`), host).toBe(false);
    }
  });

  test("applies the Bidi rule to every label of a domain that has right-to-left text", () => {
    expect(new URL("http://א1.ב").hostname).toBe("xn--1-zhc.xn--5db");
    expect(URL.canParse("http://1א/")).toBe(false);
    expect(URL.canParse("http://א.1a/")).toBe(false);
  });

  test("keeps searchParams and search in step", () => {
    const url = new URL("http://a/?x=1");
    const params = url.searchParams;
    params.append("y z", "ü");
    expect(url.href).toBe("http://a/?x=1&y+z=%C3%BC");
    url.search = "?q=2";
    expect([...params]).toEqual([["q", "2"]]);
    params.delete("q");
    expect(url.href).toBe("http://a/");
    expect(url.searchParams).toBe(params);
  });

  test("throws TypeError without an address, for an invalid one and on a foreign receiver", () => {
    expect(() => Reflect.construct(URL, []) as unknown).toThrow(TypeError);
    expect(() => new URL("/a")).toThrow(TypeError);
    expect(() => Reflect.get(URL.prototype, "href") as unknown).toThrow(TypeError);
  });
});

describe("URLSearchParams", () => {
  const text = fc.oneof(
    fc.string({
      unit: fc.constantFrom(...Array.from("ab%41+&=? ~*()'é€😀"), "\ud800", "%zz", "%e2%82%ac"),
    }),
    fc.string({ unit: "binary" }),
  );

  test("parses and serialises as the reference does", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(text, fc.constantFrom("&", "=", "?")), { maxLength: 8 }),
        (parts) => {
          const input = parts.join("");
          const ours = new URLSearchParams(input);
          const reference = new ReferenceParams(input);
          expect([...ours]).toEqual([...reference]);
          expect(ours.toString()).toBe(reference.toString());
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("changes as the reference does", () => {
    const method = fc.constantFrom("append", "set", "delete", "has", "get", "getAll", "sort");
    const steps = fc.array(fc.tuple(method, text, fc.option(text, { nil: undefined })), {
      maxLength: 10,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const ours = new URLSearchParams("b=1&a=2&b=3");
        const reference = new ReferenceParams("b=1&a=2&b=3");
        for (const [name, key, value] of list) {
          const run = (params: object): unknown =>
            (Reflect.get(params, name) as (...args: unknown[]) => unknown).call(params, key, value);
          expect(run(ours)).toEqual(run(reference));
        }
        expect([...ours.entries()]).toEqual([...reference.entries()]);
        expect([...ours.keys()]).toEqual([...reference.keys()]);
        expect([...ours.values()]).toEqual([...reference.values()]);
        expect(ours.size).toBe(reference.size);
      }),
    );
  });

  test("takes records and sequences of pairs, and refuses other shapes", () => {
    expect(new URLSearchParams({ a: "1", b: 2 }).toString()).toBe("a=1&b=2");
    expect(
      new URLSearchParams([
        ["a", "1"],
        ["a", "2"],
      ]).toString(),
    ).toBe("a=1&a=2");
    expect(() => new URLSearchParams([["a"]])).toThrow(TypeError);
    expect(() => new URLSearchParams([1])).toThrow(TypeError);
    expect(() => new URLSearchParams({ [Symbol.iterator]: 1 })).toThrow(TypeError);
  });
});
