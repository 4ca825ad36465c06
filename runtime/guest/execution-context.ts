// The `ctx` of a handler.

export class ExecutionContext<Entry> {
  readonly requestId: string;
  readonly props: Record<string, never> = {};
  readonly #entry: Entry;
  readonly #track: (entry: Entry, work: unknown) => void;

  constructor(requestId: string, entry: Entry, track: (entry: Entry, work: unknown) => void) {
    this.requestId = requestId;
    this.#entry = entry;
    this.#track = track;
  }

  /** Work that goes on after the reply; counted when the version is drained. */
  waitUntil(work: unknown): void {
    const track = this.#track;
    track(this.#entry, work);
  }

  /** Accepted for compatibility: there is no origin behind the handler to fall through to. */
  passThroughOnException(): void {}
}
