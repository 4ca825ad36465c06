// A route's policies, compiled once: each is made into a step on the way in, one on the way out, or both. A request
// runs through arrays of functions; what is not configured is not there.

import type { AuthPolicy, PolicyConfig } from "../../sdk/gateway/policies.ts";
import type { ReplyStep } from "./filtered-exchange.ts";
import type { Pass } from "./pass.ts";
import { createBodyLimit } from "./policies/limits/body-limit.ts";
import { createCors } from "./policies/content/cors.ts";
import { createHeaders } from "./policies/content/headers.ts";
import { createApiKey } from "./policies/auth/api-key.ts";
import { createAuth } from "./policies/auth/auth.ts";
import { createBasic } from "./policies/auth/basic.ts";
import { createForwardAuth } from "./policies/auth/forward-auth.ts";
import { createIpFilter } from "./policies/auth/ip-filter.ts";
import { createJwt } from "./policies/auth/jwt.ts";
import type { Method } from "./policies/auth/method.ts";
import { createConcurrency } from "./policies/limits/concurrency.ts";
import { createLoadShed } from "./policies/limits/load-shed.ts";
import { createMtls } from "./policies/auth/mtls.ts";
import { createRateLimit } from "./policies/limits/rate-limit.ts";
import { createCompression } from "./policies/content/compression.ts";
import { createCustom } from "./policies/custom/custom.ts";
import { createErrorPages } from "./policies/content/error-pages.ts";
import { createQuery } from "./policies/content/query.ts";
import { createSecurityHeaders } from "./policies/content/security-headers.ts";
import { createValidation } from "./policies/content/validation.ts";
import { createFault } from "./policies/traffic/fault.ts";
import { createMirror } from "./policies/traffic/mirror.ts";
import { createRequestId } from "./policies/traffic/request-id.ts";
import { createMaintenance } from "./policies/traffic/maintenance.ts";
import { createCache } from "./policies/stored/cache.ts";
import { createIdempotency } from "./policies/stored/idempotency.ts";
import { createTimeout } from "./policies/limits/timeout.ts";
import type { PolicyHost } from "./policies/contract.ts";

/** True: go on. Otherwise the step has answered. */
export type Step = (pass: Pass) => boolean | Promise<boolean>;

export interface Policy {
  readonly onRequest?: Step;
  readonly onReply?: ReplyStep;
}

export interface Chain {
  readonly kinds: readonly string[];
  readonly steps: readonly Step[];
  readonly replySteps: readonly ReplyStep[];
}

export function compileChain(policies: readonly PolicyConfig[], host: PolicyHost): Chain {
  const made = policies.map((policy) => createPolicy(policy, host));
  return {
    kinds: policies.map(({ kind }) => kind),
    steps: made.flatMap(({ onRequest }) => onRequest ?? []),
    replySteps: made.flatMap(({ onReply }) => onReply ?? []),
  };
}

function createPolicy(policy: PolicyConfig, host: PolicyHost): Policy {
  switch (policy.kind) {
    case "ipFilter":
      return createIpFilter(policy);
    case "rateLimit":
      return createRateLimit(policy, host);
    case "mtls":
      return createMtls(policy, host);
    case "jwt":
    case "apiKey":
    case "basic":
    case "forwardAuth":
      return createAuth({ methods: [createMethod(policy, host)], ...policy }, host);
    case "anyOf": {
      const methods = policy.methods.map((method) => createMethod(method, host));
      return createAuth({ methods, required: policy.required }, host);
    }
    case "cors":
      return createCors(policy);
    case "headers":
      return createHeaders(policy);
    case "query":
      return createQuery(policy);
    case "requestId":
      return createRequestId(policy);
    case "mirror":
      return createMirror(policy, host);
    case "concurrency":
      return createConcurrency(policy, host);
    case "loadShed":
      return createLoadShed(policy, host);
    case "bodyLimit":
      return createBodyLimit(policy.bytesMax);
    case "timeout":
      return createTimeout(policy.totalMs);
    case "compression":
      return createCompression(policy);
    case "cache":
      return createCache(policy, host);
    case "idempotency":
      return createIdempotency(policy, host);
    case "securityHeaders":
      return createSecurityHeaders(policy);
    case "errorPages":
      return createErrorPages(policy);
    case "maintenance":
      return createMaintenance(policy);
    case "fault":
      return createFault(policy, host);
    case "validation":
      return createValidation(policy);
    case "custom":
      return createCustom(policy, host);
  }
}

function createMethod(policy: AuthPolicy, host: PolicyHost): Method {
  switch (policy.kind) {
    case "jwt":
      return createJwt(policy, host);
    case "apiKey":
      return createApiKey(policy, host);
    case "basic":
      return createBasic(policy, host);
    case "forwardAuth":
      return createForwardAuth(policy, host);
  }
}

/** Runs `then` unless a step has answered. What a step throws ends the request. */
export function runSteps(steps: readonly Step[], pass: Pass, then: (pass: Pass) => void): void {
  for (let index = 0; index < steps.length; index++) {
    const goesOn = steps[index]?.(pass) ?? true;
    if (goesOn === false) return;
    if (goesOn !== true) {
      void finishSteps(goesOn, steps.slice(index + 1), pass, then);
      return;
    }
  }
  then(pass);
}

async function finishSteps(
  first: Promise<boolean>,
  rest: readonly Step[],
  pass: Pass,
  then: (pass: Pass) => void,
): Promise<void> {
  try {
    if (!(await first)) return;
    for (const step of rest) if (!(await step(pass))) return;
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    pass.ticket.fail("INTERNAL", text);
    return;
  }
  // The client may have gone away meanwhile, or the listener has refused its body.
  if (pass.ticket.exchange.state === "open") then(pass);
}
