// Replies by what they mean: `Res.created(user)`, `Res.notFound()`. Each is a Response, with methods that change it.

const NO_STORE = "no-store, no-cache, must-revalidate";
const METHODS = "GET, POST, PUT, DELETE, OPTIONS";
const HEADERS = "Content-Type, Authorization";
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

type Body = ConstructorParameters<typeof Response>[0];

export interface CacheOptions {
  readonly scope?: "public" | "private";
  readonly staleWhileRevalidateSeconds?: number;
}

export class EdgeResponse extends Response {
  withHeader(name: string, value: string): this {
    this.headers.set(name, value);
    return this;
  }

  appendHeader(name: string, value: string): this {
    this.headers.append(name, value);
    return this;
  }

  withBody(body: Body): EdgeResponse {
    return new EdgeResponse(body, { status: this.status, headers: this.headers });
  }

  /** For one origin, or `*`. */
  withCors(origin: string): this {
    this.withHeader("access-control-allow-origin", origin)
      .withHeader("access-control-allow-methods", METHODS)
      .withHeader("access-control-allow-headers", HEADERS);
    return origin === "*" ? this : this.appendHeader("vary", "origin");
  }

  /** 0: nobody may keep it. */
  withCache(seconds: number, options: CacheOptions = {}): this {
    const { scope, staleWhileRevalidateSeconds: stale } = options;
    const parts = [
      ...(scope === undefined ? [] : [scope]),
      `max-age=${seconds}`,
      ...(stale === undefined ? [] : [`stale-while-revalidate=${stale}`]),
    ];
    return this.withHeader("cache-control", seconds === 0 ? NO_STORE : parts.join(", "));
  }
}

function typed(status: number, body: Body, type: string): EdgeResponse {
  return new EdgeResponse(body, { status, headers: { "content-type": type } });
}

const json = (status: number, value: unknown): EdgeResponse =>
  typed(status, JSON.stringify(value) ?? "null", "application/json");
const failure = (status: number, error: string): EdgeResponse => json(status, { error });

/** What a handler answers with. */
export const Res = {
  new: (status: number): EdgeResponse => new EdgeResponse(null, { status }),
  ok: (value: unknown): EdgeResponse => json(200, value),
  json: (status: number, value: unknown): EdgeResponse => json(status, value),
  text: (status: number, text: string): EdgeResponse =>
    typed(status, text, "text/plain; charset=utf-8"),
  html: (status: number, text: string): EdgeResponse =>
    typed(status, text, "text/html; charset=utf-8"),
  binary: (status: number, body: Body, type: string = "application/octet-stream"): EdgeResponse =>
    typed(status, body, type),
  created: (value: unknown): EdgeResponse => json(201, value),
  accepted: (value: unknown): EdgeResponse => json(202, value),
  noContent: (): EdgeResponse => new EdgeResponse(null, { status: 204 }),
  redirect(status: number, location: string): EdgeResponse {
    if (!REDIRECTS.has(status)) throw new RangeError(`${status} is no redirect`);
    return new EdgeResponse(null, { status, headers: { location } });
  },
  badRequest: (message: string): EdgeResponse => failure(400, message),
  unauthorized: (message: string): EdgeResponse => failure(401, message),
  forbidden: (message: string): EdgeResponse => failure(403, message),
  notFound: (message: string = "Not found"): EdgeResponse => failure(404, message),
  methodNotAllowed: (allow: string): EdgeResponse =>
    failure(405, "Method not allowed").withHeader("allow", allow),
  conflict: (message: string): EdgeResponse => failure(409, message),
  payloadTooLarge: (message: string = "Payload too large"): EdgeResponse => failure(413, message),
  unprocessable: (message: string): EdgeResponse => failure(422, message),
  tooManyRequests: (message: string, retryAfterSeconds: number): EdgeResponse =>
    failure(429, message).withHeader("retry-after", `${Math.ceil(retryAfterSeconds)}`),
  internalError: (message: string): EdgeResponse => failure(500, message),
  serviceUnavailable: (message: string): EdgeResponse => failure(503, message),
};
