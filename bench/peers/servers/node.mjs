// node node.mjs BUNDLE PORT APP: hello and echo on plain node:http, Hono by its own adapter for Node.
import { createServer } from "node:http";

const [, , bundle, port, app] = process.argv;
let count = 0;

const hello = (_request, response) => {
  count += 1;
  response.setHeader("content-type", "text/plain;charset=UTF-8");
  response.end(`Hello World ${count}`);
};
const echo = (request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    count += 1;
    const body = JSON.parse(Buffer.concat(chunks).toString());
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ count, body }));
  });
};
const hono = async () => {
  const { getRequestListener } = await import("@hono/node-server");
  const { default: handler } = await import(bundle);
  return getRequestListener((request) => handler.fetch(request));
};
const listener = app === "hello" ? hello : app === "echo" ? echo : await hono();
createServer(listener).listen(Number(port), "127.0.0.1");
