// node fastify-proxy.mjs PORT UPSTREAM-PORT: as its documentation starts it.
import proxy from "@fastify/http-proxy";
import Fastify from "fastify";

const [, , port, upstream] = process.argv;
const server = Fastify();
server.register(proxy, { upstream: `http://127.0.0.1:${upstream}` });
await server.listen({ host: "127.0.0.1", port: Number(port) });
