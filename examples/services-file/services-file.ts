interface Env {
  readonly VISITS: { incr(key: string): Promise<number> };
}

/** Behind edge.yaml's route: how often a page was visited. */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url);
    return Response.json({ page: pathname, visits: await env.VISITS.incr(pathname) });
  },
};
