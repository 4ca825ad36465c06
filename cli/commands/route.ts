// Where a request would go, and why.

import type { Json } from "../../sdk/errors.ts";
import { NODE_OPTIONS } from "../command.ts";
import type { Command, CommandGroup } from "../command.ts";
import { field, isList, textOf } from "../json.ts";
import { tableText } from "../output.ts";

const test: Command = {
  name: "test",
  summary: "tell which route takes a request, and which policies stand before it",
  args: [
    { name: "<method>", summary: "as in GET" },
    { name: "<url>", summary: "an address, or a path for any host" },
  ],
  options: NODE_OPTIONS,
  examples: ["edge route test GET http://api.example.com/users/7", "edge route test POST /users"],
  run: async ({ args: [method = "", url = ""], client }) => {
    const query = new URLSearchParams({ method, url });
    const data = await client().get(`/api/routes/test?${query.toString()}`);
    return { data, text: traceText(data) };
  },
};

const purge: Command = {
  name: "purge",
  summary: "give no reply any more that a route's cache policy has kept",
  args: [{ name: "<name>", summary: "the route's" }],
  options: [
    { flags: "--prefix <path>", summary: "only of addresses that begin so", fallback: "/" },
    { flags: "--host <name>", summary: "only of this host", fallback: "all hosts" },
    ...NODE_OPTIONS,
  ],
  examples: ["edge route purge shop", "edge route purge shop --prefix /products/7"],
  run: async ({ args: [name = ""], values, client }) => {
    const prefix = values.text("prefix") ?? "/";
    const host = values.text("host") ?? "";
    const data = await client().send("POST", "/api/cache/purge", { route: name, prefix, host });
    const where = `${host}${prefix === "/" ? "" : prefix}`;
    return { data, text: `Purged ${name}${where === "" ? "" : `: ${where}`}.` };
  },
};

export const route: CommandGroup = {
  name: "route",
  summary: "the node's routes",
  commands: [test, purge],
};

function traceText(trace: Json): string {
  const list = (name: string): readonly Json[] => {
    const value = field(trace, name) ?? null;
    return isList(value) ? value : [];
  };
  const text = (name: string): string => textOf(field(trace, name));
  const outcome = text("outcome");
  const policies = list("policies").map(textOf).join(", ");
  const head =
    outcome === "match"
      ? [
          `taken by   ${field(trace, "route") === null ? `endpoint ${text("endpoint")}` : `route ${text("route")}`}`,
          `target     ${[text("target"), targetName(trace)].filter((part) => part !== "").join(" ")}`,
          `policies   ${policies === "" ? "none" : policies}`,
        ]
      : outcome === "method"
        ? [`405: this address takes ${list("allow").map(textOf).join(", ")}`]
        : ["404: no route has this address"];
  const rows = list("candidates").map((one) =>
    ["route", "owner", "verdict"].map((name) => textOf(field(one, name))),
  );
  return [
    ...head,
    ...(rows.length === 0 ? [] : ["", tableText(["ROUTE", "OWNER", ""], rows)]),
  ].join("\n");
}

function targetName(trace: Json): string {
  const name = field(trace, "upstream") ?? field(trace, "endpoint") ?? null;
  return name === null ? "" : textOf(name);
}
