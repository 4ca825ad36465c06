// What became of one request: its budget, what it used, and where its CPU time went.

import type { Json } from "../../sdk/errors.ts";
import { NODE_OPTIONS } from "../command.ts";
import type { Command } from "../command.ts";
import { field, textOf } from "../json.ts";
import { tableText } from "../output.ts";

export const explain: Command = {
  name: "explain",
  summary: "tell why a request was ended, and what it used",
  args: [{ name: "<request-id>", summary: "the x-request-id of its reply" }],
  options: NODE_OPTIONS,
  examples: ["edge explain 3k2jf0a81mzq0000000b7c"],
  run: async ({ args, client }) => {
    const data = await client().get(`/api/requests/${encodeURIComponent(args[0] ?? "")}`);
    return { data, text: explanation(data) };
  },
};

function explanation(account: Json): string {
  const text = (name: string): string => textOf(field(account, name));
  const ms = (name: string): string => `${Math.round(Number(field(account, name)) / 100) / 10} ms`;
  const limits = field(account, "limits") ?? null;
  const table = tableText(
    ["FIELD", "VALUE"],
    [
      ["request", `${text("method")} ${text("host")}${text("path")}`],
      ["endpoint", `${text("endpoint")} (version ${text("version").slice(0, 16)})`],
      ["ended", text("time")],
      ["outcome", `${text("outcome")}, status ${text("status")}`],
      ["CPU time", `${ms("cpuUs")} of ${textOf(field(limits, "cpuMs"))} ms`],
      ["slices", text("slices")],
      ["wall time", `${ms("us")} of ${textOf(field(limits, "wallMs"))} ms to the first byte`],
    ],
  );
  const burned = text("burned");
  return burned === "" ? table : `${table}\n\nMost of the CPU time went here:\n${burned}`;
}
