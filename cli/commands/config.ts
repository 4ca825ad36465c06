// The gateway's configuration file, without a node.

import { resolve } from "node:path";
import type { GatewayConfig } from "../../sdk/gateway/config.ts";
import type { Command, CommandGroup } from "../command.ts";

const validate: Command = {
  name: "validate",
  summary: "check a gateway configuration file, as edge serve --config would",
  args: [{ name: "<file>", summary: "the file, in YAML" }],
  options: [],
  examples: ["edge config validate edge.yaml"],
  run: async ({ args: [file = ""], cwd, env }) => {
    const { readGatewayConfig } = await import("../../control/gateway/config.ts");
    const { upstreams, routes } = readGatewayConfig(resolve(cwd, file), env);
    const data = { valid: true, file, upstreams: upstreams.length, routes: routes.length };
    return { data, text: summaryOf(file, { upstreams, routes }) };
  },
};

export const config: CommandGroup = {
  name: "config",
  summary: "the gateway's configuration file",
  commands: [validate],
};

function summaryOf(
  file: string,
  { upstreams, routes }: Pick<GatewayConfig, "upstreams" | "routes">,
): string {
  const servers = upstreams.reduce((sum, upstream) => sum + upstream.servers.length, 0);
  const counts = [
    counted(routes.length, "route"),
    counted(upstreams.length, "upstream"),
    counted(servers, "server"),
  ];
  return `${file} is valid: ${counts.join(", ")}.`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
