/** Which kept replies of a route are of the past. */
export interface Purge {
  readonly route: string;
  /** In lower case; "" for all. */
  readonly host: string;
  /** Of path and query as clients ask for it: "/" for all. */
  readonly prefix: string;
  /** On the wall clock: what was asked for until then. */
  readonly atMs: number;
}
