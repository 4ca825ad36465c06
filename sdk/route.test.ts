import { domainToASCII } from "node:url";
import { describe, expect, test } from "vitest";
import { normaliseHost, normaliseMethods, normaliseRoute, routeText, splitRoute } from "./route.ts";

const host = (text: string): string => normaliseHost(text, domainToASCII);

describe("normaliseRoute", () => {
  test("fills in any host and any method", () => {
    expect(normaliseRoute({ path: "/a/:id" }, domainToASCII)).toEqual({
      host: "*",
      path: "/a/:id",
      methods: [],
    });
  });
  test("what is below /.islet is the node's own, however it is spelled", () => {
    for (const path of ["/.islet", "/.islet/storage", "/%2eislet/*"]) {
      expect(() => normaliseRoute({ path }, domainToASCII)).toThrow("are the node's own");
    }
    for (const path of ["/.islets", "/a/.islet", "/*", "/:any/storage"]) {
      expect(normaliseRoute({ path }, domainToASCII).path).toBe(path);
    }
  });
  test.each([
    ["Example.COM", "example.com"],
    ["example.com:8080", "example.com"],
    ["example.com.", "example.com"],
    ["*.Bücher.example", "*.xn--bcher-kva.example"],
    ["", "*"],
    ["[::1]:9080", "[::1]"],
    ["localhost", "localhost"],
    ["my_host.internal", "my_host.internal"],
  ])("host %j is %s", (text, expected) => {
    expect(host(text)).toBe(expected);
  });
  test.each([
    ["https://example.com", "without scheme"],
    ["a.*.com", "its whole first label"],
    ["*a.com", "its whole first label"],
    ["a..com", "no host name"],
    ["-a.com", "no host name"],
    ["a b", "without scheme"],
    [`${"a".repeat(64)}.com`, "no host name"],
  ])("host %j is refused: %s", (text, problem) => {
    expect(() => host(text)).toThrow(problem);
  });
  test("methods are upper-case, sorted and single; ANY and * are none", () => {
    expect(normaliseMethods(["post", "GET", "get"])).toEqual(["GET", "POST"]);
    expect(normaliseMethods(["GET", "any"])).toEqual([]);
    expect(normaliseMethods(["*"])).toEqual([]);
    expect(() => normaliseMethods(["GE T"])).toThrow("no HTTP method");
  });
  test("text splits into host and path and comes back", () => {
    expect(splitRoute("a.com/x/*")).toEqual({ host: "a.com", path: "/x/*" });
    expect(splitRoute("/x")).toEqual({ path: "/x" });
    expect(() => splitRoute("https://a.com/x")).toThrow('"/path" or "host/path"');
    expect(() => splitRoute("a")).toThrow('"/path" or "host/path"');
    expect(routeText({ host: "*", path: "/a", methods: ["GET"] })).toBe("GET /a");
  });
});
