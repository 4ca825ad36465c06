interface Cache {
  getJson(key: string): Promise<unknown>;
  setJson(key: string, value: unknown, ttl: number): Promise<void>;
  delete(key: string): Promise<number>;
  lock(key: string, ttl: number): Promise<string | null>;
  unlock(key: string, token: string): Promise<boolean>;
}

interface Env {
  readonly CACHE: Cache;
  /** Stands for whatever is slow: a database, another company's API. */
  readonly COUNTRIES: {
    get(code: string, type: "json"): Promise<unknown>;
    put(code: string, text: string): Promise<void>;
  };
}

const FRESH_SECONDS = 60;
/** Longer than the source takes; a lock that nobody gives back ends by itself. */
const LOCK_SECONDS = 5;
const POLL_MS = 20;

async function find(env: Env, code: string): Promise<{ source: string; country: unknown }> {
  const key = `country:${code}`;
  for (;;) {
    const cached = await env.CACHE.getJson(key);
    if (cached !== null) return { source: "cache", country: cached };
    const token = await env.CACHE.lock(`lock:${key}`, LOCK_SECONDS);
    if (token === null) {
      // Somebody else asks the source already: the answer will be in the cache.
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      continue;
    }
    try {
      // Who had the lock before may have found it just now.
      const late = await env.CACHE.getJson(key);
      if (late !== null) return { source: "cache", country: late };
      const country = await env.COUNTRIES.get(code, "json");
      if (country !== null) await env.CACHE.setJson(key, country, FRESH_SECONDS);
      return { source: "database", country };
    } finally {
      await env.CACHE.unlock(`lock:${key}`, token);
    }
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const code = new URL(request.url).pathname.split("/").at(-1) ?? "";
    if (request.method === "PUT") {
      await env.COUNTRIES.put(code, JSON.stringify(await request.json()));
      // What was changed is not in the cache any more.
      await env.CACHE.delete(`country:${code}`);
      return new Response(null, { status: 204 });
    }
    const { source, country } = await find(env, code);
    if (country === null) return Response.json({ error: "no such country" }, { status: 404 });
    return Response.json(country, { headers: { "x-source": source } });
  },
};
