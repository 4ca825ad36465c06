// `request.cf`, as far as a node knows it: code for Workers reads it without asking whether it is there.

export interface Connection {
  readonly httpProtocol: string;
  /** "" without TLS. */
  readonly tlsVersion: string;
}

/** What the listener that cannot tell accepts at least. */
const TLS_AT_LEAST = "TLSv1.2";

/** `protocol`: of the exchange, "" where the listener cannot tell; it speaks HTTP/1.1. */
export function describeConnection(protocol: string, url: string): Connection {
  const space = protocol.indexOf(" ");
  const tlsVersion = url.startsWith("https:") ? TLS_AT_LEAST : "";
  if (space < 0) return { httpProtocol: "HTTP/1.1", tlsVersion };
  return { httpProtocol: protocol.slice(0, space), tlsVersion: protocol.slice(space + 1) };
}

export function parseCf(value: unknown): object | undefined {
  if (value === null) return undefined;
  if (typeof value !== "object") throw new TypeError("cf must be an object.");
  return value;
}
