// URL and URLSearchParams. The parser is in url-record.ts; here are its serialiser and the setters.

import { exposeInterface } from "./interface.ts";
import { FRAGMENT_SET, percentEncode, USERINFO_SET } from "./percent.ts";
import { parseHost } from "./url-host.ts";
import {
  appendPath,
  defaultPort,
  encodeQuery,
  hostEnd,
  isSpecial,
  parseUrl,
  stripTabs,
  type UrlRecord,
} from "./url-record.ts";
import { createLinkedParams, replaceParams, URLSearchParams } from "./url-search-params.ts";

export { URLSearchParams };

function convert(value: unknown): string {
  return `${value as string}`.toWellFormed();
}

export function serializeUrl(record: UrlRecord, fragment = true): string {
  const { scheme, host, path } = record;
  let text = `${scheme}:`;
  if (host !== null) {
    text += "//";
    if (record.username !== "" || record.password !== "") {
      text += record.username;
      if (record.password !== "") text += `:${record.password}`;
      text += "@";
    }
    text += host;
    if (record.port !== null) text += `:${record.port}`;
  } else if (!record.opaque && path.startsWith("//")) text += "/.";
  text += path;
  if (record.query !== null) text += `?${record.query}`;
  return fragment && record.fragment !== null ? `${text}#${record.fragment}` : text;
}

function resolve(url: unknown, base: unknown): UrlRecord | null {
  const text = convert(url);
  if (base === undefined) return parseUrl(text, null);
  const baseRecord = parseUrl(convert(base), null);
  return baseRecord === null ? null : parseUrl(text, baseRecord);
}

export class URL {
  #record: UrlRecord;
  /** The serialised record; null after a change. */
  #href: string | null = null;
  #params: URLSearchParams | null = null;

  constructor(url: unknown, base?: unknown) {
    if (arguments.length === 0) throw new TypeError("URL requires an address");
    const record = resolve(url, base);
    if (record === null) throw new TypeError(`Invalid URL: ${shorten(convert(url))}`);
    this.#record = record;
  }

  static parse(url: unknown, base?: unknown): URL | null {
    if (arguments.length === 0) throw new TypeError("URL.parse requires an address");
    const record = resolve(url, base);
    if (record === null) return null;
    const result = new URL("about:blank");
    result.#record = record;
    return result;
  }

  static canParse(url: unknown, base?: unknown): boolean {
    if (arguments.length === 0) throw new TypeError("URL.canParse requires an address");
    return resolve(url, base) !== null;
  }

  get href(): string {
    this.#href ??= serializeUrl(this.#record);
    return this.#href;
  }

  set href(value: unknown) {
    const text = convert(value);
    const record = parseUrl(text, null);
    if (record === null) throw new TypeError(`Invalid URL: ${shorten(text)}`);
    this.#record = record;
    this.#href = null;
    if (this.#params !== null) replaceParams(this.#params, record.query ?? "");
  }

  get origin(): string {
    const { scheme, host, port, path, opaque } = this.#record;
    if (scheme === "blob" && opaque) {
      const inner = parseUrl(path, null);
      const web = inner?.scheme === "http" || inner?.scheme === "https";
      return web ? originOf(inner) : "null";
    }
    if (!isSpecial(scheme) || scheme === "file") return "null";
    return originOf({ scheme, host, port });
  }

  get protocol(): string {
    return `${this.#record.scheme}:`;
  }

  set protocol(value: unknown) {
    const given = /^([a-zA-Z][a-zA-Z0-9+\-.]*)(?::|$)/.exec(stripTabs(convert(value)));
    const scheme = given?.[1]?.toLowerCase();
    const record = this.#record;
    if (scheme === undefined || isSpecial(scheme) !== isSpecial(record.scheme)) return;
    const hasExtras = record.username !== "" || record.password !== "" || record.port !== null;
    if (scheme === "file" && hasExtras) return;
    if (record.scheme === "file" && record.host === "") return;
    record.scheme = scheme;
    if (record.port === defaultPort(scheme)) record.port = null;
    this.#href = null;
  }

  get username(): string {
    return this.#record.username;
  }

  set username(value: unknown) {
    const text = convert(value);
    if (cannotHaveCredentials(this.#record)) return;
    this.#record.username = percentEncode(text, USERINFO_SET);
    this.#href = null;
  }

  get password(): string {
    return this.#record.password;
  }

  set password(value: unknown) {
    const text = convert(value);
    if (cannotHaveCredentials(this.#record)) return;
    this.#record.password = percentEncode(text, USERINFO_SET);
    this.#href = null;
  }

  get host(): string {
    const { host, port } = this.#record;
    return host === null ? "" : port === null ? host : `${host}:${port}`;
  }

  set host(value: unknown) {
    this.#setHost(convert(value), true);
  }

  get hostname(): string {
    return this.#record.host ?? "";
  }

  set hostname(value: unknown) {
    this.#setHost(convert(value), false);
  }

  get port(): string {
    const { port } = this.#record;
    return port === null ? "" : `${port}`;
  }

  set port(value: unknown) {
    const text = convert(value);
    if (cannotHaveCredentials(this.#record)) return;
    if (text === "") this.#record.port = null;
    else setPort(this.#record, stripTabs(text));
    this.#href = null;
  }

  get pathname(): string {
    return this.#record.path;
  }

  set pathname(value: unknown) {
    const text = stripTabs(convert(value));
    const record = this.#record;
    if (record.opaque) return;
    const special = isSpecial(record.scheme);
    record.path = "";
    this.#href = null;
    const slash = text.startsWith("/") || (special && text.startsWith("\\"));
    if (special || text !== "" || record.host === null)
      appendPath(record, slash ? text.slice(1) : text);
  }

  get search(): string {
    const { query } = this.#record;
    return query === null || query === "" ? "" : `?${query}`;
  }

  set search(value: unknown) {
    const text = convert(value);
    const record = this.#record;
    const query = stripTabs(text.startsWith("?") ? text.slice(1) : text);
    record.query = text === "" ? null : encodeQuery(record, query);
    this.#href = null;
    if (this.#params !== null) replaceParams(this.#params, record.query ?? "");
  }

  get searchParams(): URLSearchParams {
    this.#params ??= createLinkedParams(this.#record.query ?? "", (query) => {
      this.#record.query = query === "" ? null : query;
      this.#href = null;
    });
    return this.#params;
  }

  get hash(): string {
    const { fragment } = this.#record;
    return fragment === null || fragment === "" ? "" : `#${fragment}`;
  }

  set hash(value: unknown) {
    const text = convert(value);
    const fragment = stripTabs(text.startsWith("#") ? text.slice(1) : text);
    this.#record.fragment = text === "" ? null : percentEncode(fragment, FRAGMENT_SET);
    this.#href = null;
  }

  toJSON(): string {
    return this.href;
  }

  toString(): string {
    return this.href;
  }

  #setHost(value: string, withPort: boolean): void {
    const record = this.#record;
    if (record.opaque) return;
    const special = isSpecial(record.scheme);
    const text = stripTabs(value);
    const end = text.search(special ? /[/\\?#]/ : /[/?#]/);
    const authority = end < 0 ? text : text.slice(0, end);
    const file = record.scheme === "file";
    const colon = file ? authority.length : hostEnd(authority);
    if (colon < authority.length && (colon === 0 || !withPort)) return;
    const name = authority.slice(0, colon);
    if (name === "" && !file) {
      const credentials = record.username !== "" || record.password !== "";
      if (special || credentials || record.port !== null) return;
    }
    const host = name === "" ? "" : parseHost(name, special);
    if (host === null) return;
    record.host = file && host === "localhost" ? "" : host;
    if (colon < authority.length) setPort(record, authority.slice(colon + 1));
    this.#href = null;
  }
}
exposeInterface(URL, "URL");

function originOf(record: Pick<UrlRecord, "scheme" | "host" | "port">): string {
  const origin = `${record.scheme}://${record.host ?? ""}`;
  return record.port === null ? origin : `${origin}:${record.port}`;
}

function cannotHaveCredentials(record: UrlRecord): boolean {
  return record.host === null || record.host === "" || record.scheme === "file";
}

/** Takes the digits at the start of `text`, ignores the rest. */
function setPort(record: UrlRecord, text: string): void {
  const digits = /^[0-9]+/.exec(text)?.[0];
  if (digits === undefined || Number(digits) > 65_535) return;
  const port = Number(digits);
  record.port = port === defaultPort(record.scheme) ? null : port;
}

/** For messages: an address may be as long as an attacker likes. */
function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
