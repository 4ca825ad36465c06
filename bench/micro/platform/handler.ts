// The isolate's side of platform.ts: `/?api=NAME&times=N` does it so many times.

import { APIS, sunk } from "./apis.ts";

const handler: { fetch(request: Request): Promise<Response> } = {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    await APIS[searchParams.get("api") ?? ""]?.(Number(searchParams.get("times")));
    return new Response(typeof sunk());
  },
};

// oxlint-disable-next-line import/no-default-export -- the shape of handlers.
export default handler;
