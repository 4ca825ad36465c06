// Policies that keep replies.

import { z } from "zod";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { duration, flag, headerName, list, methodField, size } from "../fields.ts";

/** Bodies are held in memory, those of many requests at once. */
const BODY_BYTES_MAX: number = 16 * 1024 * 1024;
const MIB: number = 1024 * 1024;

const bodySize = size().refine((bytes) => bytes <= BODY_BYTES_MAX, {
  error: "a size of at most 16MiB",
});

export const idempotency: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    header: headerName.default("idempotency-key"),
    methods: list(methodField, "methods", 20).default(["POST", "PATCH"]),
    required: flag().default(false),
    ttl: duration(1_000).default(86_400_000),
    lock: duration(1_000).default(60_000),
    wait: duration(0).default(30_000),
    maxBody: bodySize.default(MIB),
    maxReply: bodySize.default(MIB),
  })
  .transform(({ ttl, lock, wait, maxBody, maxReply, ...fields }): PolicyConfig => ({
    kind: "idempotency",
    ...fields,
    ttlMs: ttl,
    lockMs: lock,
    waitMs: wait,
    bodyBytesMax: maxBody,
    replyBytesMax: maxReply,
  }));

export const cache: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    ttl: duration(1_000).optional(),
    maxSize: bodySize.default(MIB),
    headers: list(headerName, "headers", 20).default([]),
    staleWhileRevalidate: duration(0).default(0),
    staleIfError: duration(0).default(0),
  })
  .transform(({ ttl, maxSize, headers, staleWhileRevalidate, staleIfError }): PolicyConfig => ({
    kind: "cache",
    ttlMs: ttl ?? 0,
    bytesMax: maxSize,
    headers,
    staleMs: staleWhileRevalidate,
    staleErrorMs: staleIfError,
  }));
