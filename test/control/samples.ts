// Records and a clock for the control plane's tests.

import type {
  DeploymentRecord,
  EndpointRecord,
  SecretRecord,
  VersionRecord,
} from "../../sdk/records.ts";
import type { ServiceRecord } from "../../sdk/services/service.ts";

export const AT = "2026-01-01T00:00:00.000Z";

/** Clock that the test moves. */
export interface TestClock {
  now(): number;
  advance(ms: number): void;
}

export function testClock(): TestClock {
  let now = Date.parse(AT);
  return { now: () => now, advance: (ms) => void (now += ms) };
}

export function endpoint(name: string, changes: Partial<EndpointRecord> = {}): EndpointRecord {
  return {
    id: `id-${name}`,
    name,
    description: "",
    enabled: true,
    stopped: false,
    routes: [],
    draft: null,
    failure: null,
    createdAt: AT,
    updatedAt: AT,
    ...changes,
  };
}

export function version(endpointName: string, id: string): VersionRecord {
  return {
    id,
    endpoint: endpointName,
    manifest: { name: endpointName, routes: [], vars: {}, limits: {}, drainTimeoutMs: 30_000 },
    format: "script",
    bundle: "0".repeat(64),
    bundleBytes: 1,
    map: null,
    start: { kind: "full" },
    message: "",
    createdAt: AT,
  };
}

export function deployment(endpointName: string, generation: number, id: string): DeploymentRecord {
  return {
    endpoint: endpointName,
    generation,
    versions: [{ version: id, share: 100 }],
    message: "",
    createdAt: AT,
  };
}

export function service(name: string, changes: Partial<ServiceRecord> = {}): ServiceRecord {
  return {
    id: `id-${name}`,
    name,
    type: "redis",
    config: { host: "127.0.0.1" },
    state: "available",
    createdAt: AT,
    updatedAt: AT,
    ...changes,
  };
}

export function secret(endpointName: string | null, name: string, sealed = "sealed"): SecretRecord {
  return { endpoint: endpointName, name, sealed, updatedAt: AT };
}
