import { describe, expect, test } from "vitest";
import { z } from "zod";
import { EdgeRequest } from "./edge-request.ts";
import { HandlerError } from "./handler-error.ts";

function asked(path: string, init?: RequestInit, params?: Record<string, string>): EdgeRequest {
  return new EdgeRequest(new Request(`http://a.test${path}`, init), { params, requestId: "r1" });
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HandlerError) return `${error.status} ${error.message}`;
    throw error;
  }
  return "none";
}

async function lateRefusal(run: Promise<unknown>): Promise<string> {
  const settled = await run.then(
    () => "none",
    (error: unknown) => error,
  );
  return refusal(() => {
    if (settled !== "none") throw settled;
  });
}

test("a request tells what it is", () => {
  const headers = { "Content-Type": "application/json; charset=utf-8", "cf-connecting-ip": "::1" };
  const request = asked("/a/b?x=1&y=2&x=3", { method: "PUT", headers, body: "1" });
  expect(request).toMatchObject({ method: "PUT", path: "/a/b", requestId: "r1", clientIp: "::1" });
  expect(request.query).toEqual({ x: "3", y: "2" });
  expect([request.isJson, request.isMultipart, request.isMethod("put")]).toEqual([
    true,
    false,
    true,
  ]);
  expect(request.header("CONTENT-type")).toBe("application/json; charset=utf-8");
  expect(asked("/").clientIp).toBeNull();
});

test("parameters are read as what they should be", () => {
  const request = asked("/?i=-42&n=1.5&b=true&z=0&s=&big=9007199254740993", undefined, { id: "7" });
  expect(request.queryParamAs("i", "int")).toBe(-42);
  expect(request.queryParamAs("n", "int")).toBeNull();
  expect(request.queryParamAs("n", "number")).toBe(1.5);
  expect(request.queryParamAs("s", "number")).toBeNull();
  expect(request.queryParamAs("big", "int")).toBeNull();
  expect(request.queryParamAs("b", "boolean")).toBe(true);
  expect(request.queryParamAs("z", "boolean")).toBe(false);
  expect(request.queryParamAs("i", "boolean")).toBeNull();
  expect(request.queryParamAs("none", "int")).toBeNull();
  expect(request.requireQueryParam("s")).toBe("");
  expect(request.requirePathParam("id", "int")).toBe(7);
  expect(request.pathParam("constructor")).toBeNull();
});

test.each<[string, (request: EdgeRequest) => unknown]>([
  ["400 Bad request: Missing required query parameter: k", (r) => r.requireQueryParam("k")],
  ["400 Bad request: Invalid value for query parameter: x", (r) => r.requireQueryParam("x", "int")],
  ["400 Bad request: Missing required path parameter: k", (r) => r.requirePathParam("k")],
  ["400 Bad request: Invalid value for path parameter: p", (r) => r.requirePathParam("p", "int")],
  ["400 Bad request: Missing required header: x-k", (r) => r.requireHeader("x-k")],
])("%s", (expected, run) => {
  const request = asked("/?x=one", undefined, { p: "two" });
  expect(refusal(() => run(request))).toBe(expected);
});

describe("a JSON body", () => {
  const send = (body: string | undefined): EdgeRequest =>
    asked("/", { method: "POST", ...(body === undefined ? {} : { body }) });

  test("is parsed, and null when there is none", async () => {
    expect(await send('{"a":1}').json()).toEqual({ a: 1 });
    expect(await send(undefined).json()).toBeNull();
  });

  test("that is none is refused", async () => {
    expect(await lateRefusal(send("{").json())).toMatch(/^400 Bad request: Invalid JSON: ./);
  });

  test("is checked by a schema, which tells where it is wrong", async () => {
    const schema = z.object({ pet: z.object({ name: z.string() }) });
    expect(await send('{"pet":{"name":"Rex","age":3}}').json(schema)).toEqual({
      pet: { name: "Rex" },
    });
    expect(await lateRefusal(send('{"pet":{"name":1}}').json(schema))).toMatch(
      /^400 Validation error: pet\.name: ./,
    );
  });
});

describe("a multipart body", () => {
  const send = (...parts: [string, string | File][]): EdgeRequest => {
    const form = new FormData();
    for (const [name, value] of parts) form.append(name, value);
    return asked("/", { method: "POST", body: form });
  };

  test("has fields and files, whose bytes are as they were sent", async () => {
    const file = new File([new Uint8Array([0, 255])], "a.bin", { type: "image/png" });
    const data = await send(["a", "1"], ["a", "2"], ["f", file]).multipart();
    expect([data.field("a"), data.field("f"), data.field("toString")]).toEqual(["1", null, null]);
    const got = data.requireFile("f");
    expect([got.name, got.type, ...new Uint8Array(await got.arrayBuffer())]).toEqual([
      "a.bin",
      "image/png",
      0,
      255,
    ]);
    expect(refusal(() => data.requireField("x"))).toBe(
      "400 Bad request: Missing required field: x",
    );
    expect(refusal(() => data.requireFile("x"))).toBe("400 Bad request: Missing required file: x");
  });

  test("is taken up to its limits", async () => {
    const file = (bytes: number): File => new File(["x".repeat(bytes)], "a");
    const limits = { maxFiles: 2, maxFileBytes: 3 };
    const send2 = send(["a", file(3)], ["b", file(2)]);
    expect(Object.keys((await send2.multipart(limits)).files)).toEqual(["a", "b"]);
    expect(await lateRefusal(send(["a", file(4)]).multipart(limits))).toMatch(/^413 .* 3 bytes$/);
    const three = send(["a", file(1)], ["a", file(1)], ["a", file(1)]);
    expect(await lateRefusal(three.multipart(limits))).toMatch(/^413 .* more than 2 files$/);
  });

  test.each([
    [undefined, "x", "Missing Content-Type header"],
    ["text/plain", "x", "Content-Type is not multipart/form-data"],
    ["multipart/form-data", "x", "Missing multipart boundary"],
    ["multipart/form-data; boundary=a", undefined, "Empty body for multipart request"],
    ["multipart/form-data; boundary=a", "x", "Invalid multipart body: "],
  ])("of type %s with body %s is refused", async (type, body, message) => {
    const request = asked("/", {
      method: "POST",
      ...(body === undefined ? {} : { body: new TextEncoder().encode(body) }),
      headers: type === undefined ? {} : { "content-type": type },
    });
    expect(await lateRefusal(request.multipart())).toContain(`400 Bad request: ${message}`);
  });
});
