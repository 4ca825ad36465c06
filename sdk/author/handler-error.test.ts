import { expect, test, vi } from "vitest";
import { defineHandler, type ExecutionContext } from "../handler.ts";
import { HandlerError } from "./handler-error.ts";

test.each([
  [HandlerError.badRequest("m"), 400, "Bad request: m"],
  [HandlerError.validationError("m"), 400, "Validation error: m"],
  [HandlerError.unauthorized("m"), 401, "Unauthorized: m"],
  [HandlerError.forbidden("m"), 403, "Forbidden: m"],
  [HandlerError.notFound(), 404, "Not found"],
  [HandlerError.notFound("m"), 404, "Not found: m"],
  [HandlerError.methodNotAllowed("m", "GET"), 405, "Method not allowed: m"],
  [HandlerError.conflict("m"), 409, "Conflict: m"],
  [HandlerError.payloadTooLarge("m"), 413, "Payload too large: m"],
  [HandlerError.unprocessableEntity("m"), 422, "Unprocessable entity: m"],
  [HandlerError.tooManyRequests("m", 1.2), 429, "Too many requests: m"],
  [new HandlerError("ipcError", "m"), 500, "IPC error: m"],
  [new HandlerError("serializationError", "m"), 500, "Serialization error: m"],
  [HandlerError.databaseError("m"), 500, "Database error: m"],
  [HandlerError.redisError("m"), 500, "Redis error: m"],
  [HandlerError.storageError("m"), 500, "Storage error: m"],
  [HandlerError.internalError("m"), 500, "Internal error: m"],
  [new HandlerError("notImplemented", "m"), 501, "Not implemented: m"],
  [new HandlerError("badGateway", "m"), 502, "Bad gateway: m"],
  [HandlerError.serviceUnavailable("m"), 503, "Service unavailable: m"],
  [new HandlerError("gatewayTimeout", "m"), 504, "Gateway timeout: m"],
])("%s", async (error, status, text) => {
  const exposed = error.toResponse({ exposeErrors: true });
  expect([exposed.status, await exposed.json()]).toEqual([status, { error: text }]);
  const told = (await error.toResponse().json()) as { error: string };
  expect(told.error).toBe(status < 500 ? text : text.slice(0, -": m".length));
});

test("errors tell what helps a client beside their text", () => {
  const headers = HandlerError.tooManyRequests("slow down", 1.2).toResponse().headers;
  expect(headers.get("retry-after")).toBe("2");
  expect(HandlerError.methodNotAllowed("", "GET").toResponse().headers.get("allow")).toBe("GET");
});

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const ctx = { requestId: "r", log } as unknown as ExecutionContext;
const answer = (run: () => unknown, options = {}): unknown =>
  defineHandler(run, options).fetch({}, {}, ctx);

test.each([
  [
    "at once",
    () => {
      throw HandlerError.conflict("taken");
    },
  ],
  ["later", () => Promise.reject(HandlerError.conflict("taken"))],
])("a handler's error that is thrown %s is its reply", async (_when, run) => {
  const response = (await answer(run)) as Response;
  expect([response.status, await response.json()]).toEqual([409, { error: "Conflict: taken" }]);
});

test("a service's failure is 503 when it is away, else 500, and logged", async () => {
  const failed = (code: string) => () => {
    throw Object.assign(new Error("the disk is full"), { code });
  };
  const away = (await answer(failed("SERVICE_TIMEOUT"))) as Response;
  expect([away.status, await away.json()]).toEqual([503, { error: "Service unavailable" }]);
  expect(log.error).toHaveBeenLastCalledWith("Service unavailable: the disk is full");
  const broken = (await answer(failed("SERVICE_FAILED"), { exposeErrors: true })) as Response;
  expect([broken.status, await broken.json()]).toEqual([
    500,
    { error: "Internal error: the disk is full" },
  ]);
});

test("all else is the platform's", async () => {
  const other = new TypeError("mine");
  expect(() =>
    answer(() => {
      throw other;
    }),
  ).toThrow(other);
  await expect(answer(() => Promise.reject(other))).rejects.toBe(other);
  expect(answer(() => 7)).toBe(7);
});
