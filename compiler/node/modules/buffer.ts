// node:buffer: unenv's, and what it lacks of Node's.

import * as base from "unenv/node/internal/buffer/buffer";

type Kind = typeof globalThis.Buffer;
type Method = (this: unknown, ...args: unknown[]) => unknown;

export const Buffer: Kind = withBase64Url(base.Buffer as unknown as Kind);
/** As V8 has them on 64 bits. */
export const kMaxLength: number = 2 ** 53 - 1;
export const kStringMaxLength: number = 2 ** 29 - 24;
export const constants: Readonly<Record<string, number>> = {
  MAX_LENGTH: kMaxLength,
  MAX_STRING_LENGTH: kStringMaxLength,
};
export const INSPECT_MAX_BYTES = 50;
export const SlowBuffer: typeof Buffer.allocUnsafeSlow = (size) => Buffer.allocUnsafeSlow(size);
export const Blob: typeof globalThis.Blob = globalThis.Blob;
export const File: typeof globalThis.File = globalThis.File;
export const atob: typeof globalThis.atob = globalThis.atob;
export const btoa: typeof globalThis.btoa = globalThis.btoa;

export function isUtf8(bytes: ArrayBuffer | NodeJS.TypedArray): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

export function isAscii(bytes: ArrayBuffer | NodeJS.TypedArray): boolean {
  const view = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).every((byte) => byte < 128);
}

export function transcode(
  bytes: Uint8Array,
  from: BufferEncoding,
  to: BufferEncoding,
): typeof Buffer.prototype {
  return Buffer.from(Buffer.from(bytes).toString(from), to);
}

function isUrlForm(value: unknown): boolean {
  return typeof value === "string" && value.toLowerCase() === "base64url";
}

/** What reads base64 takes both alphabets; only what writes it has to know. */
function withBase64Url(plain: Kind): Kind {
  const prototype = plain.prototype as object;
  wrap(
    plain,
    "isEncoding",
    (method) => (name) => isUrlForm(name) || Reflect.apply(method, plain, [name]),
  );
  for (const name of ["alloc", "byteLength", "from"]) wrap(plain, name, reading);
  for (const name of ["fill", "includes", "indexOf", "lastIndexOf", "write"]) {
    wrap(prototype, name, reading);
  }
  wrap(prototype, "toString", writing);
  // With every array of bytes; unenv's takes Buffers only.
  wrap(prototype, "equals", () => equals);
  return plain;
}

function equals(this: unknown, other: unknown): boolean {
  return Buffer.compare(this as Uint8Array, other as Uint8Array) === 0;
}

function wrap(holder: object, name: string, around: (method: Method) => Method): void {
  const value = around(Reflect.get(holder, name) as Method);
  Object.defineProperty(holder, name, {
    value: Object.defineProperty(value, "name", { value: name }),
    writable: true,
    configurable: true,
  });
}

/** The encoding may stand anywhere behind the value. */
function reading(method: Method): Method {
  return function (this: unknown, value, ...rest) {
    const at = rest.findIndex(isUrlForm);
    return Reflect.apply(method, this, [value, ...(at < 0 ? rest : rest.with(at, "base64"))]);
  };
}

const UTF8: ReadonlySet<unknown> = new Set([undefined, null, "", "utf8", "utf-8"]);

function writing(method: Method): Method {
  return function (this: unknown, encoding, ...range) {
    if (UTF8.has(encoding)) return textOf(this as Uint8Array, range);
    if (!isUrlForm(encoding)) return Reflect.apply(method, this, [encoding, ...range]);
    const text = String(Reflect.apply(method, this, ["base64", ...range]));
    return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  };
}

/** By the platform's decoder, which replaces what is no UTF-8 as Node does. */
function textOf(bytes: Uint8Array, [start = 0, end = bytes.length]: readonly unknown[]): string {
  const [from, to] = [Math.max(0, Number(start)), Math.max(0, Number(end))];
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return decoder.decode(bytes.subarray(from, to) as Uint8Array<ArrayBuffer>);
}
