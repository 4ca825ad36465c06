interface Session {
  readonly user: string;
  readonly visits: number;
}

interface Env {
  readonly SESSIONS: {
    getJson(key: string): Promise<Session | null>;
    setJson(key: string, value: Session, ttl: number): Promise<void>;
    delete(key: string): Promise<number>;
  };
}

const IDLE_SECONDS = 1_800;
const ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax";

function idOf(request: Request): string | null {
  const cookies = request.headers.get("cookie") ?? "";
  return /(?:^|;\s*)session=([0-9a-f-]{36})(?:;|$)/.exec(cookies)?.[1] ?? null;
}

async function login(request: Request, env: Env): Promise<Response> {
  const { user } = (await request.json()) as { user?: unknown };
  if (typeof user !== "string" || user === "") {
    return Response.json({ error: "user is missing" }, { status: 400 });
  }
  // A new name at every login: one that was planted before is worth nothing.
  const id = crypto.randomUUID();
  await env.SESSIONS.setJson(`session:${id}`, { user, visits: 0 }, IDLE_SECONDS);
  const cookie = `session=${id}; Max-Age=${IDLE_SECONDS}; ${ATTRIBUTES}`;
  return Response.json({ user }, { status: 201, headers: { "set-cookie": cookie } });
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (request.method === "POST") return login(request, env);
    const id = idOf(request);
    const key = `session:${id}`;
    const session = id === null ? null : await env.SESSIONS.getJson(key);
    if (session === null) return Response.json({ error: "log in first" }, { status: 401 });
    if (request.method === "DELETE") {
      await env.SESSIONS.delete(key);
      const cookie = `session=; Max-Age=0; ${ATTRIBUTES}`;
      return new Response(null, { status: 204, headers: { "set-cookie": cookie } });
    }
    const seen = { ...session, visits: session.visits + 1 };
    await env.SESSIONS.setJson(key, seen, IDLE_SECONDS);
    return Response.json(seen);
  },
};
