// Reading and writing record payloads (formats: sdk/bridge.ts).

/** What requests.ts and calls.ts need of the bridge. */
export interface Wire {
  /** Queues a record for the next report. */
  push(op: string, id: number, payload: string): void;
  /** Leaves at once, with everything queued before it, because bytes cross one at a time. */
  pushBytes(op: string, id: number, payload: string, bytes: Uint8Array): void;
  /** The request whose code runs: whom to charge for a call, and who is the culprit of a cut slice. */
  current(): number;
  setCurrent(id: number): void;
  /** Milliseconds since the epoch, constant within a slice. */
  now(): number;
  /** What one request may log (sdk/limits.ts logCost). */
  readonly logBytesMax: number;
  /** What is left to a request that began at `startedAt`. */
  remaining(id: number, startedAt: number): { readonly cpuMs: number; readonly wallMs: number };
}

/** Splits off the first `count` lines; the last element is the rest. */
export function fields(payload: string, count: number): string[] {
  const parts: string[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = payload.indexOf("\n", at);
    if (end < 0) break;
    parts[i] = payload.slice(at, end);
    at = end + 1;
  }
  parts[count] = payload.slice(at);
  return parts;
}
