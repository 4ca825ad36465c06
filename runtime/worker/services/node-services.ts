// The services of a worker, as its other parts see them: joined to the registry, to the node's key and to the log.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { RegistryReader, ServiceStats } from "../../../sdk/node.ts";
import type { Deployed, VersionRecord } from "../../../sdk/records.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import { BUILT_IN } from "../../../sdk/services/built-in.ts";
import type {
  OperatorCall,
  PackedText,
  ServiceProbe,
  ServiceRecord,
} from "../../../sdk/services/service.ts";
import { createVault, deriveKey, type Vault } from "../../../control/secrets/vault.ts";
import { openConfig } from "../../../control/services/sealing.ts";
import type { QueueBackend } from "../../../sdk/services/queue.ts";
import type { ServiceActor } from "../../../services/actor.ts";
import type { Log } from "../../observe/log.ts";
import { Faults } from "./faults.ts";
import { ServiceHub } from "./hub.ts";
import { SignedObjects } from "./signed-objects.ts";
import { callAsOperator } from "./operator-calls.ts";
import { surroundingsKey, surroundingsOf, type Surroundings } from "./surroundings.ts";

export interface NodeServicesOptions {
  readonly reader: RegistryReader;
  /** Data folder. */
  readonly data: string;
  /** As base64. */
  readonly secretKey: string;
  readonly log: Log;
}

export class NodeServices {
  readonly #reader: RegistryReader;
  readonly #hub: ServiceHub;
  readonly signedObjects: SignedObjects;
  readonly faults: Faults;
  readonly #vault: Vault;

  constructor({ reader, data, secretKey, log }: NodeServicesOptions) {
    const key = Buffer.from(secretKey, "base64");
    const addressKey = deriveKey(key, "addresses of stored objects");
    const vault = createVault(key);
    this.#reader = reader;
    this.#vault = vault;
    this.#hub = new ServiceHub({
      records: () => reader.services(),
      secretsKey: () => JSON.stringify(reader.secrets(null)),
      configOf: (record) => openConfig(record, { vault, secrets: reader.secrets(null) }),
      folder: join(data, "services"),
      addressKey,
      now: () => performance.now(),
      log,
    });
    this.faults = new Faults({
      random: Math.random,
      wait: (ms, signal) => delay(ms, undefined, { signal }),
      log: (level, text) => log.write(level, text),
    });
    this.signedObjects = new SignedObjects({
      key: addressKey,
      actorOf: (id) => {
        const record = this.#record(id);
        return record?.type === "embedded" ? this.#hub.actor("storage", record.name) : null;
      },
      now: () => Date.now(),
    });
  }

  /** A new revision of the registry is there. */
  refresh(): void {
    this.#hub.refresh();
  }

  surroundingsOf({ endpoint, manifest }: VersionRecord): Surroundings {
    const record = this.#reader.get(endpoint)?.endpoint ?? { name: endpoint };
    return surroundingsOf(record, manifest, {
      hub: this.#hub,
      faults: this.faults,
      reader: this.#reader,
      unseal: (secret) => this.#vault.unseal(secret.sealed, secret),
      now: () => Date.now(),
    });
  }

  surroundingsKey({ endpoint }: Deployed): string {
    return surroundingsKey(endpoint, { reader: this.#reader });
  }

  /** Opens the service, available or not, and asks it. */
  async probe(id: string): Promise<ServiceProbe> {
    const record = this.#record(id);
    if (record === undefined) throw new EdgeError("SERVICE_NOT_FOUND");
    return this.#hub.probe(record);
  }

  /** As a handler that binds it would. */
  call(call: OperatorCall, args: PackedText): Promise<PackedText> {
    return callAsOperator(this.#hub, call, args);
  }

  queues(service: string): ServiceActor<QueueBackend> {
    return this.#hub.actor("queue", service);
  }

  stats(): ServiceStats[] {
    return this.#hub.stats();
  }

  close(): Promise<void> {
    return this.#hub.close();
  }

  #record(id: string): ServiceRecord | undefined {
    return [...BUILT_IN, ...this.#reader.services()].find((each) => each.id === id);
  }
}
