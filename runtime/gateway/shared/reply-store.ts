// Replies that are kept for later requests, by all workers of a node together. What is in it may be gone at any moment.

import type { HeaderList } from "../../../sdk/exchange.ts";

/** Each has its own bounds: one does not push the other's out. */
export type ReplyScope = "idempotency" | "cache";

export interface ReplyStore {
  get(scope: ReplyScope, key: string): Promise<Uint8Array | null>;
  set(scope: ReplyScope, key: string, entry: StoredBytes): Promise<void>;
  /** As one step over all workers. False: there is something. */
  claim(scope: ReplyScope, key: string, entry: StoredBytes): Promise<boolean>;
  /** Takes away what has this value. */
  release(scope: ReplyScope, key: string, value: Uint8Array): Promise<void>;
  delete(scope: ReplyScope, key: string): Promise<void>;
  close(): Promise<void>;
}

export interface StoredBytes {
  readonly value: Uint8Array;
  readonly ttlMs: number;
}

export interface Recorded {
  readonly status: number;
  readonly headers: HeaderList;
  /** null: longer than may be kept. */
  readonly body: Buffer | null;
}

const LENGTH_BYTES = 4;

/** What is known of a reply as JSON, then its body. */
export function packRecord(head: object, body: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(text.byteLength);
  return Buffer.concat([length, text, body]);
}

/** Of what packRecord wrote. */
export function unpackRecord(bytes: Uint8Array): { readonly head: unknown; readonly body: Buffer } {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyAt = LENGTH_BYTES + all.readUInt32BE(0);
  const head: unknown = JSON.parse(all.toString("utf8", LENGTH_BYTES, bodyAt));
  return { head, body: all.subarray(bodyAt) };
}
