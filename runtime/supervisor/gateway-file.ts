// The configuration file while the node runs: read at start, where a fault ends it, and again whenever it
// changes or SIGHUP comes, where a fault is logged and everything stays as it was. A configuration is in force when
// every worker has taken it. The services that it names go into the registry; its other parts are the gateway's.

import { watch, type FSWatcher } from "node:fs";
import { dirname, join } from "node:path";
import { readConfigFile } from "../../control/gateway/config.ts";
import type { Variables } from "../../control/gateway/yaml.ts";
import type { FileServices } from "../../control/services/file.ts";
import { EdgeError } from "../../sdk/errors.ts";
import { EMPTY_GATEWAY, type GatewayConfig } from "../../sdk/gateway/config.ts";
import type { PolicyConfig } from "../../sdk/gateway/policies.ts";
import type { Log } from "../observe/log.ts";
import { withFlags, type TlsFlags } from "./tls/flags.ts";

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
  /** Resolves when the node has them; false: it had. Rejects where they stand against what the registry has. */
  readonly takeServices: (file: FileServices) => Promise<boolean>;
  /** Resolves when every worker serves by it. */
  readonly deliver: (config: GatewayConfig) => Promise<void>;
}

export class GatewayFile {
  readonly #options: GatewayFileOptions;
  /** As read. */
  #file: GatewayConfig;
  /** null: no file says anything of them, and they stay. */
  #services: FileServices | null;
  /** With what `extend` adds. */
  #config: GatewayConfig;
  #extend: (file: GatewayConfig) => GatewayConfig = (file) => file;
  #ports: ReloadPorts | null = null;
  #flags: TlsFlags | null = null;
  /** By folder. */
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | null = null;
  /** One reload after the other. */
  #last: Promise<void> = Promise.resolve();
  #counts = { ok: 0, failed: 0 };

  /** Throws GATEWAY_CONFIG_INVALID. */
  constructor(options: GatewayFileOptions) {
    this.#options = options;
    const { gateway, services } = this.#read();
    this.#file = gateway;
    this.#services = services;
    this.#config = this.#file;
  }

  /** There is something to read again. */
  get isThere(): boolean {
    return this.#options.path !== null || this.#flags !== null;
  }

  /** Before `follow`. Throws GATEWAY_CONFIG_INVALID. */
  secure(flags: TlsFlags | null): void {
    this.#flags = flags;
    this.#file = withFlags(this.#file, flags);
    this.#config = this.#extend(this.#file);
  }

  /** Before `follow`: what is in force is what `extend` makes of the file. */
  extendBy(extend: (file: GatewayConfig) => GatewayConfig): void {
    this.#extend = extend;
    this.#config = extend(this.#file);
  }

  /** What a worker that starts now is told. */
  get config(): GatewayConfig {
    return this.#config;
  }

  /** Without what was added to it. */
  get file(): GatewayConfig {
    return this.#file;
  }

  /** Reloads since the start, by how they ended. */
  get reloads(): { readonly ok: number; readonly failed: number } {
    return this.#counts;
  }

  /** Rejects with what `ports` has against the configuration that is there. */
  async follow(ports: ReloadPorts): Promise<void> {
    ports.check(this.#config);
    // What endpoints have become while it stood in the file keeps no node from starting.
    if (this.#services !== null) await ports.takeServices({ ...this.#services, faults: {} });
    if (!this.isThere) return;
    this.#ports = ports;
    this.#watch();
  }

  /** Never rejects. */
  reload(): Promise<void> {
    this.#last = this.#last.then(() => this.#reload());
    return this.#last;
  }

  /** What is added to the file has changed. Rejects when a worker does not take it; then all is as it was. */
  refresh(): Promise<void> {
    const done = this.#last.then(async () => void (await this.#take(this.#file, null)));
    this.#last = done.catch(() => undefined);
    return done;
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#ports = null;
  }

  #read(): { readonly gateway: GatewayConfig; readonly services: FileServices | null } {
    const { path, variables } = this.#options;
    const { gateway, services } =
      path === null ? { gateway: EMPTY_GATEWAY, services: null } : readConfigFile(path, variables);
    return { gateway: withFlags(gateway, this.#flags), services };
  }

  /** The file, and certificates and lists of revoked tokens: whoever writes them tells nobody. */
  #files(): string[] {
    const { path } = this.#options;
    const { certificates = [], clientCaFile = "" } = this.#config.tls ?? {};
    const files = certificates.flatMap(({ certFile, keyFile }) => [certFile, keyFile]);
    if (clientCaFile !== "") files.push(clientCaFile);
    for (const { policies } of this.#config.routes) files.push(...revokedFiles(policies));
    return path === null ? files : [path, ...files];
  }

  /** Their folders, since most editors put another file in the old one's place. */
  #watch(): void {
    const files = this.#files();
    const folders = new Set(files.map((file) => dirname(file)));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (!this.#watchers.has(folder)) this.#watchFolder(folder);
    }
  }

  #watchFolder(folder: string): void {
    const isOurs = (name: string): boolean =>
      name === MOUNTED || this.#files().includes(join(folder, name));
    const watcher = watch(folder, { persistent: false }, (_event, name) => {
      if (name === null || isOurs(name)) this.#later();
    });
    this.#watchers.set(folder, watcher);
    watcher.on("error", (error) => {
      const text = `${folder} is not watched any more: ${error.message}. SIGHUP still reloads.`;
      this.#options.log.write("warn", text);
    });
  }

  #later(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.reload(), SETTLE_MS);
  }

  async #reload(): Promise<void> {
    const { path, log } = this.#options;
    if (this.#ports === null) return;
    const what = path ?? "The certificate";
    try {
      const { gateway, services } = this.#read();
      if (!(await this.#take(gateway, services))) return;
      this.#counts.ok++;
      this.#watch();
      const { routes, upstreams } = this.#config;
      const named = Object.keys(services?.byName ?? {}).length;
      const counts = `${routes.length} routes, ${upstreams.length} upstreams, ${named} services`;
      log.write("info", `${what} was reloaded: ${counts}.`);
    } catch (error) {
      this.#counts.failed++;
      const why = error instanceof EdgeError ? error.message : String(error);
      log.write("error", `${what} was not reloaded, the running configuration stays. ${why}`);
    }
  }

  /** False: nothing is different. */
  async #take(file: GatewayConfig, services: FileServices | null): Promise<boolean> {
    const ports = this.#ports;
    if (ports === null) return false;
    const config = this.#extend(file);
    const before = { file: this.#file, config: this.#config };
    const isSame = JSON.stringify(config) === JSON.stringify(before.config);
    if (!isSame) ports.check(config);
    // All of them or none, so that a fault there leaves the gateway as it was.
    const areServicesNew = services !== null && (await ports.takeServices(services));
    if (isSame) return areServicesNew;
    try {
      // First, so that no worker starts with the old one and is not told.
      this.#file = file;
      this.#config = config;
      await ports.deliver(config);
      return true;
    } catch (error) {
      this.#file = before.file;
      this.#config = before.config;
      throw error;
    }
  }
}

function revokedFiles(policies: readonly PolicyConfig[]): string[] {
  return policies.flatMap((policy) => {
    if (policy.kind === "anyOf") return revokedFiles(policy.methods);
    return policy.kind === "jwt" && policy.revoked !== null && policy.revoked.file !== ""
      ? [policy.revoked.file]
      : [];
  });
}
