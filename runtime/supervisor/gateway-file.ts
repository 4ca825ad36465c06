// The gateway's configuration file while the node runs: read at start, where a fault ends it, and again whenever it
// changes or SIGHUP comes, where a fault is logged and everything stays as it was. A configuration is in force when
// every worker has taken it.

import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import { readGatewayConfig } from "../../control/gateway/config.ts";
import type { Variables } from "../../control/gateway/yaml.ts";
import { EdgeError } from "../../sdk/errors.ts";
import { EMPTY_GATEWAY, type GatewayConfig } from "../../sdk/gateway/config.ts";
import type { Log } from "../observe/log.ts";

/** Editors write a file in several steps; the last one counts. */
const SETTLE_MS = 100;

/** Kubernetes puts another folder in this link's place. */
const MOUNTED = "..data";

export interface GatewayFileOptions {
  /** null: the node was started without. */
  readonly path: string | null;
  /** What `${VAR}` stands for: the environment that the node was started with. */
  readonly variables: Variables;
  readonly log: Log;
}

export interface ReloadPorts {
  /** Throws where its routes stand against those of endpoints. */
  readonly check: (config: GatewayConfig) => void;
  /** Resolves when every worker serves by it. */
  readonly deliver: (config: GatewayConfig) => Promise<void>;
}

export class GatewayFile {
  readonly #options: GatewayFileOptions;
  #config: GatewayConfig;
  #ports: ReloadPorts | null = null;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** One reload after the other. */
  #last: Promise<void> = Promise.resolve();
  #counts = { ok: 0, failed: 0 };

  /** Throws GATEWAY_CONFIG_INVALID. */
  constructor(options: GatewayFileOptions) {
    const { path, variables } = options;
    this.#options = options;
    this.#config = path === null ? EMPTY_GATEWAY : readGatewayConfig(path, variables);
  }

  get isThere(): boolean {
    return this.#options.path !== null;
  }

  /** What a worker that starts now is told. */
  get config(): GatewayConfig {
    return this.#config;
  }

  /** Reloads since the start, by how they ended. */
  get reloads(): { readonly ok: number; readonly failed: number } {
    return this.#counts;
  }

  /** Throws what `check` has against the configuration that is there. */
  follow(ports: ReloadPorts): void {
    const { path, log } = this.#options;
    ports.check(this.#config);
    if (path === null) return;
    this.#ports = ports;
    // The folder, since most editors put another file in the old one's place.
    this.#watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(path) || name === MOUNTED) this.#later();
    });
    this.#watcher.on("error", (error) => {
      log.write(
        "warn",
        `${path} is not watched any more: ${error.message}. SIGHUP still reloads it.`,
      );
    });
  }

  /** Never rejects. */
  reload(): Promise<void> {
    this.#last = this.#last.then(() => this.#reload());
    return this.#last;
  }

  close(): void {
    this.#watcher?.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#ports = null;
  }

  #later(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.reload(), SETTLE_MS);
  }

  async #reload(): Promise<void> {
    const { path, variables, log } = this.#options;
    const ports = this.#ports;
    if (path === null || ports === null) return;
    const before = this.#config;
    try {
      const config = readGatewayConfig(path, variables);
      if (JSON.stringify(config) === JSON.stringify(before)) return;
      ports.check(config);
      // First, so that no worker starts with the old one and is not told.
      this.#config = config;
      await ports.deliver(config);
      this.#counts.ok++;
      const { routes, upstreams } = config;
      const counts = `${routes.length} routes, ${upstreams.length} upstreams`;
      log.write("info", `${path} was reloaded: ${counts}.`);
    } catch (error) {
      this.#config = before;
      this.#counts.failed++;
      const why = error instanceof EdgeError ? error.message : String(error);
      log.write("error", `${path} was not reloaded, the running configuration stays. ${why}`);
    }
  }
}
