// Reading request bodies: never more than the limit, always JSON.

import { EdgeError } from "../sdk/errors.ts";
import { BUNDLE_BYTES_MAX, MAP_BYTES_MAX } from "../sdk/limits.ts";

/** Source of an endpoint edited through the API; part of every change of the endpoint in the registry. */
export const DRAFT_BYTES_MAX: number = 1024 * 1024;
/** A draft whose every character is escaped, and the fields beside it. */
export const BODY_BYTES_MAX: number = 4 * DRAFT_BYTES_MAX;
/** Bundle and map as JSON strings: quotes and line feeds take two bytes, which adds far less than half. */
export const PUBLISH_BYTES_MAX: number = ((BUNDLE_BYTES_MAX + MAP_BYTES_MAX) * 3) / 2;

/** An empty body is `undefined`. Throws BODY_TOO_LARGE or BAD_REQUEST. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  const bytes = await readBytes(request, bytesMax);
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new EdgeError("BAD_REQUEST", "The body is not JSON in UTF-8", { cause });
  }
}

/** Throws BODY_TOO_LARGE or UPLOAD_CORRUPT. */
export async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > bytesMax) throw tooLarge(bytesMax);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body: AsyncIterable<Uint8Array> | null = request.body;
  if (body === null) return new Uint8Array();
  try {
    for await (const chunk of body) {
      length += chunk.length;
      if (length > bytesMax) throw tooLarge(bytesMax);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause;
    throw new EdgeError("UPLOAD_CORRUPT", undefined, { cause });
  }
  return Buffer.concat(chunks);
}

function tooLarge(bytesMax: number): EdgeError {
  return new EdgeError("BODY_TOO_LARGE", undefined, { detail: { bytesMax } });
}
