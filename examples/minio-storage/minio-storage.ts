// GET    /objects?prefix=P            lists
// POST   /objects                     stores the field `file` of a form, under the field `key` or the file's name
// GET    /objects/KEY                 reads, with ranges and conditions
// PUT    /objects/KEY                 stores the body, streamed
// DELETE /objects/KEY
//
// GET    /addresses/KEY               where anybody may fetch it for five minutes, without this handler
//
// What is larger than one request, in parts of at least 5 MiB (the last may be smaller):
// POST   /uploads/KEY                 -> { uploadId }
// PUT    /uploads/KEY?uploadId&part=N -> { partNumber, etag }
// POST   /uploads/KEY?uploadId        with a list of these: makes the object
// DELETE /uploads/KEY?uploadId        gives up

const ADDRESS_SECONDS = 300;

interface Env {
  readonly FILES: R2Bucket;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    const [, kind = "", ...rest] = url.pathname.split("/");
    const key = decodeURIComponent(rest.join("/"));
    if (kind === "uploads") return upload(request, env.FILES, { key, query: url.searchParams });
    if (kind === "addresses") {
      const address = await env.FILES.presign(key, ADDRESS_SECONDS);
      return Response.json({ address: new URL(address, request.url).href });
    }
    if (key === "") return collection(request, env.FILES, url.searchParams.get("prefix") ?? "");
    switch (request.method) {
      case "GET":
        return read(request, env.FILES, key);
      case "PUT": {
        const httpMetadata = { contentType: request.headers.get("content-type") ?? undefined };
        const object = await env.FILES.put(key, request.body, { httpMetadata });
        return Response.json({ key, size: object.size, etag: object.etag }, { status: 201 });
      }
      case "DELETE":
        await env.FILES.delete(key);
        return Response.json({ key, deleted: true });
      default:
        return new Response("GET, PUT or DELETE\n", { status: 405 });
    }
  },
};

async function collection(request: Request, files: R2Bucket, prefix: string): Promise<Response> {
  if (request.method === "GET") {
    const { objects, truncated } = await files.list({ prefix });
    const list = objects.map(({ key, size, uploaded }) => ({ key, size, last_modified: uploaded }));
    return Response.json({ prefix, objects: list, truncated });
  }
  const form = await request.formData();
  const file = form.get("file");
  if (!(file instanceof File)) {
    return Response.json({ error: "send a form with a field `file`" }, { status: 400 });
  }
  const key = String(form.get("key") ?? file.name);
  const { size } = await files.put(key, file, { httpMetadata: { contentType: file.type } });
  return Response.json({ key, size, message: "Upload successful" }, { status: 201 });
}

async function read(request: Request, files: R2Bucket, key: string): Promise<Response> {
  const object = await files.get(key, { range: request.headers, onlyIf: request.headers });
  if (object === null) return new Response("Not found\n", { status: 404 });
  const headers = new Headers({ etag: object.httpEtag, "accept-ranges": "bytes" });
  object.writeHttpMetadata(headers);
  if (!("body" in object)) {
    const isFresh =
      request.headers.has("if-none-match") || request.headers.has("if-modified-since");
    return new Response(null, { status: isFresh ? 304 : 412, headers });
  }
  if (!request.headers.has("range")) return new Response(object.body, { headers });
  const { offset, length } = object.range;
  headers.set("content-range", `bytes ${offset}-${offset + length - 1}/${object.size}`);
  return new Response(object.body, { status: 206, headers });
}

async function upload(
  request: Request,
  files: R2Bucket,
  { key, query }: { key: string; query: URLSearchParams },
): Promise<Response> {
  const uploadId = query.get("uploadId");
  if (uploadId === null) {
    const begun = await files.createMultipartUpload(key);
    return Response.json({ uploadId: begun.uploadId }, { status: 201 });
  }
  const resumed = files.resumeMultipartUpload(key, uploadId);
  switch (request.method) {
    case "PUT":
      return Response.json(await resumed.uploadPart(Number(query.get("part")), request.body));
    case "POST": {
      const { size, etag } = await resumed.complete((await request.json()) as UploadedPart[]);
      return Response.json({ key, size, etag }, { status: 201 });
    }
    default:
      await resumed.abort();
      return new Response(null, { status: 204 });
  }
}

// What is used here of Workers' types (@cloudflare/workers-types has all of them).
interface UploadedPart {
  readonly partNumber: number;
  readonly etag: string;
}

interface R2Object {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly httpEtag: string;
  readonly uploaded: Date;
  writeHttpMetadata(headers: Headers): void;
}

interface R2ObjectBody extends R2Object {
  readonly body: ReadableStream;
  readonly range: { readonly offset: number; readonly length: number };
}

interface R2Bucket {
  presign(key: string, seconds: number): Promise<string>;
  get(key: string, options: object): Promise<R2ObjectBody | R2Object | null>;
  put(key: string, value: unknown, options: object): Promise<R2Object>;
  delete(key: string): Promise<void>;
  list(options: object): Promise<{ objects: R2Object[]; truncated: boolean }>;
  createMultipartUpload(key: string): Promise<{ readonly uploadId: string }>;
  resumeMultipartUpload(key: string, uploadId: string): R2MultipartUpload;
}

interface R2MultipartUpload {
  uploadPart(number: number, value: unknown): Promise<UploadedPart>;
  complete(parts: readonly UploadedPart[]): Promise<R2Object>;
  abort(): Promise<void>;
}
