import { expect, test } from "vitest";
import { Res } from "./edge-response.ts";

const JSON_TYPE = "application/json";

test.each([
  [Res.new(202), 202, "", null],
  [Res.ok({ a: 1 }), 200, '{"a":1}', JSON_TYPE],
  [Res.json(418, [1]), 418, "[1]", JSON_TYPE],
  [Res.json(200, undefined), 200, "null", JSON_TYPE],
  [Res.text(201, "ä"), 201, "ä", "text/plain; charset=utf-8"],
  [Res.html(200, "<p>"), 200, "<p>", "text/html; charset=utf-8"],
  [Res.binary(200, new Uint8Array([65]), "image/png"), 200, "A", "image/png"],
  [Res.created(1), 201, "1", JSON_TYPE],
  [Res.accepted("x"), 202, '"x"', JSON_TYPE],
  [Res.noContent(), 204, "", null],
  [Res.badRequest("m"), 400, '{"error":"m"}', JSON_TYPE],
  [Res.unauthorized("m"), 401, '{"error":"m"}', JSON_TYPE],
  [Res.forbidden("m"), 403, '{"error":"m"}', JSON_TYPE],
  [Res.notFound(), 404, '{"error":"Not found"}', JSON_TYPE],
  [Res.notFound("m"), 404, '{"error":"m"}', JSON_TYPE],
  [Res.methodNotAllowed("GET"), 405, '{"error":"Method not allowed"}', JSON_TYPE],
  [Res.conflict("m"), 409, '{"error":"m"}', JSON_TYPE],
  [Res.payloadTooLarge(), 413, '{"error":"Payload too large"}', JSON_TYPE],
  [Res.unprocessable("m"), 422, '{"error":"m"}', JSON_TYPE],
  [Res.tooManyRequests("m", 1.5), 429, '{"error":"m"}', JSON_TYPE],
  [Res.internalError("m"), 500, '{"error":"m"}', JSON_TYPE],
  [Res.serviceUnavailable("m"), 503, '{"error":"m"}', JSON_TYPE],
])("%# is a Response of its status, body and type", async (response, status, text, type) => {
  expect(response).toBeInstanceOf(Response);
  expect([response.status, await response.text(), response.headers.get("content-type")]).toEqual([
    status,
    text,
    type,
  ]);
});

test("headers are replaced and added, and stay with another body", async () => {
  const response = Res.text(200, "a")
    .withHeader("x-a", "1")
    .withHeader("x-a", "2")
    .appendHeader("x-a", "3")
    .withBody("b");
  expect(response.headers.get("x-a")).toBe("2, 3");
  expect(await response.text()).toBe("b");
});

test("a redirect has a status of one", () => {
  expect(Res.redirect(308, "/new").headers.get("location")).toBe("/new");
  expect(() => Res.redirect(304, "/new")).toThrow(RangeError);
});

test("who may read and keep a reply", () => {
  const one = Res.ok(1).withCors("https://a.test");
  expect(Object.fromEntries(one.headers)).toMatchObject({
    "access-control-allow-origin": "https://a.test",
    "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
    "access-control-allow-headers": "Content-Type, Authorization",
    vary: "origin",
  });
  expect(Res.ok(1).withCors("*").headers.has("vary")).toBe(false);
  const kept = (...args: Parameters<typeof one.withCache>): string | null =>
    Res.ok(1)
      .withCache(...args)
      .headers.get("cache-control");
  expect(kept(60)).toBe("max-age=60");
  expect(kept(0)).toBe("no-store, no-cache, must-revalidate");
  expect(kept(5, { scope: "private", staleWhileRevalidateSeconds: 9 })).toBe(
    "private, max-age=5, stale-while-revalidate=9",
  );
});
