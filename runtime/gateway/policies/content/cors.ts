// Cross-origin requests of browsers (the fetch standard, "CORS protocol"). Preflights are answered here, without the
// target; every other reply, refusals of later policies and failures among them, says who may read it. What the target
// itself says of CORS is replaced: two answers are none to a browser.

import type { CorsPolicy } from "../../../../sdk/gateway/policies.ts";
import { headerOf, withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { HeaderList } from "../../../../sdk/exchange.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";

const OURS: ReadonlySet<string> = new Set([
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-expose-headers",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-max-age",
]);

/** An OPTIONS request that asks on behalf of another one. */
export function isPreflight({ exchange }: Pass): boolean {
  return (
    exchange.method === "OPTIONS" &&
    exchange.header("origin") !== undefined &&
    exchange.header("access-control-request-method") !== undefined
  );
}

export function createCors(config: CorsPolicy): Policy {
  const { credentials, maxAgeSec, exposeHeaders } = config;
  const isAny = config.origins.includes("*");
  const origins = new Set(config.origins.map((origin) => origin.toLowerCase()));
  const varies = !isAny;
  const exposed =
    exposeHeaders.length === 0
      ? ""
      : `access-control-expose-headers\n${exposeHeaders.join(", ")}\n`;
  const allowCredentials = credentials ? "access-control-allow-credentials\ntrue\n" : "";
  const preflight =
    `access-control-allow-methods\n${config.methods.join(", ")}\n` +
    (config.headers.length === 0
      ? ""
      : `access-control-allow-headers\n${config.headers.join(", ")}\n`) +
    `access-control-max-age\n${maxAgeSec}\n`;

  /** "" where the origin may not read. */
  const allowed = (pass: Pass): HeaderList => {
    const origin = pass.exchange.header("origin");
    if (origin === undefined) return "";
    if (isAny) return "access-control-allow-origin\n*\n";
    if (!origins.has(origin.toLowerCase())) return "";
    return `access-control-allow-origin\n${origin}\n${allowCredentials}`;
  };

  return {
    onRequest(pass) {
      if (!isPreflight(pass)) return true;
      const allow = allowed(pass);
      // Says also what an origin may not: its browser stops there. The reply's own fields are added on its way out.
      pass.ticket.exchange.reply(204, allow === "" ? "" : preflight, null);
      return false;
    },
    onReply(pass, head) {
      const isOurs = isPreflight(pass);
      const kept = isOurs ? head.headers : withoutHeaders(head.headers, OURS);
      const allow = allowed(pass);
      const shown = allow === "" || isOurs ? "" : exposed;
      head.headers = (varies ? withVary(kept) : kept) + allow + shown;
    },
  };
}

/** A second field of the name adds to the first. */
function withVary(headers: HeaderList): HeaderList {
  const vary = headerOf(headers, "vary") ?? "";
  return /(?:^|,)\s*(?:origin|\*)\s*(?:,|$)/i.test(vary) ? headers : `${headers}vary\nOrigin\n`;
}
