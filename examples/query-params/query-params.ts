// Typed getters with defaults, and 400 where a value is wrong: /search?kind=cat&page=2&limit=10
import { defineHandler, EdgeRequest, HandlerError, Res } from "islet/sdk";

const LIMIT_MAX = 100;
const ANIMALS = Array.from({ length: 25 }, (_, index) => ({
  id: index + 1,
  kind: index % 2 === 0 ? "cat" : "dog",
}));

export default defineHandler((ctx, raw: Request) => {
  const request = new EdgeRequest(raw, ctx);
  const kind = request.requireQueryParam("kind");
  const page = request.queryParam("page") === null ? 1 : request.requireQueryParam("page", "int");
  const limit = request.queryParamAs("limit", "int") ?? 10;
  if (limit < 1 || limit > LIMIT_MAX) {
    throw HandlerError.validationError(`limit is 1 to ${LIMIT_MAX}`);
  }
  const animals = ANIMALS.filter((animal) => animal.kind === kind);
  const begin = (page - 1) * limit;
  return Res.ok({
    animals: animals.slice(begin, begin + limit),
    total: animals.length,
    asked: { by: request.clientIp, as: request.requestId },
  }).withCache(30, { scope: "private" });
});
