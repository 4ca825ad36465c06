// Which endpoint answers a request. Tables are compiled once per registry revision and then only read.
//
// Precedence, most specific first. Host: exact > wildcard (longer suffix first) > any. Path, segment by
// segment from the left: literal > {id:regex} > {id} > {*rest}; a route without methods (ANY) yields to one
// that names the method. Two routes that can answer the same request with equal precedence are a conflict.

export interface RouteInput {
  readonly host: string;
  readonly path: string;
  readonly methods: readonly string[];
  /** Endpoint name: what a match answers with. */
  readonly endpoint: string;
}

export interface RouteMatch {
  readonly endpoint: string;
  readonly route: RouteInput;
  /** Decoded parameters; `rest` of a wildcard keeps its slashes. Shared empty object when there are none. */
  readonly params: Readonly<Record<string, string>>;
}

export type RouteResult =
  | { readonly kind: "match"; readonly match: RouteMatch }
  /** The address exists, the method does not; for Allow. HEAD is implied by GET, OPTIONS is not implied. */
  | { readonly kind: "method"; readonly allow: readonly string[] }
  | { readonly kind: "none" };

export interface RouteTable {
  /** `host` as in Exchange.host, `path` raw and without query. HEAD falls back to GET. */
  match(method: string, host: string, path: string): RouteResult;
  /** Whether a route names this host, or it with others by a wildcard. */
  names(host: string): boolean;
}
