// What authors say of objects, in Workers' words, as services/storage/port.ts takes it. The host checks all of it; here
// only its form changes.

import type { Value } from "../../../../sdk/services/values.ts";
import { bytesOf } from "../../buffer-source.ts";
import { Headers, isHeaders } from "../../headers.ts";

type Fields = Readonly<Record<string, unknown>>;
type Writable = Record<string, Value>;

const apply = Reflect.apply;
const create = Object.create as (prototype: null) => Writable;
const keysOf = Object.keys;
const isArray = Array.isArray;
const parseDate = Date.parse;
const toInteger = Number;
const floor = Math.floor;
const split = String.prototype.split;
const trim = String.prototype.trim;
const startsWith = String.prototype.startsWith;
const endsWith = String.prototype.endsWith;
const slice = String.prototype.slice;
const exec = RegExp.prototype.exec;
const getHeader = Headers.prototype.get;
const setHeader = Headers.prototype.set;
const RANGE = /^bytes=(\d*)-(\d*)$/;
const HEX = /^(?:[0-9a-fA-F]{2})*$/;
const NativeUint8Array = Uint8Array;
const toByte = parseInt;

const HASHES: readonly string[] = ["md5", "sha1", "sha256", "sha384", "sha512"];

/** Field of an object's metadata, and the header that says the same. */
export const HTTP_FIELDS: readonly (readonly [field: string, header: string])[] = [
  ["contentType", "content-type"],
  ["contentLanguage", "content-language"],
  ["contentDisposition", "content-disposition"],
  ["contentEncoding", "content-encoding"],
  ["cacheControl", "cache-control"],
];

export function fieldsOf(value: unknown, what: string): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value === "object") return value as Fields;
  throw new TypeError(`${what} must be an object.`);
}

/** { http, custom } of the options of put and createMultipartUpload. */
export function metadataOf(options: Fields): Writable {
  const { httpMetadata, customMetadata } = options;
  const result = create(null);
  if (httpMetadata !== undefined && httpMetadata !== null) result["http"] = httpOf(httpMetadata);
  if (customMetadata !== undefined && customMetadata !== null) {
    const custom = fieldsOf(customMetadata, "customMetadata");
    const copy = create(null);
    const names = keysOf(custom);
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string;
      copy[name] = text(custom[name]);
    }
    result["custom"] = copy;
  }
  return result;
}

function httpOf(metadata: unknown): Value {
  const result = create(null);
  const headers = isHeaders(metadata) ? metadata : null;
  const fields = fieldsOf(metadata, "httpMetadata");
  for (let at = 0; at < HTTP_FIELDS.length; at++) {
    const [field, header] = HTTP_FIELDS[at] as readonly [string, string];
    const value = headers === null ? fields[field] : headerOf(headers, header);
    if (value !== undefined && value !== null) result[field] = text(value);
  }
  const expiry = headers === null ? fields["cacheExpiry"] : dateOf(headerOf(headers, "expires"));
  if (expiry !== undefined && expiry !== null) result["cacheExpiryMs"] = time(expiry);
  return result;
}

export function checksumsOf(options: Fields): Value {
  const result = create(null);
  for (let at = 0; at < HASHES.length; at++) {
    const name = HASHES[at] as string;
    const sum = options[name];
    if (sum === undefined || sum === null) continue;
    const bytes = typeof sum === "string" ? fromHex(sum) : bytesOf(sum);
    if (bytes === null) throw new TypeError(`${name} must be bytes, or text in hex.`);
    result[name] = bytes;
  }
  return result;
}

function fromHex(hex: string): Uint8Array | null {
  if (apply(exec, HEX, [hex]) === null) return null;
  const bytes = new NativeUint8Array(hex.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = toByte(apply(slice, hex, [2 * at, 2 * at + 2]) as string, 16);
  }
  return bytes;
}

/** R2Conditional, or the headers of a request. */
export function conditionsOf(value: unknown): Value {
  if (value === undefined || value === null) return null;
  const result = create(null);
  if (isHeaders(value)) {
    put(result, "etagMatches", etagsIn(headerOf(value, "if-match")));
    put(result, "etagDoesNotMatch", etagsIn(headerOf(value, "if-none-match")));
    put(result, "uploadedBeforeMs", dateOf(headerOf(value, "if-unmodified-since")));
    put(result, "uploadedAfterMs", dateOf(headerOf(value, "if-modified-since")));
    result["secondsGranularity"] = true;
    return result;
  }
  const fields = fieldsOf(value, "onlyIf");
  put(result, "etagMatches", etags(fields["etagMatches"]));
  put(result, "etagDoesNotMatch", etags(fields["etagDoesNotMatch"]));
  put(result, "uploadedBeforeMs", times(fields["uploadedBefore"]));
  put(result, "uploadedAfterMs", times(fields["uploadedAfter"]));
  result["secondsGranularity"] = fields["secondsGranularity"] === true;
  return result;
}

function put(into: Writable, name: string, value: Value): void {
  if (value !== null) into[name] = value;
}

function etags(value: unknown): Value {
  if (value === undefined || value === null) return null;
  if (!isArray(value)) return [withoutQuotes(text(value))];
  const list: Value[] = [];
  for (let at = 0; at < value.length; at++) list[at] = withoutQuotes(text(value[at]));
  return list;
}

function etagsIn(header: string | null): Value {
  if (header === null) return null;
  const parts = apply(split, header, [","]) as string[];
  const list: Value[] = [];
  for (let at = 0; at < parts.length; at++) list[at] = withoutQuotes(parts[at] as string);
  return list;
}

function withoutQuotes(etag: string): string {
  let plain = apply(trim, etag, []) as string;
  if (apply(startsWith, plain, ["W/"]) === true) plain = apply(slice, plain, [2]) as string;
  const quoted = apply(startsWith, plain, ['"']) === true && apply(endsWith, plain, ['"']) === true;
  return quoted && plain.length > 1 ? (apply(slice, plain, [1, -1]) as string) : plain;
}

/** R2Range, or the headers of a request; one that HTTP tells to ignore is none. */
export function rangeOf(value: unknown): Value {
  if (value === undefined || value === null) return null;
  if (isHeaders(value)) return rangeIn(headerOf(value, "range"));
  const { offset, length, suffix } = fieldsOf(value, "range");
  if (offset === undefined && length === undefined && suffix === undefined) return null;
  return { offset: whole(offset), length: whole(length), suffix: whole(suffix) };
}

function rangeIn(header: string | null): Value {
  const found = header === null ? null : (apply(exec, RANGE, [header]) as string[] | null);
  if (found === null) return null;
  const from = found[1] ?? "";
  const to = found[2] ?? "";
  if (from === "") return to === "" ? null : { suffix: toInteger(to) };
  const offset = toInteger(from);
  if (to === "") return { offset };
  return toInteger(to) < offset ? null : { offset, length: toInteger(to) - offset + 1 };
}

function whole(value: unknown): Value {
  return value === undefined || value === null ? null : toInteger(value);
}

function text(value: unknown): string {
  return `${value as string}`;
}

function time(value: unknown): number {
  return floor(toInteger(value));
}

function times(value: unknown): Value {
  return value === undefined || value === null ? null : time(value);
}

/** In the order and the names of HTTP. */
export function writeHeader(headers: Headers, name: string, value: string): void {
  apply(setHeader, headers, [name, value]);
}

function dateOf(header: string | null): number | null {
  const ms = header === null ? NaN : parseDate(header);
  return ms === ms ? ms : null;
}

function headerOf(headers: Headers, name: string): string | null {
  return apply(getHeader, headers, [name]) as string | null;
}
