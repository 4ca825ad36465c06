import { describe, expect, test } from "vitest";
import { PATTERN_LENGTH_MAX, PATTERN_SEGMENTS_MAX, parsePattern } from "./pattern.ts";
import { REGEX_LENGTH_MAX, checkRegex } from "./pattern-regex.ts";
import { EdgeError } from "./errors.ts";

function problem(path: string): string {
  try {
    parsePattern(path);
  } catch (error) {
    if (error instanceof EdgeError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "no error";
}

describe("parsePattern names what is wrong and where", () => {
  test.each([
    ["a", "character 1: a path begins"],
    ["/a/*/b", "character 4: a wildcard can only be the last"],
    ["/a*", 'character 3: a "*" must be the whole last segment'],
    ["/a/{id", 'character 4: this "{" is never closed'],
    ["/a/{id}.json", "character 8: a parameter must be a whole segment"],
    ["/a/x{id}", "character 5: a parameter must be a whole segment"],
    ["/a/{}", "character 5: a parameter's name"],
    ["/a/:", "character 5: a parameter's name"],
    ["/a/{i-d}", "character 5: a parameter's name"],
    ["/a/{id}/{id}", 'two parameters are called "id"'],
    ["/{rest}/*", 'two parameters are called "rest"'],
    ["/a?b", "character 3: a pattern has no query"],
    ["/a%4", "character 3: two hex digits"],
    ["/a/../b", "character 4: clients remove dot segments"],
    ["/a\n", "character 3: control characters"],
    ["/\ud800", "character 2: it contains half a character"],
    ["/{x:}", "character 5: the regular expression is empty"],
    ["/{x:(}", "character 5: the regular expression is not valid"],
    ["/{x:a)(?:b}", "character 5: the regular expression is not valid"],
    ["/{x:a*}", "character 5: the regular expression matches the empty text"],
    ["/{x:(?=a)b}", "character 5: only plain groups"],
    ["/{x:(?<n>a)}", "character 5: only plain groups"],
    ["/{x:(a)\\1}", "character 8: backreferences"],
    ["/{x:a[/]b}", 'character 7: a segment contains no "/"'],
    ["/{x:(a+)+}", "character 5: the regular expression can backtrack too much"],
  ])("%j: %s", (path, expected) => {
    expect(problem(path)).toContain("ROUTE_INVALID");
    expect(problem(path)).toContain(expected);
  });

  test("takes patterns up to its limits", () => {
    const long = (length: number): string => `/${"a".repeat(length - 1)}`;
    expect(problem(long(PATTERN_LENGTH_MAX - 1))).toBe("no error");
    expect(problem(long(PATTERN_LENGTH_MAX))).toBe("no error");
    expect(problem(long(PATTERN_LENGTH_MAX + 1))).toContain("longer than");
    expect(problem("/a".repeat(PATTERN_SEGMENTS_MAX - 1))).toBe("no error");
    expect(problem("/a".repeat(PATTERN_SEGMENTS_MAX))).toBe("no error");
    expect(problem("/a".repeat(PATTERN_SEGMENTS_MAX + 1))).toContain("segments");
  });
});

describe("checkRegex", () => {
  test.each([
    ["[0-9]+", 16_384],
    ["[a-z0-9-]+", 16_384],
    ["\\d{4}-\\d{2}-\\d{2}", 16_384],
    ["[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", 16_384],
    ["\\p{L}+\\.\\w+", 1_024],
    ["\\w+-\\w+-\\w+", 128],
    ["(?:en|de|fr)(?:-[A-Z]{2})?", 16_384],
  ])("takes %s for inputs of up to %d", (source, inputMax) => {
    expect(checkRegex(source)).toEqual({ ok: true, inputMax });
  });
  test.each([
    "(?:a|b)+",
    "(?:a?){30}a{30}",
    `${"a?".repeat(60)}b`,
    "(?:x+x+)+y",
    "a*b*c*d*e",
    "(?:a|a){40}",
  ])("refuses %s, which backtracks without bound", (source) => {
    expect(checkRegex(source).ok).toBe(false);
  });
  test("takes expressions up to its length limit", () => {
    expect(checkRegex("a".repeat(REGEX_LENGTH_MAX - 1)).ok).toBe(true);
    expect(checkRegex("a".repeat(REGEX_LENGTH_MAX)).ok).toBe(true);
    expect(checkRegex("a".repeat(REGEX_LENGTH_MAX + 1)).ok).toBe(false);
  });
  test("an input of the longest length against the worst accepted expression takes milliseconds", () => {
    const regex = /^(?:[a-z]+[a-z]+[a-z]+[0-9])$/u;
    expect(checkRegex("[a-z]+[a-z]+[a-z]+[0-9]")).toEqual({ ok: true, inputMax: 128 });
    // Its own time: a busy machine takes its share of any other.
    const before = process.threadCpuUsage();
    expect(regex.test("a".repeat(128))).toBe(false);
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(100);
  });
});
