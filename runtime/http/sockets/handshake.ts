// What RFC 6455 asks of a handshake and neither listener checks: a request that fails is answered as one that asks for
// no WebSocket.

import type { Exchange } from "../../../sdk/exchange.ts";

const VERSION = "13";
/** Sixteen bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** null: it is one; else what is wrong, in words. */
export function refuseHandshake(exchange: Pick<Exchange, "method" | "header">): string | null {
  if (exchange.method !== "GET") return "A handshake is a GET.";
  if (exchange.header("upgrade")?.toLowerCase() !== "websocket") return "Upgrade is not websocket.";
  const connection = exchange.header("connection") ?? "";
  const tokens = connection.split(",").map((token) => token.trim().toLowerCase());
  if (!tokens.includes("upgrade")) return "Connection does not name upgrade.";
  if (exchange.header("sec-websocket-version") !== VERSION) return `The version is not ${VERSION}.`;
  return KEY.test(exchange.header("sec-websocket-key") ?? "") ? null : "The key is not valid.";
}
