import { describe, expect, test } from "vitest";
import {
  freshness,
  HeaderMap,
  httpDate,
  isUnchanged,
  spanOf,
  variantOf,
  variedNames,
} from "./http-caching.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const map = (headers: Readonly<Record<string, string>>): HeaderMap =>
  new HeaderMap(
    Object.entries(headers)
      .map(([name, value]) => `${name}\n${value}\n`)
      .join(""),
  );

describe("how long a response is fresh", () => {
  test.each([
    [{}, 7_200],
    [{ age: "200" }, 7_000],
    [{ age: "-200" }, 7_200],
    [{ "cache-control": "max-age=10" }, 10],
    [{ "cache-control": "max-age=10, s-maxage=20" }, 20],
    [{ "cache-control": 'S-MaxAge="5"' }, 5],
    [{ "cache-control": "public, max-age=0" }, 0],
    [{ "cache-control": "max-age=-1" }, 0],
    [{ "cache-control": "max-age=1e3" }, 0],
    [{ "cache-control": "max-age=99999999999999" }, 315_360_000],
    [{ "cache-control": "no-store, max-age=10" }, 0],
    [{ "cache-control": "private, max-age=10" }, 0],
    [{ "cache-control": "no-cache" }, 0],
    [{ "cache-control": 'private="x-user", max-age=10' }, 10],
    [{ "cache-control": 'private, private="x-user", max-age=10' }, 0],
    [{ "cache-control": 'private="x-user", private, max-age=10' }, 0],
    [{ "cache-control": 'no-cache="x-user", max-age=10' }, 10],
    [{ "cache-control": "max-age=10, max-age=20" }, 10],
    [{ "cache-control": 'x="no-store", max-age=10' }, 10],
    [{ "cache-control": 'x="unclosed, no-store' }, 0],
    [{ "cache-control": "max-age" }, 0],
    [{ "cache-control": "max-age = 10" }, 10],
    [{ "cache-control": "max-age=10", age: "4" }, 6],
    [{ "cache-control": "max-age=10", "set-cookie": "a=1" }, 0],
    [{ "cache-control": 'private="Set-Cookie", max-age=10', "set-cookie": "a=1" }, 10],
    [{ "cache-control": "private=Set-Cookie, max-age=10", "set-cookie": "a=1" }, 10],
    [{ "cache-control": 'private="x-a, Set-Cookie", max-age=10', "set-cookie": "a=1" }, 10],
    [{ "cache-control": 'private="x-a", max-age=10', "set-cookie": "a=1" }, 0],
    [{ expires: "Thu, 01 Jan 2026 00:01:00 GMT" }, 60],
    [{ expires: "Thu, 01 Jan 2026 00:01:00 GMT", date: "Thu, 01 Jan 2026 00:00:30 GMT" }, 30],
    [{ expires: "Wed, 31 Dec 2025 00:00:00 GMT" }, 0],
    [{ expires: "0" }, 0],
    [{ expires: "3000" }, 0],
    [{ expires: "2027-01-01T00:00:00Z" }, 0],
    [{ expires: "never" }, 0],
    [{ expires: "Thu, 01 Jan 2026 00:01:00 GMT", "cache-control": "max-age=5" }, 5],
  ] as const)("%j: %d s", (headers, seconds) => {
    const response = { status: 200, headers: map(headers) };
    expect(freshness(response, map({}), NOW).seconds).toBe(seconds);
  });

  test("its status says it where no header does", () => {
    const of = (status: number): number =>
      freshness({ status, headers: map({}) }, map({}), NOW).seconds;
    expect([200, 301, 302, 404, 410, 403, 500].map(of)).toEqual([
      7_200, 7_200, 1_200, 180, 180, 0, 0,
    ]);
    const headers = map({ "cache-control": "max-age=5" });
    expect(freshness({ status: 500, headers }, map({}), NOW).seconds).toBe(5);
  });

  test.each([
    ["max-age=10", 0],
    ["public, max-age=10", 10],
    ["s-maxage=10", 10],
    ["max-age=10, must-revalidate", 10],
  ])("got with credentials, with %s: %d s", (control, seconds) => {
    const response = { status: 200, headers: map({ "cache-control": control }) };
    const request = map({ authorization: "Bearer x" });
    expect(freshness(response, request, NOW).seconds).toBe(seconds);
  });

  test("headers that are for one client are named", () => {
    const headers = map({ "cache-control": 'private="Set-Cookie, X-User" , no-cache=x-two' });
    const { without } = freshness({ status: 200, headers }, map({}), NOW);
    expect(without).toEqual(["set-cookie", "x-user", "x-two"]);
  });
});

describe("which requests a response answers", () => {
  test("those with the same values of the headers that Vary names", () => {
    const names = variedNames(map({ vary: "Accept-Language , accept,ACCEPT" }));
    expect(names).toEqual(["accept", "accept-language"]);
    const key = (headers: Record<string, string>) => variantOf(names ?? [], map(headers));
    expect(key({ accept: "a", cookie: "x" })).toBe(key({ accept: "a" }));
    expect(key({ accept: "a" })).not.toBe(key({ accept: "b" }));
    expect(key({ accept: "a" })).not.toBe(key({ "accept-language": "a" }));
    expect(variedNames(map({ vary: "accept, *" }))).toBe(null);
    expect(variedNames(map({}))).toEqual([]);
  });

  test.each([
    [{ "if-none-match": '"a"' }, true],
    [{ "if-none-match": 'W/"a"' }, true],
    [{ "if-none-match": '"b", "a"' }, true],
    [{ "if-none-match": "*" }, true],
    [{ "if-none-match": '"b"' }, false],
    [{ "if-none-match": '"b"', "if-modified-since": "Fri, 01 Jan 2027 00:00:00 GMT" }, false],
    [{ "if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT" }, true],
    [{ "if-modified-since": "Wed, 31 Dec 2025 23:59:59 GMT" }, false],
    [{ "if-modified-since": "soon" }, false],
    [{}, false],
  ])("a request with %j has it: %s", (request, has) => {
    const stored = map({ etag: '"a"', "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT" });
    expect(isUnchanged(stored, map(request))).toBe(has);
  });
});

describe("the part that a request wants", () => {
  test.each([
    [{}, null],
    [{ range: "bytes=0-0" }, { from: 0, to: 1 }],
    [{ range: "bytes=2-4" }, { from: 2, to: 5 }],
    [{ range: "bytes=8-" }, { from: 8, to: 10 }],
    [{ range: "bytes=8-99" }, { from: 8, to: 10 }],
    [{ range: "bytes=-3" }, { from: 7, to: 10 }],
    [{ range: "bytes=-99" }, { from: 0, to: 10 }],
    [{ range: "bytes=-0" }, "none"],
    [{ range: "bytes=10-" }, "none"],
    [{ range: "bytes=4-2" }, null],
    [{ range: "bytes=-" }, null],
    [{ range: "bytes=0-1,3-4" }, null],
    [{ range: "lines=0-1" }, null],
    [
      { range: "bytes=0-1", "if-range": '"a"' },
      { from: 0, to: 2 },
    ],
    [{ range: "bytes=0-1", "if-range": '"b"' }, null],
    [{ range: "bytes=0-1", "if-range": 'W/"a"' }, null],
  ])("of %j", (request, span) => {
    expect(spanOf(map({ etag: '"a"' }), map(request), 10)).toEqual(span);
  });
});

test.each([
  ["Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"],
  ["Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z"],
  ["Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z"],
  ["Wednesday, 01-Jan-31 00:00:00 GMT", "2031-01-01T00:00:00.000Z"],
  ["Sun, 06 Nov 1994 08:49:37", null],
  ["Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", null],
  ["Sun, 36 Nov 1994 08:49:37 GMT", null],
  ["1994", null],
  ["", null],
])("%j is the time %s", (text, iso) => {
  const ms = httpDate(text);
  expect(ms === null ? null : new Date(ms).toISOString()).toBe(iso);
});
