interface Job {
  readonly id: string;
  readonly text: string;
}

interface Env {
  readonly JOBS: { send(job: Job): Promise<void> };
  readonly REPORTS: {
    get(id: string): Promise<string | null>;
    put(id: string, report: string): Promise<void>;
  };
}

interface Message {
  readonly body: Job;
  readonly attempts: number;
  ack(): void;
  retry(options: { readonly delaySeconds: number }): void;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (request.method === "POST") {
      const id = crypto.randomUUID();
      await env.JOBS.send({ id, text: await request.text() });
      return Response.json({ id }, { status: 202 });
    }
    const id = new URL(request.url).pathname.split("/").at(-1) ?? "";
    const report = await env.REPORTS.get(id);
    if (report === null) return Response.json({ error: "not there yet" }, { status: 404 });
    return new Response(report, { headers: { "content-type": "application/json" } });
  },

  /** A message may come more than once: writing the same report again does no harm. */
  async queue(batch: { readonly messages: readonly Message[] }, env: Env): Promise<void> {
    for (const message of batch.messages) {
      try {
        const { id, text } = message.body;
        const words = text.split(/\s+/).filter((word) => word !== "").length;
        await env.REPORTS.put(id, JSON.stringify({ words }));
        message.ack();
      } catch {
        // Longer each time; the others of the batch are not held up.
        message.retry({ delaySeconds: 2 ** message.attempts });
      }
    }
  },
};
