// A control plane over a real registry, real blobs and the real router and bundler in a temporary folder.
// Only the two ports that need worker processes are in memory: the fleet and the checker.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bundleSource } from "../../compiler/bundle.ts";
import { openBlobs, hashOf, type BlobStore } from "../../control/blobs.ts";
import { createControl, type Control } from "../../control/control.ts";
import { openRegistry } from "../../control/registry/registry.ts";
import { createSecretControl, type SecretControl } from "../../control/secrets/secrets.ts";
import { createVault, type Vault } from "../../control/secrets/vault.ts";
import { createBindingControl, type BindingControl } from "../../control/services/bound.ts";
import { createServiceControl, type ServiceControl } from "../../control/services/services.ts";
import { compileRoutes } from "../../runtime/gateway/route/table.ts";
import type { LimitOverrides } from "../../sdk/limits.ts";
import type { Checker, Fleet, RegistryWriter, WorkerStats } from "../../sdk/node.ts";
import type { PublishRequest } from "../../sdk/publish.ts";
import type { ServiceProbe } from "../../sdk/services/service.ts";
import { testClock, type TestClock } from "./samples.ts";
import { temporary } from "../temporary.ts";

export const HANDLER = "export default { fetch: () => new Response('hi') }";

export interface TestFleet extends Fleet {
  /** What was asked of it, in order: "prepare NAME/VERSION" and "announce REVISION". */
  readonly log: readonly string[];
  failPrepare: Error | null;
  failAnnounce: Error | null;
  workers: readonly WorkerStats[];
}

export interface TestChecker extends Checker {
  fail: Error | null;
  /** Checks wait for it. */
  gate: Promise<void>;
}

export interface TestNode extends AsyncDisposable {
  readonly control: Control;
  readonly services: ServiceControl;
  readonly secrets: SecretControl;
  readonly bindings: BindingControl;
  readonly vault: Vault;
  /** What services answer when they are asked. */
  readonly probes: { answer: ServiceProbe | Error };
  /** The registry's, and the blobs' within. */
  readonly folder: string;
  readonly registry: RegistryWriter;
  readonly blobs: BlobStore;
  readonly blobFolder: string;
  readonly fleet: TestFleet;
  readonly checker: TestChecker;
  readonly clock: TestClock;
}

export async function openTestNode(
  options: {
    readonly egressMayBePrivate?: boolean;
    readonly limitMax?: LimitOverrides;
  } = {},
): Promise<TestNode> {
  const folder = temporary();
  const clock = testClock();
  const blobFolder = join(folder.path, "blobs");
  mkdirSync(blobFolder);
  const registry = await openRegistry({ dir: folder.path, clock });
  const blobs = openBlobs(blobFolder, clock);
  const fleet = memoryFleet();
  const checker = memoryChecker();
  const vault = createVault(Buffer.alloc(32, 7));
  const control = createControl({
    registry,
    blobs,
    checker,
    fleet,
    clock,
    checkRoutes: compileRoutes,
    limitMax: options.limitMax ?? {},
    egressMayBePrivate: options.egressMayBePrivate ?? false,
    bundleSource,
    gatewayUrl: () => "http://127.0.0.1:9080",
  });
  const ports = { registry, fleet, clock, vault, alone: control.alone };
  const probes: TestNode["probes"] = { answer: { version: "Test 1.0", latencyMs: 1.5 } };
  const probe = async (): Promise<ServiceProbe> => {
    if (probes.answer instanceof Error) throw probes.answer;
    return probes.answer;
  };
  return {
    control,
    services: createServiceControl({ ...ports, probe }),
    secrets: createSecretControl(ports),
    bindings: createBindingControl(ports),
    vault,
    probes,
    folder: folder.path,
    registry,
    blobs,
    blobFolder,
    fleet,
    checker,
    clock,
    [Symbol.asyncDispose]: async () => {
      await registry.close();
      folder[Symbol.dispose]();
    },
  };
}

function memoryFleet(): TestFleet {
  const log: string[] = [];
  const fleet: TestFleet = {
    size: 2,
    log,
    failPrepare: null,
    failAnnounce: null,
    workers: [],
    prepare: async ({ endpoint, id }) => {
      log.push(`prepare ${endpoint}/${id}`);
      if (fleet.failPrepare !== null) throw fleet.failPrepare;
    },
    announce: async (revision) => {
      log.push(`announce ${revision}`);
      const failure = fleet.failAnnounce;
      fleet.failAnnounce = null;
      if (failure !== null) throw failure;
    },
    stats: async () => fleet.workers,
    metrics: async () => "islet_requests_total 0\n",
    explain: async () => null,
    restarts: () => ({ counts: {}, recent: [] }),
  };
  return fleet;
}

function memoryChecker(): TestChecker {
  const checker: TestChecker = {
    fail: null,
    gate: Promise.resolve(),
    check: async ({ onStage }) => {
      onStage?.("check");
      await checker.gate;
      if (checker.fail !== null) throw checker.fail;
      onStage?.("snapshot");
      return { start: { kind: "full" }, checkMs: 3, snapshotMs: 4 };
    },
  };
  return checker;
}

export function request(name: string, changes: Partial<PublishRequest> = {}): PublishRequest {
  const code = changes.code ?? HANDLER;
  return {
    name,
    routes: [],
    vars: {},
    limits: {},
    format: "script",
    code,
    codeSha256: hashOf(Buffer.from(code)),
    map: null,
    ...changes,
  };
}
