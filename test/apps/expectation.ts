// One request to an app, and what has to come back.

export interface Expectation {
  /** "METHOD PATH". */
  readonly ask: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: string | FormData;
  /** 200 if not given. */
  readonly status?: number;
  /** The reply's whole text, what matches it, or its value as JSON. */
  readonly reply: string | RegExp | JsonReply;
  /** Of the reply. */
  readonly with?: Readonly<Record<string, string>>;
}

export interface JsonReply {
  readonly json: unknown;
}
