// What the examples answer that use the helpers of islet/sdk.

import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { TestNode } from "../node.ts";

export type Ask = (path: string, init?: RequestInit) => Promise<{ status: number; body: unknown }>;

export async function checkQuery(ask: Ask): Promise<void> {
  // A client cannot say where it is.
  const spoofed = { headers: { "CF-Connecting-IP": "192.0.2.1" } };
  expect(await ask("/search?kind=dog&page=2&limit=5", spoofed)).toEqual({
    status: 200,
    body: {
      animals: [12, 14, 16, 18, 20].map((id) => ({ id, kind: "dog" })),
      total: 12,
      asked: { by: "127.0.0.1", as: expect.stringMatching(/^[a-z0-9]{22}$/) as string },
    },
  });
  const wrong: Readonly<Record<string, string>> = {
    "/search": "Bad request: Missing required query parameter: kind",
    "/search?kind=cat&page=two": "Bad request: Invalid value for query parameter: page",
    "/search?kind=cat&limit=101": "Validation error: limit is 1 to 100",
  };
  for (const [path, error] of Object.entries(wrong)) {
    expect(await ask(path)).toEqual({ status: 400, body: { error } });
  }
}

export async function checkErrors(ask: Ask): Promise<void> {
  const told: Readonly<Record<string, readonly [number, string]>> = {
    badRequest: [400, "Bad request: as you wished"],
    notFound: [404, "Not found: as you wished"],
    payloadTooLarge: [413, "Payload too large: as you wished"],
    "too-young": [422, "Unprocessable entity: 12 is too young"],
    other: [409, "Conflict: the name is taken"],
    databaseError: [500, "Database error"],
    serviceUnavailable: [503, "Service unavailable"],
  };
  for (const [name, [status, error]] of Object.entries(told)) {
    expect(await ask(`/errors/${name}`)).toEqual({ status, body: { error } });
  }
}

export async function checkUpload(node: TestNode): Promise<void> {
  const bytes = new Uint8Array(100_000).map((_, index) => index % 256);
  const form = new FormData();
  form.append("title", "Käthe");
  form.append("picture", new File([bytes], "cat.png", { type: "image/png" }));
  const { status, text } = await node.get("/uploads", { method: "POST", body: form });
  expect([status, JSON.parse(text)]).toEqual([
    201,
    {
      title: "Käthe",
      name: "cat.png",
      type: "image/png",
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    },
  ]);
}
