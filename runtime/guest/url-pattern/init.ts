// A URLPatternInit, inherited from its base address: as patterns, or as the components of an address to match.

import { parseUrl, type UrlRecord } from "../url-record.ts";
import * as canonical from "./canonical.ts";
import { escapePattern } from "./component.ts";

export const COMPONENTS = [
  "protocol",
  "username",
  "password",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const;

export type ComponentName = (typeof COMPONENTS)[number];
export type Components = { [Name in ComponentName]?: string };
export type Init = Components & { baseURL?: string };

/** What an author gave, member by member in the order of Web IDL. */
export function toInit(given: object): Init {
  const source = given as Readonly<Record<string, unknown>>;
  const init: Init = {};
  const read = (name: keyof Init): void => {
    const value = source[name];
    if (value !== undefined) init[name] = `${value as string}`.toWellFormed();
  };
  read("baseURL");
  read("hash");
  read("hostname");
  read("password");
  read("pathname");
  read("port");
  read("protocol");
  read("search");
  read("username");
  return init;
}

/** `escape` for patterns; identity for addresses. */
type Inherit = (text: string) => string;

/** Components that a base gives only while all named here are missing. */
function inherit(init: Init, base: UrlRecord, convert: Inherit, result: Components): void {
  const { protocol, hostname, port, pathname, search, hash } = init;
  const [scheme, host, path, query] = [base.scheme, base.host, base.path, base.query];
  if (protocol !== undefined) return;
  result.protocol = convert(scheme);
  if (hostname !== undefined) return;
  result.hostname = convert(host ?? "");
  if (port !== undefined) return;
  result.port = base.port === null ? "" : `${base.port}`;
  if (pathname !== undefined) return;
  result.pathname = convert(path);
  if (search !== undefined) return;
  result.search = convert(query ?? "");
  if (hash === undefined) result.hash = convert(base.fragment ?? "");
}

function inheritCredentials(init: Init, base: UrlRecord, result: Components): void {
  const { protocol, hostname, port, username, password } = init;
  const missing = protocol ?? hostname ?? port ?? username;
  if (missing !== undefined) return;
  result.username = base.username;
  if (password === undefined) result.password = base.password;
}

function parseBase(text: string): UrlRecord {
  const record = parseUrl(text, null);
  if (record === null) throw new TypeError(`Invalid base URL: ${text.slice(0, 200)}`);
  return record;
}

function isAbsolute(pathname: string, isPattern: boolean): boolean {
  if (pathname.startsWith("/")) return true;
  return isPattern && (pathname.startsWith("\\/") || pathname.startsWith("{/"));
}

function resolvePath(pathname: string, base: UrlRecord | null, convert: Inherit | null): string {
  if (base === null || base.opaque || isAbsolute(pathname, convert !== null)) return pathname;
  const path = convert === null ? base.path : convert(base.path);
  return path.slice(0, path.lastIndexOf("/") + 1) + pathname;
}

/** What patterns are compiled of; missing ones are wildcards. */
export function patternInit(init: Init): Components {
  const result: Components = {};
  const base = init.baseURL === undefined ? null : parseBase(init.baseURL);
  if (base !== null) inherit(init, base, escapePattern, result);
  const { protocol, username, password, hostname, port, pathname, search, hash } = init;
  if (protocol !== undefined) result.protocol = withoutColon(protocol);
  if (username !== undefined) result.username = username;
  if (password !== undefined) result.password = password;
  if (hostname !== undefined) result.hostname = hostname;
  if (port !== undefined) result.port = port;
  if (pathname !== undefined) result.pathname = resolvePath(pathname, base, escapePattern);
  if (search !== undefined) result.search = withoutFirst(search, "?");
  if (hash !== undefined) result.hash = withoutFirst(hash, "#");
  return result;
}

/** What patterns are matched against; missing ones are "". Throws a TypeError for what cannot be a URL's. */
export function addressInit(init: Init): Components {
  const result: Components = {};
  const base = init.baseURL === undefined ? null : parseBase(init.baseURL);
  if (base !== null) {
    inheritCredentials(init, base, result);
    inherit(init, base, (text) => text, result);
  }
  const { protocol, username, password, hostname, port, pathname, search, hash } = init;
  if (protocol !== undefined) result.protocol = canonical.protocol(withoutColon(protocol));
  const scheme = result.protocol ?? "";
  if (username !== undefined) result.username = canonical.credential(username);
  if (password !== undefined) result.password = canonical.credential(password);
  if (hostname !== undefined) result.hostname = canonical.hostname(hostname);
  if (port !== undefined) result.port = canonical.port(port, scheme);
  if (pathname !== undefined) {
    result.pathname = canonical.pathnameOf(resolvePath(pathname, base, null), scheme);
  }
  if (search !== undefined) result.search = canonical.search(withoutFirst(search, "?"));
  if (hash !== undefined) result.hash = canonical.hash(withoutFirst(hash, "#"));
  return result;
}

/** The components of an address; null when it is none. */
export function addressOf(text: string, base: string | undefined): Components | null {
  const baseRecord = base === undefined ? null : parseUrl(base, null);
  if (base !== undefined && baseRecord === null) return null;
  const record = parseUrl(text, baseRecord);
  if (record === null) return null;
  return {
    protocol: record.scheme,
    username: record.username,
    password: record.password,
    hostname: record.host ?? "",
    port: record.port === null ? "" : `${record.port}`,
    pathname: record.path,
    search: record.query ?? "",
    hash: record.fragment ?? "",
  };
}

function withoutColon(text: string): string {
  return text.endsWith(":") ? text.slice(0, -1) : text;
}

function withoutFirst(text: string, character: string): string {
  return text.startsWith(character) ? text.slice(1) : text;
}
