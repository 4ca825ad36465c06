// Says to a guest why its subrequest failed, in words that tell nothing about the host: no addresses that the
// author did not name, no paths, no text of ours or of Node's that might hold either.

import { EdgeError, type ErrorData } from "../../../sdk/errors.ts";
import { HEADER_BYTES_MAX } from "../../../sdk/limits.ts";

const BY_CODE: Readonly<Record<string, string>> = {
  EAI_AGAIN: "the name server did not answer",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the peer reset the connection",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the host cannot be reached",
  ENOTFOUND: "the host was not found",
  EPIPE: "the peer closed the connection",
  ETIMEDOUT: "connecting took too long",
  UND_ERR_BODY_TIMEOUT: "the response stopped arriving",
  UND_ERR_CONNECT_TIMEOUT: "connecting took too long",
  UND_ERR_HEADERS_OVERFLOW: `the response headers are larger than ${HEADER_BYTES_MAX} bytes`,
  UND_ERR_HEADERS_TIMEOUT: "no response came in time",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the response was shorter than it said",
  UND_ERR_SOCKET: "the peer closed the connection",
};

// undici's fetch gives these no code.
const BY_MESSAGE: Readonly<Record<string, string>> = {
  // The one failure for which it has no words: a redirect that asks for a body whose chunks are gone.
  "": "it was redirected, and a streamed body cannot be sent again",
  "bad port": "the fetch standard forbids this port",
  'cross origin not allowed for request mode "cors"':
    "it was redirected to an address with a user name or password",
  "proxy authentication required": "the answer is 407, which only a proxy may give",
  "redirect count exceeded": "there were more than 20 redirects",
  "unexpected redirect": "the answer is a redirect, which the request does not allow",
  "URL scheme must be a HTTP(S) scheme":
    "it was redirected to an address that is not http or https",
  'URL cannot contain credentials for request mode "cors"':
    "it was redirected to an address with a user name or password",
};

const TLS =
  /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;
const CODING = /^(Z_|ERR_BROTLI|ERR__ERROR_FORMAT|ERR_ZLIB|ZSTD_|ERR_PADDING)/;

/** A chain of causes is as deep as undici and Node make it; more is a cycle. */
const CAUSES_MAX = 8;

export function describeFailure(error: unknown, host: string): ErrorData {
  let at = error;
  for (let depth = 0; depth < CAUSES_MAX && at instanceof Error; depth++) {
    if (at instanceof EdgeError) return { code: at.code, message: at.message };
    const reason = reasonOf(at);
    if (reason !== null) {
      return { code: "FETCH_FAILED", message: `The subrequest to ${host} failed: ${reason}.` };
    }
    // All addresses of a host failed; the first is the one the resolver preferred.
    at = at instanceof AggregateError && at.cause === undefined ? at.errors[0] : at.cause;
  }
  return { code: "FETCH_FAILED", message: `The subrequest to ${host} failed.` };
}

function reasonOf(error: Error): string | null {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (Object.hasOwn(BY_CODE, code)) return BY_CODE[code] ?? null;
  if (TLS.test(code)) return `no secure connection could be made (${code})`;
  if (error.name === "HTTPParserError") return "the answer is not valid HTTP";
  if (CODING.test(code)) return "the response body is not coded as it says";
  if (Object.hasOwn(BY_MESSAGE, error.message)) return BY_MESSAGE[error.message] ?? null;
  return null;
}
