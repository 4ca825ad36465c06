// Mails that an embedded service keeps instead of sending them. `service`: without it, the one that is always there.

import { isUtf8 } from "node:buffer";
import type { Hono } from "hono";
import { EdgeError, type Json } from "../../sdk/errors.ts";
import { EMBEDDED } from "../../sdk/services/built-in.ts";
import type { Value } from "../../sdk/services/values.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";

const LISTED = 50;
const LISTED_MAX = 1_000;

/** As services/email/operator.ts gives it. */
type Mail = readonly [
  id: string,
  sentAt: string,
  messageId: string,
  from: string,
  to: readonly string[],
  bytes: number,
];

export function addMailRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const ask = (context: AdminContext, method: string, args: readonly Value[]): Promise<Value> => {
    const { name, type } = deps.services.find(context.req.query("service") ?? EMBEDDED);
    if (type !== EMBEDDED) {
      const text = `${name} is of type ${type}; embedded services keep mails`;
      const detail = { fields: [{ field: "service", text }] };
      throw new EdgeError("INPUT_INVALID", `service: ${text}`, { detail });
    }
    return deps.callService({ kind: "email", service: name, scope: "", method }, args);
  };

  app.get("/api/outbox", async (context) => {
    const limit = Number(context.req.query("limit") ?? LISTED);
    if (!Number.isInteger(limit) || limit < 1 || limit > LISTED_MAX) {
      const text = `a whole number from 1 to ${LISTED_MAX}`;
      const detail = { fields: [{ field: "limit", text }] };
      throw new EdgeError("INPUT_INVALID", `limit: ${text}`, { detail });
    }
    const mails = (await ask(context, "list", [limit])) as unknown as readonly Mail[];
    return succeed(context, mails.map(mailView));
  });

  app.get("/api/outbox/:id", async (context) => {
    const id = context.req.param("id");
    const raw = await ask(context, "read", [id]);
    if (!(raw instanceof Uint8Array)) throw new EdgeError("MAIL_NOT_FOUND");
    const bytes = Buffer.from(raw);
    const content = isUtf8(bytes)
      ? { raw: bytes.toString("utf8") }
      : { base64: bytes.toString("base64") };
    return succeed(context, { id, bytes: bytes.byteLength, ...content });
  });
}

function mailView([id, sentAt, messageId, from, to, bytes]: Mail): Json {
  return { id, sent_at: sentAt, message_id: messageId, from, to: [...to], bytes };
}
