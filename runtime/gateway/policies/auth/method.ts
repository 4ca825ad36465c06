// One way to say who asks. A route has one of them, or several of which any is enough (auth.ts).

import type { Code } from "../../../../sdk/errors.ts";
import type { HeaderList } from "../../../../sdk/exchange.ts";
import type { Pass } from "../../pass.ts";

export interface Method {
  /** Headers that it writes for what stands behind: a client's own of these names would pass for its word. */
  readonly owned: readonly string[];
  /** Changes the pass only where it accepts. */
  readonly ask: (pass: Pass) => Verdict | Promise<Verdict>;
}

export type Verdict = Accepted | Absent | Refused;

interface Accepted {
  readonly kind: "accepted";
}

/** The request holds nothing that this method reads. */
interface Absent {
  readonly kind: "absent";
  /** What a 401 asks for: fields of www-authenticate. */
  readonly challenge: HeaderList;
}

export interface Refused {
  readonly kind: "refused";
  readonly code: Code;
  /** Of a closed set: it is a metric's label. */
  readonly reason: string;
  readonly challenge: HeaderList;
  /** For the node's log. */
  readonly logged?: string;
  /** Sent instead of the code's own reply. */
  readonly reply?: { readonly status: number; readonly headers: HeaderList; readonly body: Buffer };
}

export const ACCEPTED: Accepted = { kind: "accepted" };
