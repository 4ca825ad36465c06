// The objects of storage services: listed, read, stored and deleted by an operator, up to 4 MiB each; what is larger
// goes through a handler. `?scope=` names the part that a binding has; without it a service's whole bucket is meant, or
// of the embedded storage the scope "".
//
//   /api/storage/{service}/objects[/{key…}]     in envelopes
//   /api/minio/objects[/{key…}]                 the seeds' shapes, of the first S3 service (else the embedded storage)
//
// With ?encoding=base64 content goes in and out as JSON, for the command line.

import type { Hono } from "hono";
import { parseInput } from "../../control/parse.ts";
import { EdgeError } from "../../sdk/errors.ts";
import { EMBEDDED } from "../../sdk/services/built-in.ts";
import { OPERATOR_BYTES_MAX } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import { readBytes, readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";
import { putObjectSchema } from "../schemas.ts";

/** As base64 in JSON. */
const BODY_BYTES_MAX: number = Math.ceil((OPERATOR_BYTES_MAX * 4) / 3) + 4_096;
const STORAGE = "/api/storage/:service/objects";
const MINIO = "/api/minio/objects";
const DEFAULT_TYPE = "application/octet-stream";

/** As services/storage/port.ts gives it. */
interface Stored {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly uploadedMs: number;
  readonly http: { readonly contentType: string | null };
}

interface Listing {
  readonly objects: readonly Stored[];
  readonly prefixes: readonly string[];
  readonly cursor: string | null;
}

interface Place {
  readonly service: string;
  readonly scope: string;
}

interface ObjectView {
  readonly key: string;
  readonly size: number;
  readonly last_modified: string;
  readonly etag: string;
  readonly content_type: string | null;
}

type Ask = (place: Place, method: string, args: readonly Value[]) => Promise<Value>;

export function addObjectRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const ask: Ask = ({ service, scope }, method, args) =>
    deps.callService({ kind: "storage", service, scope, method }, args);
  const placeOf = (context: AdminContext): Place => {
    const service = context.req.param("service") ?? "";
    return {
      service: service === EMBEDDED ? EMBEDDED : deps.services.find(service).name,
      scope: context.req.query("scope") ?? "",
    };
  };
  const one = `${STORAGE}/:key{.+}`;
  app.get(STORAGE, async (context) => succeed(context, await list(context, ask, placeOf(context))));
  app.get(one, async (context) => {
    const found = await read(ask, placeOf(context), keyOf(context));
    if (context.req.query("encoding") !== "base64") return bytesOf(found);
    const content = Buffer.from(found.bytes).toString("base64");
    return succeed(context, { ...viewOf(found.object), content });
  });
  app.put(one, async (context) => {
    const key = keyOf(context);
    const stored = await store(ask, placeOf(context), { key, ...(await contentOf(context)) });
    return succeed(context, viewOf(stored), 201);
  });
  app.delete(one, async (context) => {
    const key = keyOf(context);
    await ask(placeOf(context), "delete", [[key]]);
    return succeed(context, { key, deleted: true });
  });
  addSeedRoutes(app, deps, ask);
}

/** Bare answers, without an envelope; failures are in one all the same. */
function addSeedRoutes(app: Hono<AdminEnv>, { registry }: AdminDeps, ask: Ask): void {
  const place = (): Place & { readonly bucket: string } => {
    const service = registry
      .services()
      .find(({ type, state }) => type === "minio" && state === "available");
    const bucket = service?.config["bucket"];
    return {
      service: service?.name ?? EMBEDDED,
      scope: "",
      bucket: typeof bucket === "string" ? bucket : EMBEDDED,
    };
  };
  app.get(MINIO, async (context) => {
    const { prefix, objects } = await list(context, ask, place());
    const short = objects.map(({ key, size, last_modified }) => ({ key, size, last_modified }));
    return context.json({ bucket: place().bucket, prefix, objects: short });
  });
  app.post(MINIO, async (context) => {
    const bytes = await readBytes(context.req.raw, BODY_BYTES_MAX);
    const headers = { "content-type": context.req.header("content-type") ?? "" };
    const form = await new Response(bytes, { headers }).formData().catch(() => null);
    const file = form?.get("file");
    if (!(file instanceof File)) throw new EdgeError("INPUT_INVALID", "file: a file is expected");
    const given = form?.get("key");
    const key = typeof given === "string" && given !== "" ? given : file.name;
    const body = new Uint8Array(await file.arrayBuffer());
    const { size } = await store(ask, place(), { key, body, type: file.type });
    return context.json({ key, bucket: place().bucket, size, message: "Upload successful" }, 201);
  });
  app.get(`${MINIO}/:key{.+}`, async (context) =>
    bytesOf(await read(ask, place(), keyOf(context))),
  );
  app.delete(`${MINIO}/:key{.+}`, async (context) => {
    const key = keyOf(context);
    await ask(place(), "delete", [[key]]);
    return context.json({ key, bucket: place().bucket, deleted: true });
  });
}

async function list(
  context: AdminContext,
  ask: Ask,
  place: Place,
): Promise<{
  readonly prefix: string;
  readonly objects: readonly Omit<ObjectView, "content_type">[];
  readonly prefixes: readonly string[];
  readonly cursor: string | null;
}> {
  const query = (name: string): string | null => context.req.query(name) ?? null;
  const prefix = query("prefix") ?? "";
  const limit = query("limit");
  const options = {
    prefix,
    delimiter: query("delimiter"),
    cursor: query("cursor"),
    limit: limit === null ? null : Number(limit),
  };
  const { objects, prefixes, cursor } = (await ask(place, "list", [options])) as unknown as Listing;
  // A listing says no types.
  const views = objects.map(viewOf).map(({ content_type: _none, ...view }) => view);
  return { prefix, objects: views, prefixes, cursor };
}

async function read(
  ask: Ask,
  place: Place,
  key: string,
): Promise<{ readonly object: Stored; readonly bytes: Uint8Array }> {
  const answer = await ask(place, "get", [key, {}]);
  if (!Array.isArray(answer)) throw new EdgeError("OBJECT_NOT_FOUND");
  // One that goes on comes as [head, pieces].
  const parts = answer as readonly Value[];
  const [head, pieces] = Array.isArray(parts[0]) ? parts : [parts, null];
  const [object, , whole] = head as readonly [Stored, unknown, Uint8Array | null];
  return { object, bytes: whole ?? Buffer.concat(pieces as readonly Uint8Array[]) };
}

async function store(
  ask: Ask,
  place: Place,
  { key, body, type }: { key: string; body: Uint8Array; type: string },
): Promise<Stored> {
  if (body.byteLength > OPERATOR_BYTES_MAX) {
    throw new EdgeError("BODY_TOO_LARGE", undefined, { detail: { bytesMax: OPERATOR_BYTES_MAX } });
  }
  const http = type === "" ? {} : { contentType: type };
  return (await ask(place, "put", [key, body, { http }])) as unknown as Stored;
}

async function contentOf(
  context: AdminContext,
): Promise<{ readonly body: Uint8Array; readonly type: string }> {
  const { raw } = context.req;
  if (context.req.query("encoding") !== "base64") {
    const type = context.req.header("content-type") ?? "";
    return { body: await readBytes(raw, OPERATOR_BYTES_MAX), type };
  }
  const { content, type } = parseInput(putObjectSchema, await readJson(raw, BODY_BYTES_MAX), {});
  return { body: Buffer.from(content, "base64"), type: type ?? "" };
}

/** Never shown by a browser as a page of this address. */
function bytesOf({ object, bytes }: { object: Stored; bytes: Uint8Array }): Response {
  const headers = {
    "content-type": object.http.contentType ?? DEFAULT_TYPE,
    "content-disposition": "attachment",
    etag: `"${object.etag}"`,
  };
  return new Response(bytes, { headers });
}

function viewOf({ key, size, etag, uploadedMs, http }: Stored): ObjectView {
  const last_modified = new Date(uploadedMs).toISOString();
  return { key, size, last_modified, etag, content_type: http.contentType };
}

function keyOf(context: AdminContext): string {
  return context.req.param("key") ?? "";
}
