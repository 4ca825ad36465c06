// Lets through whom one of a route's methods accepts, asked in their order. A request that holds nothing for any of
// them is anonymous, which passes where credentials are not required; one that holds wrong ones never does.

import { withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";
import { showLimit } from "../limits/rate-limit.ts";
import type { Method, Refused, Verdict } from "./method.ts";

export interface AuthOptions {
  readonly methods: readonly Method[];
  readonly required: boolean;
}

/** What has been said against a request so far. */
interface Objections {
  challenge: string;
  /** The one that is answered with. */
  refused: Refused | null;
}

export function createAuth({ methods, required }: AuthOptions, host: PolicyHost): Policy {
  const owned = new Set(methods.flatMap((method) => method.owned));
  const accepted = (pass: Pass): boolean | Promise<boolean> => {
    pass.isKnown = true;
    return pass.consumer?.limit?.(pass) ?? true;
  };
  const denied = (pass: Pass, { challenge, refused }: Objections): boolean => {
    if (refused === null && !required) return true;
    host.counted("edge_auth_failures_total", refused?.reason ?? "missing");
    if (refused?.reply !== undefined) {
      const { status, headers, body } = refused.reply;
      pass.ticket.answered(refused.code);
      pass.ticket.exchange.reply(status, headers, body);
    } else {
      const { code, logged } = refused ?? { code: "CREDENTIALS_INVALID" as const };
      pass.ticket.fail(code, logged, challenge);
    }
    return false;
  };

  /** From the method of that index on. */
  const run = (pass: Pass, objections: Objections, from: number): boolean | Promise<boolean> => {
    for (let index = from; index < methods.length; index++) {
      const verdict = methods[index]?.ask(pass);
      if (verdict === undefined) continue;
      if (verdict instanceof Promise) return runLater(verdict, pass, { objections, index });
      if (verdict.kind === "accepted") return accepted(pass);
      object(objections, verdict);
    }
    return denied(pass, objections);
  };
  const runLater = async (
    verdict: Promise<Verdict>,
    pass: Pass,
    { objections, index }: { readonly objections: Objections; readonly index: number },
  ): Promise<boolean> => {
    const said = await verdict;
    if (said.kind === "accepted") return accepted(pass);
    object(objections, said);
    return run(pass, objections, index + 1);
  };

  return {
    onRequest(pass) {
      if (owned.size > 0) pass.headers = withoutHeaders(pass.headers, owned);
      return run(pass, { challenge: "", refused: null }, 0);
    },
    ...(host.consumers.areLimited && {
      onReply: (pass, head) => {
        if (pass.consumer !== null) showLimit(pass, head, pass.consumer.limitId);
      },
    }),
  };
}

/** The weightiest counts: that nobody could say comes before a no, since it may end; a reply before a mere code. */
function object(objections: Objections, verdict: Exclude<Verdict, { kind: "accepted" }>): void {
  if (!objections.challenge.includes(verdict.challenge)) objections.challenge += verdict.challenge;
  if (verdict.kind === "absent") return;
  if (objections.refused === null || weight(verdict) > weight(objections.refused)) {
    objections.refused = verdict;
  }
}

function weight({ code, reply }: Refused): number {
  if (code === "TOKEN_KEYS_UNAVAILABLE" || code === "AUTH_UNAVAILABLE" || code === "OVERLOADED") {
    return 3;
  }
  return reply === undefined ? (code === "CONSUMER_DENIED" ? 1 : 0) : 2;
}
