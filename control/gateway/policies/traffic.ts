// Policies that say what a request is called, and who else gets it.

import { z } from "zod";
import { ID_SOURCES, type PolicyConfig } from "../../../sdk/gateway/policies.ts";
import type { Finding } from "../faults.ts";
import { count, duration, headerName, nameField, oneOf, share, size } from "../fields.ts";
import { nearest } from "../suggestion.ts";
import type { Path } from "../yaml.ts";

/** Copies are kept until they are sent: with the most that may be open, as much as a worker has for them. */
const MIRROR_BODY_MAX: number = 1024 * 1024;
const MIRROR_OPEN_MAX = 1_024;

export const requestId: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    accept: oneOf(ID_SOURCES).default("trusted"),
    header: headerName.default("x-request-id"),
  })
  .transform((fields): PolicyConfig => ({ kind: "requestId", ...fields }));

export const mirror: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    upstream: nameField,
    share: share(0).default(1),
    maxBody: size()
      .refine((bytes) => bytes <= MIRROR_BODY_MAX, { error: "a size of at most 1MiB" })
      .default(64 * 1024),
    maxOpen: count(1, MIRROR_OPEN_MAX).default(64),
    timeout: duration(10).default(30_000),
  })
  .transform(({ maxBody, maxOpen, timeout, ...fields }): PolicyConfig => ({
    kind: "mirror",
    ...fields,
    bodyBytesMax: maxBody,
    openMax: maxOpen,
    timeoutMs: timeout,
  }));

/** Upstreams that policies name are there. */
export function checkUpstreams(
  policies: readonly PolicyConfig[],
  { path, upstreams }: { readonly path: Path; readonly upstreams: readonly string[] },
  found: Finding[],
): void {
  for (const [index, policy] of policies.entries()) {
    for (const name of namedBy(policy)) {
      if (upstreams.includes(name)) continue;
      const inside = policy.kind === "anyOf" ? [] : ["upstream"];
      found.push({
        path: [...path, index, policy.kind, ...inside],
        expected: upstreams.length === 0 ? "one below upstreams" : `one of ${upstreams.join(", ")}`,
        problem: `no upstream is called "${name}"`,
        suggestion: nearest(name, upstreams) ?? "",
      });
    }
  }
}

function namedBy(policy: PolicyConfig): string[] {
  switch (policy.kind) {
    case "mirror":
      return [policy.upstream];
    case "forwardAuth":
      return policy.upstream === undefined ? [] : [policy.upstream];
    case "anyOf":
      return policy.methods.flatMap(namedBy);
    default:
      return [];
  }
}
