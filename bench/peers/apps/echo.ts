// Parses a JSON body and sends it back beside a counter.
let count = 0;

export default {
  async fetch(request: Request): Promise<Response> {
    const body: unknown = await request.json();
    count += 1;
    return Response.json({ count, body });
  },
};
