// A handler's `env` as it goes to the guest (runtime/guest/services/environment.ts reads it).

import type { Json } from "../errors.ts";
import type { Binding } from "./service.ts";

/** `vars`: with the texts of secrets. */
export function packEnvironment(
  vars: Readonly<Record<string, Json>>,
  bindings: readonly Pick<Binding, "kind" | "name">[],
): string {
  return JSON.stringify({ vars, bindings: bindings.map(({ kind, name }) => [kind, name]) });
}
