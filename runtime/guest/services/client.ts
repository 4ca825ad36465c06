// How the faces of services (kv.ts, database.ts … in this folder: the classes that authors see in `env`) reach the
// host. One client per binding. Nothing of it is reachable from author code.

import type { Value } from "../../../sdk/services/values.ts";

export interface ServiceClient {
  /**
   * Rejects with a ServiceError: an Error with a `code` (sdk/errors.ts). What it resolves to is the author's: no
   * engine objects, and bytes that nobody else holds.
   */
  call(method: string, args: readonly Value[]): Promise<Value>;
  /**
   * A call whose answer goes on in pieces, or with an argument STREAM (sdk/services/values.ts) whose bytes `body`
   * gives one by one, null at the end.
   */
  open(
    method: string,
    args: readonly Value[],
    body?: (() => Promise<Uint8Array | null>) | null,
  ): Promise<OpenAnswer>;
}

export interface OpenAnswer {
  readonly head: Value;
  /** The next piece; undefined at the end. One at a time. */
  pull(): Promise<Value>;
  /** No more is wanted. Idempotent. */
  cancel(): void;
}
