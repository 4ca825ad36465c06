// The route table with 200 endpoints, each at /NAME and /NAME/*, some with hosts, parameters and expressions.
// The floor is one lookup in a Map by path, which is what a table without any features would cost.

import { compileRoutes } from "../../runtime/gateway/route/table.ts";
import type { RouteInput } from "../../runtime/gateway/route/contract.ts";
import { runTasks } from "./harness.ts";

const ITEM = "/api/endpoint-77/123/items";

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
await runTasks("Route match, 200 endpoints", [
  { name: "floor: Map.get", run: () => floor.get("/endpoint-77") },
  { name: "literal, any host", run: () => table.match("GET", "example.com", "/endpoint-77") },
  { name: "literal, exact host", run: () => table.match("GET", "h40.example.com", "/v1/things") },
  { name: "wildcard", run: () => table.match("GET", "example.com", "/endpoint-77/a/b") },
  { name: "regex and parameter", run: () => table.match("GET", "h", `${ITEM}/x`) },
  { name: "encoded parameter", run: () => table.match("GET", "h", `${ITEM}/x%20y`) },
  { name: "405", run: () => table.match("POST", "h", `${ITEM}/x`) },
  { name: "404", run: () => table.match("GET", "example.com", "/nothing/here") },
]);
const compile = performance.now();
compileRoutes(routesOf(200));
console.log(`compile 200 endpoints: ${(performance.now() - compile).toFixed(2)} ms`);
