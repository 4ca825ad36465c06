// The routes of the configuration file as the route table takes them, beside those of endpoints.

import type { GatewayConfig, GatewayRoute } from "../../../sdk/gateway/config.ts";
import type { RouteInput } from "./contract.ts";

export function fileRoutes({ routes }: GatewayConfig): readonly RouteInput[] {
  return routes.map((route) => ({
    ...route.match,
    methods: methodsOf(route),
    endpoint: routeOwner(route.name),
  }));
}

/** No endpoint can be called so. */
export function routeOwner(name: string): string {
  return `route:${name}`;
}

/** Browsers ask with OPTIONS before they use a method. */
export function methodsOf({ match, policies }: GatewayRoute): readonly string[] {
  const { methods } = match;
  const needsOptions =
    methods.length > 0 &&
    !methods.includes("OPTIONS") &&
    policies.some(({ kind }) => kind === "cors");
  return needsOptions ? [...methods, "OPTIONS"] : methods;
}
