// What a policy's methods have come to, read with suspicion: the text comes out of an isolate
// (runtime/guest/events/policy.ts writes it).

import type { Code } from "../../../../sdk/errors.ts";
import type { Exchange, HeaderList } from "../../../../sdk/exchange.ts";
import { HEADER_BYTES_MAX, URL_BYTES_MAX } from "../../../../sdk/limits.ts";

/** The first header of a reply that a method has returned; left out of it. */
export const REPLIED: HeaderList = "x-edge-policy\nreply\n";

export type PolicyMethod = "onRequest" | "onResponse" | "onError";

export interface PolicyCall {
  /** Whose handler it is. */
  readonly endpoint: string;
  readonly method: PolicyMethod;
  /** For the access log. */
  readonly path: string;
  readonly text: string;
  /** Gets the reply that the method returns. */
  readonly client: Exchange;
}

export type PolicyEnd =
  /** The client has the method's own reply. */
  | { readonly kind: "replied" }
  | { readonly kind: "ended"; readonly text: string }
  | { readonly kind: "failed"; readonly code: Code };

/** Calls a method of a handler that is published on this node. Never rejects. */
export type RunPolicy = (call: PolicyCall) => Promise<PolicyEnd>;

/** What an honest method ends with. */
export interface PolicyOutcome {
  readonly hasResponse: boolean;
  readonly hasError: boolean;
  /** Behind the first line; null: nothing changes. */
  readonly change: string | null;
}

const METHODS = /^r?e?$/;
/** Pairs of lines, as the guest packs headers. */
const HEADERS = /^(?:[!#$%&'*+\-.^_`|~0-9a-z]+\n[\t\x20-\x7e\x80-\xff]*\n)*$/;
const TARGET = /^\/[!-~]*$/;

/** null: not what an honest guest says. */
export function parseOutcome(text: string): PolicyOutcome | null {
  const end = text.indexOf("\n");
  const methods = end < 0 ? text : text.slice(0, end);
  if (!METHODS.test(methods)) return null;
  const change = end < 0 ? null : text.slice(end + 1);
  return { hasResponse: methods.includes("r"), hasError: methods.includes("e"), change };
}

/** null: not what an honest guest says. */
export function parseHeaders(text: string): HeaderList | null {
  // Length first: the pattern could run out of stack.
  return text.length <= HEADER_BYTES_MAX && HEADERS.test(text) ? text : null;
}

/** Path and query, and headers. null: not what an honest guest says. */
export function parseRequest(text: string): { url: string; headers: HeaderList } | null {
  const end = text.indexOf("\n");
  const url = text.slice(0, end);
  if (end < 0 || end > URL_BYTES_MAX || !TARGET.test(url)) return null;
  const headers = parseHeaders(text.slice(end + 1));
  return headers === null ? null : { url, headers };
}
