// A static site in a KV namespace; PUT is how its files come there.
import { getAssetFromKV, MethodNotAllowedError, NotFoundError } from "@cloudflare/kv-asset-handler";

const MANIFEST = JSON.stringify({
  "index.html": "index.1234.html",
  "app.js": "app.5678.js",
  "docs/index.html": "docs.html",
  "logo.png": "logo.png",
});

export default {
  async fetch(request, { SITE }, context) {
    const url = new URL(request.url);
    if (request.method === "PUT") {
      await SITE.put(url.pathname.split("/").pop(), request.body);
      return new Response(null, { status: 201 });
    }
    const site = new Request(new URL(url.pathname.replace("/kv-asset-handler", ""), url), request);
    try {
      return await getAssetFromKV(
        { request: site, waitUntil: (promise) => context.waitUntil(promise) },
        {
          ASSET_NAMESPACE: SITE,
          ASSET_MANIFEST: MANIFEST,
          cacheControl: { browserTTL: 60, edgeTTL: 60 },
        },
      );
    } catch (error) {
      if (error instanceof NotFoundError) return new Response("no such page", { status: 404 });
      if (error instanceof MethodNotAllowedError) return new Response("read only", { status: 405 });
      throw error;
    }
  },
};
