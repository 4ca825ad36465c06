// What authors give to WebSockets: addresses, protocols, close codes and reasons.

import { DOMException } from "../dom-exception.ts";
import { encodeUtf8 } from "../encoding.ts";
import { URL } from "../url.ts";

/** RFC 6455: a control frame has 125 bytes, and two of them are the code. */
const REASON_BYTES_MAX = 123;
const NORMAL = 1_000;
/** Codes for applications. */
const OWN_MIN = 3_000;
const OWN_MAX = 4_999;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const apply = Reflect.apply;
const exec = RegExp.prototype.exec;

export function toText(data: unknown): string {
  const text = `${data as string}`;
  return text.isWellFormed() ? text : text.toWellFormed();
}

/** Servers close with some codes that a client may not use. */
export function toCode(value: unknown, isClient: boolean): number {
  const code = Number(value);
  if (code === NORMAL || (Number.isInteger(code) && code >= OWN_MIN && code <= OWN_MAX)) {
    return code;
  }
  const isServers = code >= 1_001 && code <= 1_014 && Number.isInteger(code);
  if (!isClient && isServers && code !== 1_004 && code !== 1_005 && code !== 1_006) return code;
  throw new DOMException(
    isClient
      ? "A close code is 1000, or 3000 to 4999."
      : "A close code is 1000 to 1014 without 1004 to 1006, or 3000 to 4999.",
    "InvalidAccessError",
  );
}

export function toReason(value: unknown): string {
  const reason = toText(value);
  if (encodeUtf8(reason).byteLength <= REASON_BYTES_MAX) return reason;
  throw new DOMException(`A reason has ${REASON_BYTES_MAX} bytes at most.`, "SyntaxError");
}

/** The standard takes http and https for ws and wss. */
export function toSocketUrl(value: unknown): { readonly href: string; readonly origin: string } {
  const text = toText(value);
  const url = URL.parse(text);
  const { protocol = "" } = url ?? {};
  const scheme = protocol === "http:" ? "ws:" : protocol === "https:" ? "wss:" : protocol;
  if (url === null || (scheme !== "ws:" && scheme !== "wss:")) {
    throw new DOMException(`${text} is no address of a WebSocket.`, "SyntaxError");
  }
  if (url.href.includes("#")) {
    throw new DOMException("The address of a WebSocket has no fragment.", "SyntaxError");
  }
  const href = `${scheme}${url.href.slice(protocol.length)}`;
  return { href, origin: `${scheme}//${url.host}` };
}

/** With commas between. */
export function toProtocols(value: unknown): string {
  if (value === undefined) return "";
  const isList =
    typeof value === "object" &&
    value !== null &&
    (value as { [Symbol.iterator]?: unknown })[Symbol.iterator] !== undefined;
  const given = isList ? (value as Iterable<unknown>) : [value];
  let list = "";
  for (const each of given) {
    const protocol = `${each as string}`;
    const isTwice = `,${list},`.toLowerCase().includes(`,${protocol.toLowerCase()},`);
    if (apply(exec, TOKEN, [protocol]) === null || isTwice) {
      throw new DOMException(`The protocol ${protocol} is no token or there twice.`, "SyntaxError");
    }
    list = list === "" ? protocol : `${list},${protocol}`;
  }
  return list;
}
