// The petstore's addresses, one object per pet: pets/ID, and orders/ID/NUMBER. There are no transactions; what has to
// happen once is a put under a condition, which is stored only where the object is still what was read.
// The embedded storage holds to it, and S3 servers that know If-Match; with others two buyers at once may both get a
// pet.

interface Env {
  readonly PETS: R2Bucket;
}

interface Pet {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly priceCents: number;
  readonly tags: readonly string[];
}

const STATUS = ["available", "pending", "sold"];
const PAGE_MAX = 100;
const httpMetadata = { contentType: "application/json" };

export default {
  async fetch(request: Request, { PETS: bucket }: Env): Promise<Response> {
    const url = new URL(request.url);
    const [, , id = "", part] = url.pathname.split("/");
    if (id === "") {
      if (request.method === "GET") return list(bucket, url.searchParams);
      if (request.method === "POST") return create(bucket, request);
    } else if (part === "orders") {
      if (request.method === "POST") return order(bucket, id, request);
    } else if (part === undefined) {
      if (request.method === "GET") return get(bucket, id);
      if (request.method === "PUT") return update(bucket, id, request);
      if (request.method === "DELETE") return remove(bucket, id);
    }
    return problem(404, "no such address");
  },
};

/** A status is known from the pet alone: pages are read until enough of them fit. */
async function list(bucket: R2Bucket, search: URLSearchParams): Promise<Response> {
  const limit = Number(search.get("limit") ?? PAGE_MAX);
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX)
    return problem(400, "limit is 1 to 100");
  const status = search.get("status");
  const pets: Pet[] = [];
  let startAfter = `pets/${search.get("after") ?? ""}`;
  for (;;) {
    const { objects, truncated } = await bucket.list({ prefix: "pets/", startAfter, limit });
    const found = await Promise.all(objects.map(({ key }) => read(bucket, key)));
    for (const each of found) {
      if (each !== null && (status === null || each.pet.status === status)) pets.push(each.pet);
    }
    if (pets.length >= limit || !truncated) return Response.json(pets.slice(0, limit));
    startAfter = objects.at(-1)?.key ?? startAfter;
  }
}

async function create(bucket: R2Bucket, request: Request): Promise<Response> {
  const id = crypto.randomUUID();
  const pet = await petOf(request, id);
  if (typeof pet === "string") return problem(400, pet);
  await bucket.put(`pets/${id}`, JSON.stringify(pet), { httpMetadata });
  return Response.json(pet, { status: 201, headers: { location: `/animals/${id}` } });
}

async function get(bucket: R2Bucket, id: string): Promise<Response> {
  const found = await read(bucket, `pets/${id}`);
  return found === null ? problem(404, "no such pet") : Response.json(found.pet);
}

async function update(bucket: R2Bucket, id: string, request: Request): Promise<Response> {
  const pet = await petOf(request, id);
  if (typeof pet === "string") return problem(400, pet);
  const before = await bucket.head(`pets/${id}`);
  if (before === null) return problem(404, "no such pet");
  const onlyIf = { etagMatches: before.etag };
  const stored = await bucket.put(`pets/${id}`, JSON.stringify(pet), { httpMetadata, onlyIf });
  return stored === null ? problem(409, "somebody else changed it") : Response.json(pet);
}

async function remove(bucket: R2Bucket, id: string): Promise<Response> {
  if ((await bucket.head(`pets/${id}`)) === null) return problem(404, "no such pet");
  await bucket.delete(`pets/${id}`);
  for (;;) {
    const { objects, truncated } = await bucket.list({ prefix: `orders/${id}/` });
    await bucket.delete(objects.map(({ key }) => key));
    if (!truncated) return new Response(null, { status: 204 });
  }
}

/** Two buyers at the same time: the etag of one of them is no longer the pet's. */
async function order(bucket: R2Bucket, id: string, request: Request): Promise<Response> {
  const buyer = field(await body(request), "buyer");
  if (typeof buyer !== "string" || buyer === "") return problem(400, "buyer is missing");
  const found = await read(bucket, `pets/${id}`);
  if (found === null || found.pet.status !== "available")
    return problem(409, "the pet is not available");
  const sold = JSON.stringify({ ...found.pet, status: "sold" });
  const onlyIf = { etagMatches: found.etag };
  if ((await bucket.put(`pets/${id}`, sold, { httpMetadata, onlyIf })) === null)
    return problem(409, "the pet is not available");
  const number = crypto.randomUUID();
  const made = { id: number, pet: id, buyer };
  await bucket.put(`orders/${id}/${number}`, JSON.stringify(made), { httpMetadata });
  return Response.json(made, { status: 201 });
}

async function read(
  bucket: R2Bucket,
  key: string,
): Promise<{ readonly pet: Pet; readonly etag: string } | null> {
  const object = await bucket.get(key);
  return object === null ? null : { pet: (await object.json()) as Pet, etag: object.etag };
}

/** What the request says of a pet, or what is wrong with it. */
async function petOf(request: Request, id: string): Promise<Pet | string> {
  const given = await body(request);
  const name = field(given, "name");
  const status = field(given, "status") ?? "available";
  const priceCents = field(given, "priceCents") ?? 0;
  const tags = field(given, "tags") ?? [];
  if (typeof name !== "string" || name === "") return "name is missing";
  if (typeof status !== "string" || !STATUS.includes(status))
    return `status is ${STATUS.join(", ")}`;
  if (typeof priceCents !== "number" || !Number.isSafeInteger(priceCents) || priceCents < 0)
    return "priceCents is a whole number";
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string"))
    return "tags are texts";
  return { id, name, status, priceCents, tags };
}

async function body(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function problem(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

interface R2Object {
  readonly key: string;
  readonly etag: string;
}

interface R2Bucket {
  head(key: string): Promise<R2Object | null>;
  get(key: string): Promise<(R2Object & { json(): Promise<unknown> }) | null>;
  put(key: string, value: string, options: object): Promise<R2Object | null>;
  delete(keys: string | readonly string[]): Promise<void>;
  list(options: object): Promise<{ readonly objects: R2Object[]; readonly truncated: boolean }>;
}
