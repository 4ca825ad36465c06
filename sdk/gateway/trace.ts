// What the route table says of a request, for people.

export interface RouteTrace {
  readonly outcome: "match" | "method" | "none";
  /** Endpoint, or "route:NAME" of the configuration file; null: nobody takes it. */
  readonly owner: string | null;
  readonly params: Readonly<Record<string, string>>;
  /** Methods that would be taken, where only the method is wrong. */
  readonly allow: readonly string[];
  /** Every route that has the address. */
  readonly candidates: readonly {
    readonly owner: string;
    readonly route: string;
    readonly verdict: "taken" | "less specific" | "other method";
  }[];
}
