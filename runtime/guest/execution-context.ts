// The `ctx` of a handler.

export class ExecutionContext {
  readonly requestId: string;
  readonly props: Record<string, never> = {};
  readonly #track: (work: unknown) => void;

  constructor(requestId: string, track: (work: unknown) => void) {
    this.requestId = requestId;
    this.#track = track;
  }

  /** Work that goes on after the reply; counted when the version is drained. */
  waitUntil(work: unknown): void {
    this.#track(work);
  }

  /** Accepted for compatibility: there is no origin behind the handler to fall through to. */
  passThroughOnException(): void {}
}
