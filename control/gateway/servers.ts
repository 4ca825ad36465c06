// Servers of upstreams that were added while the node runs: beside those of the file, which they never replace. They
// are kept in a file of the data folder and stay until they are removed, or, those that have to renew themselves,
// until they have not done so for their time. What is written is in force in every worker when a call returns; a call
// that fails has changed nothing. A node that was not there to be told gives each its whole time anew.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { EdgeError } from "../../sdk/errors.ts";
import type { GatewayConfig, ServerConfig, UpstreamConfig } from "../../sdk/gateway/config.ts";
import type { UpstreamServers, ServerChange, ServerView } from "../../sdk/gateway/servers.ts";
import { writeWhole } from "../disk.ts";
import { parseInput } from "../parse.ts";
import { count, nameField, serverUrl } from "./fields.ts";
import { SERVERS_MAX, WEIGHT_MAX } from "./schema.ts";

const FILE = "servers.json";
/** Who is gone longer than a day and is still wanted is better written into the file. */
export const TTL_SEC_MAX = 86_400;

/** Between looks at whose time is over; also what a worker that did not take it is given. */
const LOOK_MS_MIN = 1_000;

export interface ServersClock {
  /** In milliseconds, and never set back. */
  now(): number;
  /** Returns what takes it back. */
  after(ms: number, wake: () => void): () => void;
}

export interface ServersOptions {
  /** The data folder. */
  readonly folder: string;
  readonly clock: ServersClock;
  /** As read from its file, without what is added here. */
  readonly file: () => GatewayConfig;
  /** Hands what `extend` now gives to every worker. */
  readonly deliver: () => Promise<void>;
  /** Of something that nobody waits for. */
  readonly report: (error: unknown) => void;
}

interface Added extends ServerConfig {
  readonly upstream: string;
  /** null: it stays until it is removed. */
  readonly ttlSec: number | null;
}

const ttl = count(1, TTL_SEC_MAX);
const weight = count(0, WEIGHT_MAX);

const changeSchema: z.ZodType<ServerChange, unknown> = z.strictObject({
  url: serverUrl,
  weight: weight.exactOptional(),
  ttlSec: ttl.nullable().exactOptional(),
});

const addedSchema: z.ZodType<readonly Added[], unknown> = z.array(
  z.strictObject({ upstream: nameField, url: serverUrl, weight, ttlSec: ttl.nullable() }),
);

export class AddedServers implements UpstreamServers {
  readonly #options: ServersOptions;
  readonly #path: string;
  /** By `keyOf`. */
  #servers: ReadonlyMap<string, Added>;
  /** When those that have to renew themselves end. */
  readonly #endsMs = new Map<string, number>();
  #cancel: () => void = () => undefined;
  /** One change after the other. */
  #last: Promise<unknown> = Promise.resolve();

  /** Throws GATEWAY_CONFIG_INVALID when the file is there and is not one that was written here. */
  constructor(options: ServersOptions) {
    this.#options = options;
    this.#path = join(options.folder, FILE);
    const added = readAdded(this.#path);
    this.#servers = new Map(added.map((server) => [keyOf(server.upstream, server.url), server]));
    for (const server of added) this.#renew(server);
    this.#wait();
  }

  /** Where the file has the same server, the file's holds. */
  extend(file: GatewayConfig): GatewayConfig {
    if (this.#servers.size === 0) return file;
    const upstreams = file.upstreams.map((upstream) => {
      const added = this.#of(upstream).map(({ url, weight }) => ({ url, weight }));
      return added.length === 0
        ? upstream
        : { ...upstream, servers: [...upstream.servers, ...added] };
    });
    return { ...file, upstreams };
  }

  list(name: string): readonly ServerView[] {
    const upstream = this.#upstream(name);
    const now = this.#options.clock.now();
    const file = upstream.servers.map((server): ServerView => {
      return { ...server, origin: "file", ttlSec: null, endsInSec: null };
    });
    const added = this.#of(upstream).map(({ url, weight, ttlSec }): ServerView => {
      const endsMs = this.#endsMs.get(keyOf(name, url));
      const endsInSec = endsMs === undefined ? null : Math.max(0, (endsMs - now) / 1_000);
      return { url, weight, origin: "api", ttlSec, endsInSec };
    });
    return [...file, ...added];
  }

  async put(name: string, input: unknown): Promise<ServerView> {
    const { url, ...change } = parseInput(changeSchema, input, {});
    return await this.#alone(async () => {
      const present = this.#find(name, url);
      const server: Added = {
        upstream: name,
        url,
        weight: change.weight ?? present?.weight ?? 1,
        ttlSec: change.ttlSec === undefined ? (present?.ttlSec ?? null) : change.ttlSec,
      };
      if (present === null && this.list(name).length >= SERVERS_MAX) {
        throw new EdgeError("INPUT_INVALID", `${name} has ${SERVERS_MAX} servers`);
      }
      return await this.#put(server, present);
    });
  }

  async change(name: string, input: unknown): Promise<ServerView> {
    const { url, ...change } = parseInput(changeSchema, input, {});
    return await this.#alone(async () => {
      const present = this.#present(name, url);
      return await this.#put({ ...present, ...change }, present);
    });
  }

  async remove(name: string, input: unknown): Promise<void> {
    const { url } = parseInput(changeSchema, { url: input }, {});
    return await this.#alone(async () => {
      await this.#drop([this.#present(name, url)]);
    });
  }

  close(): void {
    this.#cancel();
  }

  async #put(server: Added, present: Added | null): Promise<ServerView> {
    const { upstream, url } = server;
    const isSame = present?.weight === server.weight && present.ttlSec === server.ttlSec;
    // To renew itself is all that a server mostly does, and no worker has to know.
    if (!isSame) await this.#store(new Map(this.#servers).set(keyOf(upstream, url), server));
    this.#renew(server);
    this.#wait();
    const { clock } = this.#options;
    const endsMs = this.#endsMs.get(keyOf(upstream, url));
    const endsInSec = endsMs === undefined ? null : (endsMs - clock.now()) / 1_000;
    return { url, weight: server.weight, origin: "api", ttlSec: server.ttlSec, endsInSec };
  }

  async #drop(gone: readonly Added[]): Promise<void> {
    const left = new Map(this.#servers);
    for (const { upstream, url } of gone) left.delete(keyOf(upstream, url));
    await this.#store(left);
    for (const { upstream, url } of gone) this.#endsMs.delete(keyOf(upstream, url));
    this.#wait();
  }

  async #store(servers: ReadonlyMap<string, Added>): Promise<void> {
    const before = this.#servers;
    this.#servers = servers;
    try {
      this.#write();
      await this.#options.deliver();
    } catch (error) {
      this.#servers = before;
      this.#write();
      throw error;
    }
  }

  #write(): void {
    const text = JSON.stringify([...this.#servers.values()]);
    writeWhole(this.#path, Buffer.from(text), { temporary: `${this.#path}.new` });
  }

  #renew({ upstream, url, ttlSec }: Added): void {
    const key = keyOf(upstream, url);
    if (ttlSec === null) this.#endsMs.delete(key);
    else this.#endsMs.set(key, this.#options.clock.now() + ttlSec * 1_000);
  }

  #wait(): void {
    this.#cancel();
    this.#cancel = () => undefined;
    if (this.#endsMs.size === 0) return;
    const { clock, report } = this.#options;
    const waitMs = Math.max(LOOK_MS_MIN, Math.min(...this.#endsMs.values()) - clock.now());
    this.#cancel = clock.after(waitMs, () => {
      this.#alone(() => this.#expire()).catch((error: unknown) => {
        report(error);
        this.#wait();
      });
    });
  }

  async #expire(): Promise<void> {
    const now = this.#options.clock.now();
    const gone = [...this.#servers.values()].filter(
      ({ upstream, url }) => (this.#endsMs.get(keyOf(upstream, url)) ?? Infinity) <= now,
    );
    if (gone.length > 0) await this.#drop(gone);
    else this.#wait();
  }

  /** Throws UPSTREAM_NOT_FOUND. */
  #upstream(name: string): UpstreamConfig {
    const upstream = this.#options.file().upstreams.find((one) => one.name === name);
    if (upstream !== undefined) return upstream;
    throw new EdgeError("UPSTREAM_NOT_FOUND", `No upstream of the file is called ${name}`);
  }

  /** Throws UPSTREAM_NOT_FOUND, or SERVER_OF_FILE. */
  #find(name: string, url: string): Added | null {
    if (this.#upstream(name).servers.some((server) => server.url === url)) {
      throw new EdgeError("SERVER_OF_FILE", `${url} stands in the configuration file`);
    }
    return this.#servers.get(keyOf(name, url)) ?? null;
  }

  /** Throws SERVER_NOT_FOUND too. */
  #present(name: string, url: string): Added {
    const present = this.#find(name, url);
    if (present !== null) return present;
    throw new EdgeError("SERVER_NOT_FOUND", `${name} has no server ${url}`);
  }

  #of({ name, servers }: UpstreamConfig): Added[] {
    return [...this.#servers.values()].filter(
      ({ upstream, url }) => upstream === name && !servers.some((server) => server.url === url),
    );
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function keyOf(upstream: string, url: string): string {
  return `${upstream}\n${url}`;
}

function readAdded(path: string): readonly Added[] {
  try {
    return parseInput(addedSchema, JSON.parse(readFileSync(path, "utf8")), {});
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    const message = `${path} is damaged; without it the node has only the servers of its configuration file`;
    throw new EdgeError("GATEWAY_CONFIG_INVALID", message, { cause });
  }
}
