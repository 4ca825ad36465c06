// The services of a worker, as its other parts see them: joined to the registry, to the node's key and to the log.

import { join } from "node:path";
import type { RegistryReader, ServiceStats } from "../../../sdk/node.ts";
import type { Deployed, VersionRecord } from "../../../sdk/records.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import type { Log } from "../../observe/log.ts";
import { ServiceHub } from "./hub.ts";
import { surroundingsKey, surroundingsOf, type Surroundings } from "./surroundings.ts";

export interface NodeServicesOptions {
  readonly reader: RegistryReader;
  /** Data folder. */
  readonly data: string;
  readonly log: Log;
}

export class NodeServices {
  readonly #reader: RegistryReader;
  readonly #hub: ServiceHub;

  constructor({ reader, data, log }: NodeServicesOptions) {
    this.#reader = reader;
    this.#hub = new ServiceHub({
      records: () => reader.services(),
      secretsKey: () => JSON.stringify(reader.secrets(null)),
      configOf: ({ config }) => config,
      folder: join(data, "services"),
      now: () => performance.now(),
      log,
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
      reader: this.#reader,
      unseal: ({ name }) => {
        throw new EdgeError("INTERNAL", `The secret ${name} cannot be opened.`);
      },
      now: () => Date.now(),
    });
  }

  surroundingsKey({ endpoint }: Deployed): string {
    return surroundingsKey(endpoint, { reader: this.#reader });
  }

  stats(): ServiceStats[] {
    return this.#hub.stats();
  }

  close(): Promise<void> {
    return this.#hub.close();
  }
}
