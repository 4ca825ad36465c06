// The shape of every answer: the seeds' { success, data, error } and our { ok, error_detail, request_id }.

import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { errorData, infoOf, type Json } from "../sdk/errors.ts";

/** Variables of a request, set by the first middleware. */
export interface AdminEnv {
  Variables: { requestId: string };
}

export type AdminContext = Context<AdminEnv>;

export interface Envelope {
  readonly ok: boolean;
  readonly success: boolean;
  readonly data: unknown;
  readonly error: string | null;
  readonly error_detail?: Json;
  readonly request_id: string;
}

export function successOf(data: unknown, requestId: string): Envelope {
  return { ok: true, success: true, data, error: null, request_id: requestId };
}

export function failureOf(error: unknown, requestId: string): Envelope {
  const { code, message, detail = {} } = errorData(error);
  return {
    ok: false,
    success: false,
    data: null,
    error: message,
    error_detail: { code, message, detail },
    request_id: requestId,
  };
}

export function statusOf(error: unknown): number {
  return infoOf(errorData(error).code).status;
}

export function succeed(context: AdminContext, data: unknown, status = 200): Response {
  return respond(context, successOf(data, context.get("requestId")), status);
}

export function respond(context: AdminContext, envelope: Envelope, status: number): Response {
  context.header("content-type", "application/json");
  // Every status comes from the error table or from the routes; none of them forbids a body.
  return context.newResponse(JSON.stringify(envelope), status as ContentfulStatusCode);
}
