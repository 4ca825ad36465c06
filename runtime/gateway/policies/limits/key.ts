// Whom a request is counted for. A key that is not there (no such header, no such claim) is the client's address:
// leaving it out must not be a way around.

import { addressBits } from "../../../../sdk/gateway/cidr.ts";
import type { KeySource } from "../../../../sdk/gateway/policies.ts";
import type { Pass } from "../../pass.ts";

const API_KEY = "x-api-key";
/** Whole networks of this size belong to one customer, who may use any address of it. */
const IPV6_HOST_BITS = 64n;
const IPV4_BITS = 32n;
/** What stands before them in an IPv4 address that is written as IPv6. */
const MAPPED = 0xffffn;

export function createKey(key: readonly KeySource[], route: string): (pass: Pass) => string {
  const sources = key.map((source) => keyOf(source, route));
  const [only] = sources;
  return sources.length === 1 && only !== undefined
    ? only
    : (pass) => sources.map((source) => source(pass)).join("\n");
}

/** Each kind says what it is, so that a header cannot pass for an address. */
function keyOf({ kind, name }: KeySource, route: string): (pass: Pass) => string {
  const otherwise = (pass: Pass): string => `ip ${networkOf(pass.address)}`;
  switch (kind) {
    case "ip":
      return otherwise;
    case "route":
      return () => `route ${route}`;
    case "consumer":
      return (pass) => consumerOf(pass) ?? otherwise(pass);
    case "apiKey":
      return (pass) => consumerOf(pass) ?? headerOf(pass, API_KEY) ?? otherwise(pass);
    case "header":
      return (pass) => headerOf(pass, name) ?? otherwise(pass);
    case "jwt":
      return (pass) => {
        const claims = pass.claims ?? {};
        const value: unknown = Object.hasOwn(claims, name) ? claims[name] : undefined;
        return typeof value === "string" || typeof value === "number"
          ? `jwt ${value}`
          : otherwise(pass);
      };
  }
}

function consumerOf({ consumer }: Pass): string | undefined {
  return consumer === null ? undefined : `consumer ${consumer.name}`;
}

function headerOf({ exchange }: Pass, name: string): string | undefined {
  const value = exchange.header(name);
  return value === undefined || value === "" ? undefined : `${name} ${value}`;
}

function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const bits = addressBits(address);
  if (bits === null) return address;
  return bits >> IPV4_BITS === MAPPED ? ipv4Of(bits) : (bits >> IPV6_HOST_BITS).toString(16);
}

/** Proxies that listen for both write IPv4 addresses like this: all of IPv4 would be one network. */
function ipv4Of(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join(".");
}
