// A policy in TypeScript: a handler of this node with `onRequest`, `onResponse` and `onError`, which run in its isolate
// under its limits (decisions/033). Heads cross, bodies do not. The first call of a request tells which of the other
// methods there are; only for those is a reply held back. A method that fails fails the request: what it was to
// check has not been checked.

import type { Exchange, HeaderList } from "../../../../sdk/exchange.ts";
import type { CustomPolicy } from "../../../../sdk/gateway/policies.ts";
import { infoOf } from "../../../../sdk/errors.ts";
import { headerOf, withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { Policy } from "../../chain.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";
import { HeldReply, type Judge, type Verdict } from "./held-reply.ts";
import {
  parseHeaders,
  parseOutcome,
  parseRequest,
  type PolicyMethod,
  type PolicyOutcome,
} from "./outcome.ts";

/** What frames a body that goes on as it came is not a policy's to change. */
const FRAMING: ReadonlySet<string> = new Set(["content-length", "transfer-encoding"]);

export function createCustom(policy: CustomPolicy, host: PolicyHost): Policy {
  const calls = new Calls(policy, host);
  return {
    onRequest: async (pass) => {
      const { exchange: client } = pass.ticket;
      const outcome = await calls.run(pass, "onRequest", { client, reply: null });
      if (outcome === null) return false;
      const { change, hasResponse, hasError } = outcome;
      const request = change === null ? null : parseRequest(change);
      if (change !== null && request === null) return calls.distrust(pass);
      if (request !== null) {
        pass.url = request.url;
        pass.headers = request.headers;
      }
      if ((hasResponse || hasError) && pass.exchange.state === "open") {
        const judge = judgeOf(calls, pass, { hasResponse, hasError });
        pass.ticket.exchange = new HeldReply(pass.ticket.exchange, judge);
      }
      return true;
    },
  };
}

function judgeOf(
  calls: Calls,
  pass: Pass,
  { hasResponse, hasError }: Pick<PolicyOutcome, "hasResponse" | "hasError">,
): Judge {
  return (head, client) => {
    const { failure } = pass.ticket;
    if (failure === null ? !hasResponse : !hasError) return null;
    return judge(calls, pass, head, client);
  };
}

async function judge(
  calls: Calls,
  pass: Pass,
  head: ReplyHead,
  client: Exchange,
): Promise<Verdict> {
  const method = pass.ticket.failure === null ? "onResponse" : "onError";
  const outcome = await calls.run(pass, method, { client, reply: head });
  if (outcome === null || outcome.change === null) return outcome === null ? "drop" : "pass";
  const headers = parseHeaders(outcome.change);
  if (headers === null) {
    calls.distrust(pass);
    return "drop";
  }
  head.headers = withFraming(headers, head.headers);
  return "pass";
}

function withFraming(changed: HeaderList, original: HeaderList): HeaderList {
  const length = headerOf(original, "content-length");
  const rest = withoutHeaders(changed, FRAMING);
  return length === undefined ? rest : `${rest}content-length\n${length}\n`;
}

interface CallParts {
  readonly client: Exchange;
  readonly reply: ReplyHead | null;
}

class Calls {
  readonly #policy: CustomPolicy;
  readonly #host: PolicyHost;
  readonly #path: string;

  constructor(policy: CustomPolicy, host: PolicyHost) {
    this.#policy = policy;
    this.#host = host;
    this.#path = `/${host.route}`;
  }

  /** null: the request has its end. */
  async run(
    pass: Pass,
    method: PolicyMethod,
    { client, reply }: CallParts,
  ): Promise<PolicyOutcome | null> {
    const { endpoint } = this.#policy;
    const text = this.#text(pass, reply);
    const end = await this.#host.runPolicy({ endpoint, method, path: this.#path, text, client });
    if (end.kind === "replied") return null;
    const outcome = end.kind === "ended" ? parseOutcome(end.text) : null;
    if (outcome !== null) return outcome;
    if (end.kind === "failed") fail(pass, client, end.code);
    else this.distrust(pass, client);
    return null;
  }

  /** An isolate that says what ours does not say. */
  distrust(pass: Pass, client: Exchange = pass.exchange): false {
    fail(pass, client, "HANDLER_BAD_RESPONSE");
    return false;
  }

  #text(pass: Pass, reply: ReplyHead | null): string {
    const { exchange, params, address, claims, ticket } = pass;
    const { failure } = ticket;
    const { options } = this.#policy;
    return JSON.stringify({
      method: exchange.method,
      url: `${exchange.scheme}://${exchange.authority}${pass.url}`,
      headers: pass.headers,
      options,
      route: this.#host.route,
      params,
      address,
      claims,
      reply: failure === null ? reply : null,
      error: failure === null ? null : { code: failure, status: infoOf(failure).status },
    });
  }
}

/** Past the reply that is held back, which the client does not get. */
function fail(
  { ticket }: Pass,
  client: Exchange,
  code: Parameters<Pass["ticket"]["fail"]>[0],
): void {
  ticket.exchange = client;
  ticket.fail(code);
}
