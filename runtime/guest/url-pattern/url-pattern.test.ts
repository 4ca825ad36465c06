// Expectations are the URL Pattern standard's.

import { describe, expect, test } from "vitest";
import { URLPattern } from "./url-pattern.ts";

const base = "https://example.com/a/b";

function groups(pattern: URLPattern, input: string): unknown {
  return pattern.exec(input)?.pathname.groups;
}

describe("URLPattern", () => {
  test.each([
    ["/users/:id", "/users/7", { id: "7" }],
    ["/users/:id?", "/users", { id: undefined }],
    ["/files/:path+", "/files/a/b", { path: "a/b" }],
    ["/files/:path*", "/files", { path: undefined }],
    ["/:id(\\d+)", "/12", { id: "12" }],
    ["/:name.:ext", "/a.txt", { name: "a", ext: "txt" }],
    ["/{v:version-}?x", "/v2-x", { version: "2" }],
    ["/*", "/a/b", { 0: "a/b" }],
    ["/caf\u00e9", "/caf%C3%A9", {}],
    ["/:__proto__", "/x", Object.fromEntries([["__proto__", "x"]])],
  ])("%s matches %s", (pathname, path, expected) => {
    expect(groups(new URLPattern({ pathname }), `https://h${path}`)).toEqual(expected);
  });

  test.each([
    ["/users/:id", "/users/7/x"],
    ["/users/:id", "/users/"],
    ["/:id(\\d+)", "/a"],
    ["/([[a-z]--a])", "/a"],
    ["/A", "/a"],
  ])("%s does not match %s", (pathname, path) => {
    expect(new URLPattern({ pathname }).test(`https://h${path}`)).toBe(false);
  });

  test("a constructor string gives every component, and wildcards where it ends", () => {
    const pattern = new URLPattern("https://{:sub.}?example.com:8080/:path*\\?q=:q#top");
    expect(pattern.protocol).toBe("https");
    expect(pattern.hostname).toBe("{:sub.}?example.com");
    expect(pattern.port).toBe("8080");
    expect(pattern.pathname).toBe("/:path*");
    expect(pattern.search).toBe("q=:q");
    expect(pattern.hash).toBe("top");
    expect(pattern.username).toBe("*");
  });

  test("a base URL gives what the pattern leaves out, escaped", () => {
    const pattern = new URLPattern("c", "https://example.com/a(1)/b");
    expect(pattern.hostname).toBe("example.com");
    expect(pattern.pathname).toBe("/a\\(1\\)/c");
    expect(new URLPattern({ pathname: "c", baseURL: base }).pathname).toBe("/a/c");
  });

  test("exec gives the inputs, and input and groups of each component", () => {
    const result = new URLPattern({ hostname: ":host.test" }).exec("/p?q", "http://a.test");
    expect(result?.inputs).toEqual(["/p?q", "http://a.test"]);
    expect(result?.hostname).toEqual({ input: "a.test", groups: { host: "a" } });
    expect(result?.search).toEqual({ input: "q", groups: { 0: "q" } });
  });

  test("ignoreCase holds for path, query and fragment", () => {
    const pattern = new URLPattern({ pathname: "/A", search: "B" }, { ignoreCase: true });
    expect(pattern.test("https://h/a?b")).toBe(true);
  });

  test("the default port of the scheme is no port", () => {
    const pattern = new URLPattern({ protocol: "https", port: "443" });
    expect(pattern.port).toBe("");
    expect(pattern.test("https://h:443/")).toBe(true);
    expect(new URLPattern({ port: "443" }).test("https://h/")).toBe(false);
  });

  test("hasRegExpGroups tells expressions from wildcards", () => {
    expect(new URLPattern({ pathname: "/:a/*" }).hasRegExpGroups).toBe(false);
    expect(new URLPattern({ search: "(a|b)" }).hasRegExpGroups).toBe(true);
  });

  test.each([
    [{ pathname: "/(" }],
    [{ pathname: "/:a/:a" }],
    [{ pathname: "/(?x)" }],
    [{ pathname: "{/a" }],
    [{ pathname: "/(\u00fc)" }],
    [{ pathname: "/([)" }],
    [{ port: "x" }],
    [{ port: "65536" }],
    [{ hostname: "a b" }],
    [{ hostname: "[x]" }],
    [{ baseURL: "nothing" }],
    ["/relative"],
  ])("%j is refused with a TypeError", (input) => {
    expect(() => new URLPattern(input)).toThrow(TypeError);
  });

  test("an init takes no base URL beside it, neither for patterns nor for addresses", () => {
    expect(() => new URLPattern({}, base)).toThrow(TypeError);
    expect(() => new URLPattern({}).test({}, base)).toThrow(TypeError);
  });

  test("what is no address matches nothing", () => {
    const any = new URLPattern();
    expect(any.test("nothing")).toBe(false);
    expect(any.exec({ hostname: "a b" })).toBe(null);
    expect(any.test("/x", "nothing")).toBe(false);
  });
});
