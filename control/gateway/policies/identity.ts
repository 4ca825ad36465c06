// Whether policies that go by who asks can know it.

import type { AuthPolicy, ConsumerConfig, PolicyConfig } from "../../../sdk/gateway/policies.ts";
import type { Finding } from "../faults.ts";
import { nearest } from "../suggestion.ts";
import type { Path } from "../yaml.ts";

type ConsumerFields = Readonly<Record<string, Omit<ConsumerConfig, "name">>>;

/** A key is one consumer's. */
export function consumersOf(fields: ConsumerFields, found: Finding[]): ConsumerConfig[] {
  const owners = new Map<string, string>();
  return Object.entries(fields).map(([name, { limit, ...rest }]) => {
    for (const [index, key] of rest.keys.entries()) {
      const owner = owners.get(key);
      if (owner !== undefined) {
        const problem = `it is a key of "${owner}" already`;
        found.push({ path: ["consumers", name, "keys", index], expected: "another key", problem });
      }
      owners.set(key, name);
    }
    const own = limit === null ? null : { ...limit, id: `consumer ${name}` };
    return { name, ...rest, limit: own };
  });
}

export function checkClaims(policies: readonly PolicyConfig[], path: Path, found: Finding[]): void {
  const methods = methodsOf(policies);
  for (const policy of policies) {
    if (policy.kind !== "rateLimit" && policy.kind !== "concurrency") continue;
    const claim = policy.key.find(({ kind }) => kind === "jwt");
    if (claim !== undefined && !methods.some(({ kind }) => kind === "jwt")) {
      const problem = `a ${policy.kind} by jwt:${claim.name} without a jwt policy`;
      found.push({ path, expected: "a jwt policy on the same route", problem });
    }
    const isByConsumer = policy.key.some(({ kind }) => kind === "consumer");
    if (isByConsumer && !methods.some(({ kind }) => kind === "apiKey" || kind === "basic")) {
      const problem = `a ${policy.kind} by consumer without a policy that tells who it is`;
      found.push({ path, expected: "apiKey or basic on the same route", problem });
    }
  }
}

interface ConsumerPlace {
  readonly path: Path;
  readonly consumers: ConsumerFields;
}

/** Somebody can pass. */
export function checkConsumers(
  policies: readonly PolicyConfig[],
  { path, consumers }: ConsumerPlace,
  found: Finding[],
): void {
  const all = Object.values(consumers);
  const known = new Set(all.flatMap(({ groups }) => groups));
  for (const policy of methodsOf(policies)) {
    if (policy.kind !== "apiKey" && policy.kind !== "basic") continue;
    const isKey = policy.kind === "apiKey";
    const isEmpty = !all.some(({ keys, password }) =>
      isKey ? keys.length > 0 : password !== null,
    );
    if (isEmpty) {
      const what = isKey ? "keys" : "a password";
      const problem = `${policy.kind} without a consumer that has ${what}`;
      found.push({ path, expected: `consumers with ${what}`, problem });
    }
    const odd = policy.groups.find((group) => !known.has(group));
    if (odd === undefined || isEmpty) continue;
    const suggestion = nearest(odd, [...known]) ?? "";
    const problem = `no consumer is in the group "${odd}"`;
    found.push({ path, expected: "groups that consumers are in", problem, suggestion });
  }
}

function methodsOf(policies: readonly PolicyConfig[]): AuthPolicy[] {
  return policies.flatMap((policy) => {
    switch (policy.kind) {
      case "anyOf":
        return policy.methods;
      case "jwt":
      case "apiKey":
      case "basic":
      case "forwardAuth":
        return [policy];
      default:
        return [];
    }
  });
}
