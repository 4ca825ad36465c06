// fetch of data: addresses (Fetch standard, section "data: URL processor").

import { atob } from "./base64.ts";
import { encodeUtf8 } from "./encoding.ts";
import { percentDecode } from "./percent.ts";

export interface DataUrl {
  readonly type: string;
  readonly bytes: Uint8Array;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~A-Za-z0-9]+$/;
const DEFAULT_TYPE = "text/plain;charset=US-ASCII";

/** null when the address is none. `url` has been through the URL parser. */
export function parseDataUrl(url: string): DataUrl | null {
  const hash = url.indexOf("#");
  const rest = url.slice("data:".length, hash < 0 ? undefined : hash);
  const comma = rest.indexOf(",");
  if (comma < 0) return null;
  const head = rest.slice(0, comma).replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "");
  const encoded = encodeUtf8(rest.slice(comma + 1));
  const body = encoded.slice(0, percentDecode(encoded));
  const base64 = /; *base64$/i.exec(head);
  if (base64 === null) return { type: mediaType(head), bytes: body };
  const text = decode(latin1(body));
  if (text === null) return null;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return { type: mediaType(head.slice(0, base64.index)), bytes };
}

function decode(text: string): string | null {
  try {
    return atob(text);
  } catch {
    // No base64: then it is no data address either.
    return null;
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] ?? 0);
  return text;
}

/** The type as the standard writes it back; the default where it does not parse. */
function mediaType(head: string): string {
  const [essence = "", ...parameters] = (head.startsWith(";") ? `text/plain${head}` : head).split(
    ";",
  );
  const [type = "", subtype = "", more] = essence.trim().split("/");
  if (!TOKEN.test(type) || !TOKEN.test(subtype) || more !== undefined) return DEFAULT_TYPE;
  let result = `${type}/${subtype}`.toLowerCase();
  const seen: string[] = [];
  for (const parameter of parameters) {
    const equals = parameter.indexOf("=");
    if (equals < 0) continue;
    const name = parameter.slice(0, equals).trimStart().toLowerCase();
    const value = parameterValue(parameter.slice(equals + 1));
    if (!TOKEN.test(name) || value === null || seen.includes(name)) continue;
    seen[seen.length] = name;
    result += `;${name}=${TOKEN.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`}`;
  }
  return result;
}

function parameterValue(text: string): string | null {
  const quoted = /^"((?:[^"\\]|\\.)*)/.exec(text);
  if (quoted !== null) return (quoted[1] ?? "").replace(/\\(.)/g, "$1");
  const value = text.trimEnd();
  return value === "" || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? null : value;
}
