// Endpoints are addressed by name or by id.

import { EdgeError } from "../sdk/errors.ts";
import { NAME } from "../sdk/isolation.ts";
import type { RegistryReader } from "../sdk/node.ts";
import type { Deployed } from "../sdk/records.ts";

/** Throws ENDPOINT_NOT_FOUND. */
export function findEndpoint(registry: RegistryReader, address: string): Deployed {
  // What is no name may be longer than any key.
  const byName = NAME.test(address) ? registry.get(address) : null;
  if (byName !== null) return byName;
  const byId = registry.all().find(({ endpoint }) => endpoint.id === address);
  if (byId === undefined) throw new EdgeError("ENDPOINT_NOT_FOUND");
  return byId;
}
