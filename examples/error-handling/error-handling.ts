// Each kind of error by its name, and errors of one's own: /errors/conflict, /errors/too-young
import { defineHandler, EdgeRequest, HandlerError, type HandlerErrorKind } from "islet/sdk";

class TooYoung extends Error {}

function register(age: number): never {
  if (age < 18) throw new TooYoung(`${age} is too young`);
  throw HandlerError.conflict("the name is taken");
}

const KINDS: readonly HandlerErrorKind[] = [
  "badRequest",
  "unauthorized",
  "forbidden",
  "notFound",
  "conflict",
  "payloadTooLarge",
  "tooManyRequests",
  "databaseError",
  "serviceUnavailable",
];

export default defineHandler((ctx, raw: Request) => {
  const [, , name = ""] = new EdgeRequest(raw, ctx).path.split("/");
  const kind = KINDS.find((one) => one === name);
  if (kind !== undefined) throw new HandlerError(kind, "as you wished");
  try {
    register(name === "too-young" ? 12 : 42);
  } catch (error) {
    if (error instanceof TooYoung) throw HandlerError.unprocessableEntity(error.message);
    throw error;
  }
});
