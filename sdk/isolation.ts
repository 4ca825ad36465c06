// In which process an endpoint runs: with all others in every worker, or in a cordon, a worker process that serves
// the endpoints of one group, or one endpoint, and nothing else.

/** "group:" is followed by a name as endpoints have them. */
export type Isolation = "shared" | "dedicated" | `group:${string}`;

export const ISOLATION_FORMS =
  '"shared", "dedicated" or "group:NAME" (NAME as endpoints are named)';

/** 1 to 63 of a-z, 0-9 and -, beginning with a letter and not ending with -: endpoints and groups. */
export const NAME: RegExp = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A cordon is a process, of some 60 MB and more: so many groups and dedicated endpoints one node may have. */
export const CORDONS_MAX = 64;

export interface Isolated {
  readonly name: string;
  readonly isolation?: Isolation;
}

/** null: none of the allowed forms. */
export function parseIsolation(text: string): Isolation | null {
  if (text === "shared" || text === "dedicated") return text;
  const group = text.startsWith("group:") ? text.slice("group:".length) : "";
  return NAME.test(group) ? `group:${group}` : null;
}

/** Name of the cordon that serves the endpoint, no two alike; null: every worker does. */
export function cordonOf({ name, isolation = "shared" }: Isolated): string | null {
  if (isolation === "shared") return null;
  return isolation === "dedicated" ? `endpoint:${name}` : isolation;
}

/** Of the cordons that deployed versions ask for. */
export function cordonsOf(
  all: readonly { readonly versions: readonly { readonly manifest: Isolated }[] }[],
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { versions } of all) {
    for (const { manifest } of versions) {
      const name = cordonOf(manifest);
      if (name !== null) names.add(name);
    }
  }
  return names;
}
