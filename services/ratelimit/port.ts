// The call of a rate-limit binding (runtime/guest/services/rate-limit.ts makes it).
//
//   limit  [key]  -> [success, remaining, ms until a call is forgotten]

import {
  RATE_KEY_BYTES_MAX,
  type RateBackend,
  type RateRule,
} from "../../sdk/services/ratelimit.ts";
import type { ServicePort } from "../../sdk/services/service.ts";
import type { ServiceActor } from "../actor.ts";
import { limitText, readText } from "../arguments.ts";
import { createPort } from "../port.ts";

export interface RatePortOptions {
  readonly actor: ServiceActor<RateBackend>;
  readonly scope: string;
  readonly rule: RateRule;
  /** The endpoint. */
  readonly caller: string;
}

export function createRatePort({ actor, scope, rule, caller }: RatePortOptions): ServicePort {
  return createPort({
    methods: {
      async limit([key], { signal }) {
        const name = limitText(readText(key, "key"), "The key", RATE_KEY_BYTES_MAX);
        const decision = await actor.run(async (rates) => rates.count(scope, name, rule), {
          caller,
          signal,
        });
        return [decision.success, decision.remaining, decision.resetMs];
      },
    },
  });
}
