// Bodies of forms: multipart/form-data (RFC 7578, as browsers write it) and application/x-www-form-urlencoded.
// Parsing works on bytes and takes nothing on trust: what does not parse is a TypeError.

import { blobBytes, concatBytes, File } from "./blob.ts";
import { decodeUtf8, encodeUtf8 } from "./encoding.ts";
import { type FormData as GuestFormData, FormData, formEntries } from "./form-data.ts";
import { parseForm } from "./form-urlencoded.ts";
import { randomUuid } from "./random.ts";

const apply = Reflect.apply;
const subarray = Uint8Array.prototype.subarray;
const copy = Uint8Array.prototype.slice;
const indexOfByte = Uint8Array.prototype.indexOf;

export interface EncodedForm {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
}

function escapeName(name: string): string {
  return name.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22");
}

function newlines(text: string): string {
  return text.replace(/\r\n?|\n/g, "\r\n");
}

export function encodeForm(form: GuestFormData): EncodedForm {
  const boundary = `----formdata-islet-${randomUuid()}`;
  const pieces: Uint8Array[] = [];
  let text = "";
  const entries = formEntries(form);
  for (let i = 0; i < entries.length; i++) {
    const [name, value] = entries[i] ?? ["", ""];
    text += `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(newlines(name))}"`;
    if (typeof value === "string") {
      text += `\r\n\r\n${newlines(value)}\r\n`;
      continue;
    }
    const type = value.type === "" ? "application/octet-stream" : value.type;
    text += `; filename="${escapeName(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`;
    pieces[pieces.length] = encodeUtf8(text);
    pieces[pieces.length] = blobBytes(value);
    text = "\r\n";
  }
  pieces[pieces.length] = encodeUtf8(`${text}--${boundary}--\r\n`);
  return { bytes: concatBytes(pieces), type: `multipart/form-data; boundary=${boundary}` };
}

/** A form out of a body; throws TypeError when the type is none of the two or the body does not parse. */
export function decodeForm(bytes: Uint8Array, contentType: string | null): GuestFormData {
  const type = contentType ?? "";
  const essence = (type.split(";")[0] ?? "").trim().toLowerCase();
  if (essence === "application/x-www-form-urlencoded") return decodeUrlencoded(bytes);
  const boundary = essence === "multipart/form-data" ? boundaryOf(type) : null;
  if (boundary === null) throw new TypeError("The body's content type is not that of a form.");
  return decodeMultipart(bytes, boundary);
}

function boundaryOf(type: string): string | null {
  const match = /;[\t ]*boundary=(?:"((?:[^"\\]|\\.)*)"|([^;\t ]+))/i.exec(type);
  const value = match?.[1]?.replace(/\\(.)/g, "$1") ?? match?.[2] ?? "";
  return value === "" ? null : value;
}

function decodeUrlencoded(bytes: Uint8Array): GuestFormData {
  const form = new FormData();
  const entries = formEntries(form);
  const list = parseForm(decodeUtf8(bytes, { ignoreBom: true }));
  for (let i = 0; i < list.length; i += 2) {
    entries[entries.length] = [list[i] ?? "", list[i + 1] ?? ""];
  }
  return form;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const first = wanted[0] ?? 0;
  for (let at = from; ; at++) {
    at = apply(indexOfByte, bytes, [first, at]) as number;
    if (at < 0 || at + wanted.length > bytes.length) return -1;
    let same = 1;
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++;
    if (same === wanted.length) return at;
  }
}

const HEAD_END = encodeUtf8("\r\n\r\n");

function decodeMultipart(bytes: Uint8Array, boundary: string): GuestFormData {
  const form = new FormData();
  const entries = formEntries(form);
  const delimiter = encodeUtf8(`\r\n--${boundary}`);
  const opening = apply(subarray, delimiter, [2]) as Uint8Array;
  let at = indexOf(bytes, opening, 0);
  if (at !== 0 && (at < 2 || bytes[at - 1] !== 10)) throw malformed();
  at += opening.length;
  for (;;) {
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return form;
    while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
    if (bytes[at] !== 13 || bytes[at + 1] !== 10) throw malformed();
    const headEnd = indexOf(bytes, HEAD_END, at);
    if (headEnd < 0) throw malformed();
    const head = decodeUtf8(apply(subarray, bytes, [at + 2, headEnd]) as Uint8Array);
    const start = headEnd + HEAD_END.length;
    // An empty part's delimiter begins with the line break that ends its head.
    const end = indexOf(bytes, delimiter, start - 2);
    if (end < 0) throw malformed();
    const content = apply(copy, bytes, [start, end < start ? start : end]) as Uint8Array;
    entries[entries.length] = parsePart(head, content);
    at = end + delimiter.length;
  }
}

function parsePart(head: string, content: Uint8Array): [string, string | File] {
  let name: string | null = null;
  let filename: string | null = null;
  let type: string | null = null;
  for (const line of head.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon < 1) throw malformed();
    const field = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (field === "content-type") type = value;
    if (field !== "content-disposition") continue;
    if (!/^form-data\s*;/i.test(value)) throw malformed();
    name = parameter(value, "name");
    filename = parameter(value, "filename");
  }
  if (name === null) throw malformed();
  if (filename === null) return [name, decodeUtf8(content)];
  return [name, new File([content], filename, { type: type ?? "text/plain" })];
}

function parameter(disposition: string, name: string): string | null {
  const pattern = new RegExp(`;\\s*${name}=(?:"([^"]*)"|([^;\\s]*))`, "i");
  const match = pattern.exec(disposition);
  const value = match?.[1] ?? match?.[2];
  if (value === undefined) return null;
  return value.replaceAll("%0A", "\n").replaceAll("%0D", "\r").replaceAll("%22", '"');
}

function malformed(): TypeError {
  return new TypeError("The body is no valid multipart form.");
}
