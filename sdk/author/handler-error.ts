// An error that answers: its status, and `{ "error": "<kind>: <message>" }`. Thrown in a handler made by
// defineHandler it becomes the reply.

/** Those whose message is the server's own business say only what they are, unless told otherwise. */
const SERVER_ERROR = 500;

const KINDS = {
  badRequest: [400, "Bad request"],
  validationError: [400, "Validation error"],
  unauthorized: [401, "Unauthorized"],
  forbidden: [403, "Forbidden"],
  notFound: [404, "Not found"],
  methodNotAllowed: [405, "Method not allowed"],
  conflict: [409, "Conflict"],
  payloadTooLarge: [413, "Payload too large"],
  unprocessableEntity: [422, "Unprocessable entity"],
  tooManyRequests: [429, "Too many requests"],
  ipcError: [500, "IPC error"],
  serializationError: [500, "Serialization error"],
  databaseError: [500, "Database error"],
  redisError: [500, "Redis error"],
  storageError: [500, "Storage error"],
  internalError: [500, "Internal error"],
  notImplemented: [501, "Not implemented"],
  badGateway: [502, "Bad gateway"],
  serviceUnavailable: [503, "Service unavailable"],
  gatewayTimeout: [504, "Gateway timeout"],
} as const;

export type HandlerErrorKind = keyof typeof KINDS;

export interface ErrorReplyOptions {
  /** The messages of errors from 500 on leave too. */
  readonly exposeErrors?: boolean;
}

export class HandlerError extends Error {
  readonly kind: HandlerErrorKind;
  readonly status: number;
  /** Of the reply. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    kind: HandlerErrorKind,
    message: string = "",
    headers: Readonly<Record<string, string>> = {},
  ) {
    const [status, label] = KINDS[kind];
    super(message === "" ? label : `${label}: ${message}`);
    this.name = "HandlerError";
    this.kind = kind;
    this.status = status;
    this.headers = headers;
  }

  toResponse({ exposeErrors = false }: ErrorReplyOptions = {}): Response {
    const isOurs = this.status >= SERVER_ERROR && !exposeErrors;
    const error = isOurs ? KINDS[this.kind][1] : this.message;
    return Response.json({ error }, { status: this.status, headers: this.headers });
  }

  static badRequest(message?: string): HandlerError {
    return new HandlerError("badRequest", message);
  }

  static validationError(message?: string): HandlerError {
    return new HandlerError("validationError", message);
  }

  static unauthorized(message?: string): HandlerError {
    return new HandlerError("unauthorized", message);
  }

  static forbidden(message?: string): HandlerError {
    return new HandlerError("forbidden", message);
  }

  static notFound(message?: string): HandlerError {
    return new HandlerError("notFound", message);
  }

  /** `allow`: what the address does take, "GET, PUT". */
  static methodNotAllowed(message?: string, allow?: string): HandlerError {
    return new HandlerError("methodNotAllowed", message, allow === undefined ? {} : { allow });
  }

  static conflict(message?: string): HandlerError {
    return new HandlerError("conflict", message);
  }

  static payloadTooLarge(message?: string): HandlerError {
    return new HandlerError("payloadTooLarge", message);
  }

  static unprocessableEntity(message?: string): HandlerError {
    return new HandlerError("unprocessableEntity", message);
  }

  static tooManyRequests(message?: string, retryAfterSeconds?: number): HandlerError {
    const headers =
      retryAfterSeconds === undefined ? {} : { "retry-after": `${Math.ceil(retryAfterSeconds)}` };
    return new HandlerError("tooManyRequests", message, headers);
  }

  static databaseError(message?: string): HandlerError {
    return new HandlerError("databaseError", message);
  }

  static redisError(message?: string): HandlerError {
    return new HandlerError("redisError", message);
  }

  static storageError(message?: string): HandlerError {
    return new HandlerError("storageError", message);
  }

  static internalError(message?: string): HandlerError {
    return new HandlerError("internalError", message);
  }

  static serviceUnavailable(message?: string): HandlerError {
    return new HandlerError("serviceUnavailable", message);
  }
}

const AWAY: ReadonlySet<string> = new Set([
  "SERVICE_OVERLOADED",
  "SERVICE_REFUSED",
  "SERVICE_STOPPED",
  "SERVICE_TIMEOUT",
  "SERVICE_UNAVAILABLE",
]);

/** A HandlerError as it is, and what a service's failure means to the client; null: neither. */
export function toHandlerError(error: unknown): HandlerError | null {
  if (error instanceof HandlerError) return error;
  if (!(error instanceof Error)) return null;
  const code: unknown = Reflect.get(error, "code");
  if (typeof code !== "string" || !code.startsWith("SERVICE_")) return null;
  return AWAY.has(code)
    ? HandlerError.serviceUnavailable(error.message)
    : HandlerError.internalError(error.message);
}
