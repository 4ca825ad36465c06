interface Env {
  readonly COUNTERS: {
    incr(key: string): Promise<number>;
    expire(key: string, seconds: number): Promise<boolean>;
  };
}

const LIMIT = 5;
const WINDOW_SECONDS = 60;

export default {
  async fetch(request: Request, { COUNTERS }: Env): Promise<Response> {
    const client = request.headers.get("x-api-key") ?? "anonymous";
    const seconds = Date.now() / 1_000;
    const window = Math.floor(seconds / WINDOW_SECONDS);
    const key = `limit:${client}:${window}`;
    const count = await COUNTERS.incr(key);
    // Only the first sets the end. A window's key is never used again, so it may live a little longer.
    if (count === 1) await COUNTERS.expire(key, 2 * WINDOW_SECONDS);
    const headers = {
      "ratelimit-limit": `${LIMIT}`,
      "ratelimit-remaining": `${Math.max(0, LIMIT - count)}`,
      "ratelimit-reset": `${Math.ceil((window + 1) * WINDOW_SECONDS - seconds)}`,
    };
    if (count <= LIMIT) return Response.json({ count }, { headers });
    return Response.json({ error: "too many requests" }, { status: 429, headers });
  },
};
