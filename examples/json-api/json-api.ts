interface Env {
  readonly UNIT: string;
}

interface Body {
  readonly text?: unknown;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const body = await parse(request);
    if (typeof body?.text !== "string") {
      return Response.json({ error: 'send {"text": "…"}' }, { status: 400 });
    }
    const count = body.text.split(/\s+/).filter((word) => word !== "").length;
    return Response.json({ count, unit: env.UNIT });
  },
};

async function parse(request: Request): Promise<Body | null> {
  try {
    return (await request.json()) as Body | null;
  } catch {
    return null;
  }
}
