// Addresses of objects on the node itself, as S3 makes them: whoever has one may do the one thing it names, until it
// expires. Everything it says is signed. All of it is in the query: in a path clients would resolve a key's "..".

import { createHmac, timingSafeEqual } from "node:crypto";
import type { StorageBackend } from "../../../sdk/services/storage.ts";

/** Of every worker, before any route. */
export const ADDRESS_PATH = "/.islet/storage";

export interface ObjectAddress {
  /** Its id. */
  readonly service: string;
  readonly bucket: string;
  readonly key: string;
  readonly method: "GET" | "PUT";
  /** What a PUT has to send; null: whatever it sends. */
  readonly contentType: string | null;
}

interface Terms extends ObjectAddress {
  readonly expiresMs: number;
}

type Presign = (...args: Parameters<StorageBackend["presign"]>) => string;

/** Of one service. `key`: the node's, for this alone. */
export function createPresign(
  key: Uint8Array,
  { service, now }: { readonly service: string; readonly now: () => number },
): Presign {
  return (bucket, { key: name, method, seconds, contentType }) => {
    const expiresMs = now() + 1_000 * seconds;
    const terms = { service, bucket, key: name, method, contentType, expiresMs };
    const query = new URLSearchParams({
      service,
      bucket,
      key: name,
      method,
      expires: String(expiresMs),
      ...(contentType === null ? {} : { type: contentType }),
      signature: signatureOf(terms, key).toString("base64url"),
    });
    return `${ADDRESS_PATH}?${query.toString()}`;
  };
}

/** What the address of a request allows it; null: nothing. Of forged and expired ones nobody learns which they are. */
export function readAddress(
  key: Uint8Array,
  { url, method }: { readonly url: string; readonly method: string },
  nowMs: number,
): ObjectAddress | null {
  const query = new URLSearchParams(url.slice(ADDRESS_PATH.length + 1));
  const text = (name: string): string => query.get(name) ?? "";
  if (method !== "GET" && method !== "PUT") return null;
  const terms: Terms = {
    service: text("service"),
    bucket: text("bucket"),
    key: text("key"),
    method,
    contentType: query.get("type"),
    expiresMs: Number(text("expires")),
  };
  const said = Buffer.from(text("signature"), "base64url");
  const signature = signatureOf(terms, key);
  if (said.byteLength !== signature.byteLength || !timingSafeEqual(said, signature)) return null;
  return nowMs < terms.expiresMs ? terms : null;
}

/** The method is the request's: one for another has another signature. */
function signatureOf(terms: Terms, key: Uint8Array): Buffer {
  const { service, bucket, key: name, method, contentType, expiresMs } = terms;
  const signed = JSON.stringify([service, bucket, name, method, contentType, expiresMs]);
  return createHmac("sha256", key).update(signed).digest();
}
