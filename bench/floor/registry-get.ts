// What one read of the registry costs a worker: LMDB, memory-mapped, through the registry's own reader. Over a
// registry of 200 endpoints made for this run.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";

import { systemClock } from "../../control/clock.ts";
import { openRegistry } from "../../control/registry/registry.ts";
import type { EndpointRecord } from "../../sdk/records.ts";
import { runTasks } from "../micro/harness.ts";

const ENDPOINTS = 200;
const dir = mkdtempSync(`${tmpdir()}/islet-bench-registry-`);
process.on("exit", () => rmSync(dir, { recursive: true, force: true }));

function endpointOf(index: number): EndpointRecord {
  const at = new Date(index).toISOString();
  return {
    id: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
    name: `endpoint-${index}`,
    description: "",
    enabled: true,
    stopped: false,
    routes: [{ host: "*", path: `/endpoint-${index}`, methods: [] }],
    draft: null,
    failure: null,
    createdAt: at,
    updatedAt: at,
  };
}

const registry = await openRegistry({ dir, clock: systemClock });
await registry.append(
  Array.from({ length: ENDPOINTS }, (_, index) => ({
    op: "endpoint.put" as const,
    endpoint: endpointOf(index),
  })),
);
await runTasks("Registry, 200 endpoints", [
  { name: "revision", run: () => registry.revision() },
  { name: "get one endpoint", run: () => registry.get("endpoint-77") },
  { name: "get one that is not there", run: () => registry.get("nobody") },
]);
await registry.close();
