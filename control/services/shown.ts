// The configuration file's services as people see them: whole, with defaults, secrets masked, in order of their names.

import type { JsonObject } from "../../sdk/errors.ts";
import type { ServiceRecord, ServiceType } from "../../sdk/services/service.ts";
import type { FileServices } from "./file.ts";
import { showConfig } from "./sealing.ts";

interface Shown {
  readonly name: string;
  readonly type: ServiceType;
  readonly enabled: boolean;
  readonly config: JsonObject;
}

export function showFileServices({ byName }: FileServices): Shown[] {
  const all = Object.entries(byName).map(([name, { type, enabled, config }]) => ({
    name,
    type,
    enabled,
    config: showConfig(config),
  }));
  return ordered(all);
}

/** Of the node's services those that the file names. */
export function showServices(records: readonly ServiceRecord[]): Shown[] {
  const all = records
    .filter(({ origin }) => origin === "file")
    .map(({ name, type, state, config }) => ({
      name,
      type,
      enabled: state === "available",
      config: showConfig(config),
    }));
  return ordered(all);
}

function ordered(services: Shown[]): Shown[] {
  return services.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
