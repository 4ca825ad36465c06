// Why a request goes where it goes: every route that has its address, and which of them takes it.

import type { RouteTrace } from "../../../sdk/gateway/trace.ts";
import { routeText } from "../../../sdk/route.ts";
import type { RouteInput } from "./contract.ts";
import { compileRoutes } from "./table.ts";

export interface TracedRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

export function traceRoutes(
  routes: readonly RouteInput[],
  { method, host, path }: TracedRequest,
): RouteTrace {
  const result = compileRoutes(routes).match(method, host, path);
  const taken = result.kind === "match" ? result.match.route : null;
  return {
    outcome: result.kind,
    owner: taken?.endpoint ?? null,
    params: result.kind === "match" ? result.match.params : {},
    allow: result.kind === "method" ? result.allow : [],
    candidates: routes.flatMap((route) => {
      const { kind } = compileRoutes([route]).match(method, host, path);
      if (kind === "none") return [];
      const verdict =
        route === taken ? "taken" : kind === "match" ? "less specific" : "other method";
      return [{ owner: route.endpoint, route: routeText(route), verdict }];
    }),
  };
}
