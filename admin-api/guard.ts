// Who may talk to the admin API: bearers of the token, under a name that is the node's own.
//
// The host check is against DNS rebinding: a page on evil.example whose name suddenly resolves to 127.0.0.1
// is same-origin with whatever listens there, but its requests still say Host: evil.example. There is no CORS:
// no other origin reads answers.

import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { EdgeError } from "../sdk/errors.ts";
import type { AdminEnv } from "./envelope.ts";

const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);
const BEARER: RegExp = /^Bearer +([^\s]+)$/i;

export function hostGuard(boundTo: string): MiddlewareHandler<AdminEnv> {
  const isLoopback = LOOPBACK.has(boundTo) || boundTo === "::1" || boundTo.startsWith("127.");
  return async (context, next) => {
    if (isLoopback && !LOOPBACK.has(hostnameOf(context.req.header("host")))) {
      throw new EdgeError("HOST_REFUSED");
    }
    await next();
  };
}

/** Without its port; "" when it is no host. */
function hostnameOf(host: string | undefined): string {
  const url = `http://${host ?? ""}`;
  return URL.canParse(url) ? new URL(url).hostname : "";
}

export function tokenGuard(token: string): MiddlewareHandler<AdminEnv> {
  const expected = digestOf(token);
  return async (context, next) => {
    const given = BEARER.exec(context.req.header("authorization") ?? "")?.[1];
    // Digests have one length whatever is given, so the comparison tells nothing about the token.
    if (given === undefined || !timingSafeEqual(digestOf(given), expected)) {
      throw new EdgeError("UNAUTHORIZED");
    }
    await next();
  };
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
