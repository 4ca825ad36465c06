const encoder = new TextEncoder();

export default {
  fetch(request: Request): Response {
    if (new URL(request.url).pathname === "/clock") return clock(request);
    return new Response(request.body?.pipeThrough(new TransformStream(upperCase)) ?? null);
  },
};

/** Three server-sent events, a tick apart. Ends early when the client goes away. */
function clock(request: Request): Response {
  let tick = 0;
  const events = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (tick > 0) await new Promise((resolve) => setTimeout(resolve, 100));
      if (tick === 3 || request.signal.aborted) return controller.close();
      tick++;
      controller.enqueue(encoder.encode(`data: tick ${tick}\n\n`));
    },
  });
  return new Response(events, { headers: { "content-type": "text/event-stream" } });
}

/** ASCII letters only, byte by byte, so that a chunk may end anywhere. */
const upperCase: Transformer<Uint8Array, Uint8Array> = {
  transform(chunk, controller) {
    controller.enqueue(chunk.map((byte) => (byte >= 97 && byte <= 122 ? byte - 32 : byte)));
  },
};
