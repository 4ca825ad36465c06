// list, create, get, update and delete over HTTP, and an order that sells a pet once. The same code runs on SQLite,
// which is embedded, and on Postgres.

import type { SqlDatabase, SqlRow } from "islet/sdk";
import schema from "./schema.sql";

interface Env {
  readonly DB: SqlDatabase;
}

const STATUS = ["available", "pending", "sold"];
const PAGE_MAX = 100;

let ready: Promise<unknown> | undefined;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    // Once per isolate; a failure is tried again by the next request.
    ready ??= env.DB.exec(schema);
    try {
      await ready;
    } catch (error) {
      ready = undefined;
      throw error;
    }
    const url = new URL(request.url);
    const [, , id, part] = url.pathname.split("/");
    if (id === undefined || id === "") {
      if (request.method === "GET") return list(env.DB, url.searchParams);
      if (request.method === "POST") return create(env.DB, request);
    } else if (part === "orders") {
      if (request.method === "POST") return order(env.DB, id, request);
    } else if (part === undefined) {
      if (request.method === "GET") return get(env.DB, id);
      if (request.method === "PUT") return update(env.DB, id, request);
      if (request.method === "DELETE") return remove(env.DB, id);
    }
    return problem(404, "no such address");
  },
};

async function list(db: SqlDatabase, search: URLSearchParams): Promise<Response> {
  const limit = Number(search.get("limit") ?? PAGE_MAX);
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX)
    return problem(400, "limit is 1 to 100");
  const status = search.get("status");
  const after = search.get("after") ?? "";
  const rows =
    status === null
      ? await db.query("SELECT * FROM pets WHERE id > ? ORDER BY id LIMIT ?", [after, limit])
      : await db.query("SELECT * FROM pets WHERE status = ? AND id > ? ORDER BY id LIMIT ?", [
          status,
          after,
          limit,
        ]);
  return Response.json(rows.map(shown));
}

async function create(db: SqlDatabase, request: Request): Promise<Response> {
  const pet = await read(request);
  if (typeof pet === "string") return problem(400, pet);
  const id = crypto.randomUUID();
  const row = await db.queryOne(
    "INSERT INTO pets (id, name, status, price_cents, tags) VALUES (?, ?, ?, ?, ?) RETURNING *",
    [id, ...pet],
  );
  return Response.json(shown(row ?? {}), { status: 201, headers: { location: `/pets/${id}` } });
}

async function get(db: SqlDatabase, id: string): Promise<Response> {
  const row = await db.queryOne("SELECT * FROM pets WHERE id = ?", [id]);
  return row === null ? problem(404, "no such pet") : Response.json(shown(row));
}

async function update(db: SqlDatabase, id: string, request: Request): Promise<Response> {
  const pet = await read(request);
  if (typeof pet === "string") return problem(400, pet);
  const row = await db.queryOne(
    "UPDATE pets SET name = ?, status = ?, price_cents = ?, tags = ? WHERE id = ? RETURNING *",
    [...pet, id],
  );
  return row === null ? problem(404, "no such pet") : Response.json(shown(row));
}

async function remove(db: SqlDatabase, id: string): Promise<Response> {
  const deleted = await db.transaction(async (tx) => {
    await tx.execute("DELETE FROM orders WHERE pet = ?", [id]);
    return tx.execute("DELETE FROM pets WHERE id = ?", [id]);
  });
  return deleted === 0 ? problem(404, "no such pet") : new Response(null, { status: 204 });
}

/** Two buyers at the same time: one of them finds the pet sold. */
async function order(db: SqlDatabase, id: string, request: Request): Promise<Response> {
  const buyer = field(await body(request), "buyer");
  if (typeof buyer !== "string" || buyer === "") return problem(400, "buyer is missing");
  const number = crypto.randomUUID();
  const sold = await db.transaction(async (tx) => {
    const change = "UPDATE pets SET status = 'sold' WHERE id = ? AND status = 'available'";
    if ((await tx.execute(change, [id])) === 0) return false;
    await tx.execute("INSERT INTO orders (id, pet, buyer) VALUES (?, ?, ?)", [number, id, buyer]);
    return true;
  });
  if (!sold) return problem(409, "the pet is not available");
  return Response.json({ id: number, pet: id, buyer }, { status: 201 });
}

/** The columns behind the id, in their order, or what is wrong. */
async function read(request: Request): Promise<readonly unknown[] | string> {
  const given = await body(request);
  const name = field(given, "name");
  const status = field(given, "status") ?? "available";
  const price = field(given, "priceCents") ?? 0;
  const tags = field(given, "tags") ?? [];
  if (typeof name !== "string" || name === "") return "name is missing";
  if (typeof status !== "string" || !STATUS.includes(status))
    return `status is ${STATUS.join(", ")}`;
  if (!Number.isSafeInteger(price) || Number(price) < 0) return "priceCents is a whole number";
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string"))
    return "tags are texts";
  return [name, status, price, JSON.stringify(tags)];
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

function shown({ id, name, status, price_cents: priceCents, tags }: SqlRow): SqlRow {
  return { id, name, status, priceCents, tags: JSON.parse(String(tags)) as unknown };
}

function problem(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
