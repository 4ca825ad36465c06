// The host's end of calls (sdk/bridge.ts CALLS): one CallService per kind, made per isolate, so that closing it
// ends everything that isolate still had under way. Nothing it throws may reach the bridge: failures are data.

import type { Code } from "../../sdk/errors.ts";

export interface Call {
  readonly id: number;
  /** The exchange (number in this isolate) that is charged; 0 when none was running. */
  readonly owner: number;
  /** As the call's format says; comes from hostile code, so it is parsed with suspicion. */
  readonly args: string;
  /** Owned by the service. */
  readonly bytes: ArrayBuffer | null;
  /** The cdn-loop header of the request that makes it: which servers it has passed through. "" for none. */
  trail(): string;
  /** Whether the exchange is open, so that ownerDone is still to come. */
  isOwned(): boolean;
  /** Something came from outside: where the exchange has become a WebSocket, its CPU time begins anew. */
  renew(): void;
  /** Into the log of the request that makes it, within what that may write. */
  note(text: string): void;
  /** For what is gathered for the answer, until it is given. False when the node holds too much for this isolate. */
  hold(bytes: number): boolean;
  /** For what stays behind the answer, until the function is called that it gives; null when it is too much. */
  keep(bytes: number): (() => void) | null;
  /**
   * Answers the call; ok or fail exactly once, later ones are ignored. With bytes (owned by the bridge from
   * then on, must be a whole ArrayBuffer) the guest finds them at the index that the payload then begins with.
   */
  ok(payload: string): void;
  okBytes(bytes: ArrayBuffer, rest?: string): void;
  fail(code: Code, message: string): void;
}

export interface CallService {
  /** False when the name is not this service's. */
  call(name: string, call: Call): boolean;
  /** The guest lost interest in a call of its own; ids it never used are ignored. */
  cancel(id: number): void;
  /**
   * The exchange is over: its counters may be forgotten. What it still has under way goes on, unless it `died`: was
   * ended, by a limit or because its client went away.
   */
  ownerDone(owner: number, died: boolean): void;
  /** The isolate is gone: aborts everything. */
  close(): void;
}
