// Why an attempt failed, in words for the log.

const BY_CODE: Readonly<Record<string, string>> = {
  EAI_AGAIN: "the name server did not answer",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the host cannot be reached",
  ENOENT: "there is no such socket",
  ENOTFOUND: "the host was not found",
  EPIPE: "the connection was closed",
  ETIMEDOUT: "connecting took too long",
  UND_ERR_CONNECT_TIMEOUT: "connecting took too long",
  UND_ERR_HEADERS_OVERFLOW: "the reply's headers are too large",
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: "the request's body was not as long as it said",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the reply was not as long as it said",
  UND_ERR_SOCKET: "the connection was closed",
  UPSTREAM_TIMEOUT: "connecting took too long",
};

const TIMEOUTS: readonly string[] = ["ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT", "UPSTREAM_TIMEOUT"];
/** A chain of causes is as deep as undici and Node make it; more is a cycle. */
const CAUSES_MAX = 8;

/** The server has done nothing with the request: doing it again is doing it once (RFC 9113, section 8.7). */
export class UnprocessedError extends Error {
  /** The server leaves; it does not turn away what it could take. */
  readonly isFarewell: boolean;

  constructor(isFarewell: boolean) {
    super(isFarewell ? "the server ended the session" : "the server refused the stream");
    this.isFarewell = isFarewell;
  }
}

export function reasonOf(error: unknown): { text: string; timedOut: boolean } {
  let at = error;
  for (let depth = 0; depth < CAUSES_MAX && at instanceof Error; depth++) {
    const code = "code" in at && typeof at.code === "string" ? at.code : "";
    const known = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
    if (known !== undefined) return { text: known, timedOut: TIMEOUTS.includes(code) };
    if (at.name === "HTTPParserError" || code.startsWith("HPE_")) {
      return { text: `the reply is not HTTP (${code})`, timedOut: false };
    }
    // All addresses of a host failed; the first is the one the resolver preferred.
    at = at instanceof AggregateError && at.cause === undefined ? at.errors[0] : at.cause;
  }
  const text = error instanceof Error ? error.message : String(error);
  return { text, timedOut: false };
}
