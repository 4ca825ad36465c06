// The configuration's consumers, as policies meet them: found by a key or a name, known to what stands behind by
// headers, to the access log by name.

import { hash } from "node:crypto";
import type { ConsumerConfig, PasswordHash } from "../../../../sdk/gateway/policies.ts";
import type { Step } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import type { LimitCells } from "../../shared/limit-cells.ts";
import { createTake, type LimitHost } from "../limits/rate-limit.ts";
import { ACCEPTED, type Verdict } from "./method.ts";

export const CONSUMER_HEADERS: readonly string[] = ["x-consumer", "x-consumer-groups"];

/** Of as many bytes as hashes have; nothing is known that has them. */
const NO_HASH = Buffer.alloc(32).toString("base64");
const NO_PASSWORD: PasswordHash = { kind: "sha256", hash: "0".repeat(64) };

export interface Consumer {
  readonly name: string;
  readonly groups: readonly string[];
  readonly password: PasswordHash | null;
  /** Counts a request of it, over all routes; false: refused, and answered. */
  readonly limit: Step | null;
  readonly limitId: string;
  /** Headers for what stands behind. */
  readonly headers: string;
}

export interface ConsumersHost {
  /** Asked for when one of them has a limit. */
  readonly limits: () => LimitCells;
  readonly stores: LimitHost["stores"];
  readonly counted: LimitHost["counted"];
}

export class Consumers {
  /** One of them has a limit of its own. */
  readonly areLimited: boolean;
  /** What a password is compared with where nobody has that name: it costs as much, and never fits. */
  readonly decoy: PasswordHash;
  readonly #byName = new Map<string, Consumer>();
  /**
   * By the key's SHA-256: what a look-up's time tells is of the hash, and leads nobody nearer to a key. Keys are long
   * and random, unlike passwords, so a quick hash is enough.
   */
  readonly #byKey = new Map<string, Consumer>();

  constructor(configs: readonly ConsumerConfig[], { limits, stores, counted }: ConsumersHost) {
    for (const { name, groups, keys, password, limit } of configs) {
      const take =
        limit === null ? null : createTake(limit, { limits: limits(), stores, route: "", counted });
      const consumer = {
        name,
        groups,
        password,
        limit: take,
        limitId: limit?.id ?? "",
        headers:
          `x-consumer\n${name}\n` +
          (groups.length === 0 ? "" : `x-consumer-groups\n${groups.join(",")}\n`),
      };
      this.#byName.set(name, consumer);
      for (const key of keys) this.#byKey.set(key, consumer);
    }
    const costly = configs.find(({ password }) => password?.kind === "scrypt")?.password;
    this.decoy = costly?.kind === "scrypt" ? { ...costly, hash: NO_HASH } : NO_PASSWORD;
    this.areLimited = configs.some(({ limit }) => limit !== null);
  }

  named(name: string): Consumer | undefined {
    return this.#byName.get(name);
  }

  withKey(key: string): Consumer | undefined {
    return this.#byKey.get(hash("sha256", key, "hex"));
  }
}

/** `groups`: one of these, where there are any. */
export function admit(pass: Pass, consumer: Consumer, groups: readonly string[]): Verdict {
  const { name } = consumer;
  pass.ticket.consumer = name;
  if (groups.length > 0 && !groups.some((group) => consumer.groups.includes(group))) {
    return { kind: "refused", code: "CONSUMER_DENIED", reason: "group", challenge: "" };
  }
  pass.consumer = consumer;
  pass.headers += consumer.headers;
  return ACCEPTED;
}
