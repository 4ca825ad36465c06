// deno run -A deno.mjs BUNDLE PORT
const [bundle, port] = Deno.args;
const { default: app } = await import(`file://${bundle}`);
const onListen = () => {};
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen }, (request) => app.fetch(request));
