// Text of one component of a URL, as the URL's parser would have it. Every function takes "" as it is, and throws a
// TypeError for what cannot stand there.

import {
  CONTROL_SET,
  FRAGMENT_SET,
  percentEncode,
  SPECIAL_QUERY_SET,
  USERINFO_SET,
} from "../percent.ts";
import { parseHost } from "../url-host.ts";
import {
  appendPath,
  defaultPort,
  hostEnd,
  isSpecial,
  parseUrl,
  stripTabs,
  type UrlRecord,
} from "../url-record.ts";

function refuse(what: string, text: string): never {
  throw new TypeError(`Invalid ${what}: ${text.slice(0, 200)}`);
}

export function protocol(text: string): string {
  if (text === "") return text;
  const record = parseUrl(`${text}://dummy.invalid/`, null);
  return record === null ? refuse("protocol", text) : record.scheme;
}

export function credential(text: string): string {
  return percentEncode(text, USERINFO_SET);
}

export function hostname(text: string): string {
  const stripped = stripTabs(text);
  const end = stripped.search(/[/\\?#]/);
  const name = end < 0 ? stripped : stripped.slice(0, end);
  if (text === "") return text;
  if (name === "" || hostEnd(name) < name.length) return refuse("hostname", text);
  return parseHost(name, true) ?? refuse("hostname", text);
}

export function ipv6(text: string): string {
  if (!/^[0-9a-fA-F[\]:]*$/.test(text)) return refuse("hostname", text);
  return text.toLowerCase();
}

/** `scheme`: whose default port becomes "". */
export function port(text: string, scheme = ""): string {
  if (text === "") return text;
  const digits = /^[0-9]+/.exec(stripTabs(text))?.[0];
  const number = Number(digits);
  if (digits === undefined || number > 65_535) return refuse("port", text);
  return number === defaultPort(scheme) ? "" : `${number}`;
}

export function pathname(text: string): string {
  if (text === "") return text;
  const stripped = stripTabs(text);
  const rooted = text.charAt(0) === "/";
  const record = createPath();
  // The hyphen keeps the parser from adding a slash of its own, and dots from being resolved.
  appendPath(record, rooted ? stripped.slice(1) : `-${stripped}`);
  return rooted ? record.path : record.path.slice(2);
}

function createPath(): UrlRecord {
  return {
    scheme: "https",
    username: "",
    password: "",
    host: "",
    port: null,
    path: "",
    opaque: false,
    query: null,
    fragment: null,
  };
}

export function opaquePathname(text: string): string {
  return percentEncode(stripTabs(text), CONTROL_SET);
}

/** Of a URL with this scheme, which is "" for an unknown one. */
export function pathnameOf(text: string, scheme: string): string {
  return scheme === "" || isSpecial(scheme) ? pathname(text) : opaquePathname(text);
}

export function search(text: string): string {
  return percentEncode(stripTabs(text), SPECIAL_QUERY_SET);
}

export function hash(text: string): string {
  return percentEncode(stripTabs(text), FRAGMENT_SET);
}
