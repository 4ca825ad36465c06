// bun bun.mjs BUNDLE PORT
const [, , bundle, port] = process.argv;
const { default: app } = await import(bundle);
Bun.serve({ hostname: "127.0.0.1", port: Number(port), fetch: (request) => app.fetch(request) });
