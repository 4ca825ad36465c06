// The route table with 200 endpoints, each at /NAME and /NAME/*, some with hosts, parameters and expressions.
// The floor is one lookup in a Map by path, which is what a table without any features would cost.

import { Bench } from "tinybench";
import { compileRoutes } from "../../runtime/gateway/route/table.ts";
import type { RouteInput } from "../../runtime/gateway/route/contract.ts";

function routesOf(count: number): readonly RouteInput[] {
  const routes: RouteInput[] = [];
  for (let index = 0; index < count; index += 1) {
    const endpoint = `endpoint-${index}`;
    const add = (host: string, path: string, methods: readonly string[]): void => {
      routes.push({ endpoint, host, path, methods });
    };
    add("*", `/${endpoint}`, []);
    add("*", `/${endpoint}/*`, []);
    add("*", `/api/${endpoint}/{id:[0-9]+}/items/{item}`, ["GET"]);
    if (index % 4 === 0) add(`h${index}.example.com`, "/v1/things", ["GET", "POST"]);
  }
  return routes;
}

const table = compileRoutes(routesOf(200));
const floor = new Map(routesOf(200).map((route) => [route.path, route]));
const bench = new Bench({ time: 300, warmupTime: 100 });
bench
  .add("floor: Map.get", () => floor.get("/endpoint-77"))
  .add("literal, any host", () => table.match("GET", "example.com", "/endpoint-77"))
  .add("literal, exact host", () => table.match("GET", "h40.example.com", "/v1/things"))
  .add("wildcard", () => table.match("GET", "example.com", "/endpoint-77/a/b"))
  .add("regex and parameter", () => table.match("GET", "h", "/api/endpoint-77/123/items/x"))
  .add("encoded parameter", () => table.match("GET", "h", "/api/endpoint-77/123/items/x%20y"))
  .add("405", () => table.match("POST", "h", "/api/endpoint-77/123/items/x"))
  .add("404", () => table.match("GET", "example.com", "/nothing/here"));
await bench.run();
console.table(bench.table());
const compile = performance.now();
compileRoutes(routesOf(200));
console.log(`compile 200 endpoints: ${(performance.now() - compile).toFixed(2)} ms`);
