// Crons of a node's endpoints: listed with their next run, and run by hand.

import type { Json, JsonObject } from "../../sdk/errors.ts";
import { NODE_OPTIONS } from "../command.ts";
import type { Command, CommandGroup } from "../command.ts";
import { field, isList, textOf } from "../json.ts";
import { tableText } from "../output.ts";

const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list crons with their next run and what came of the last",
  options: NODE_OPTIONS,
  examples: ["edge cron list", "edge cron list --json"],
  run: async ({ client }) => {
    const data = await client().get("/api/crons");
    const rows = (isList(data) ? data : []).map((cron: Json) => {
      const last = field(cron, "last");
      return [
        textOf(field(cron, "endpoint")),
        textOf(field(cron, "cron")),
        shown(field(cron, "next_at")),
        shown(field(last, "scheduled_at")),
        shown(field(last, "outcome")),
      ];
    });
    const none = "No endpoint has crons (triggers in edge.jsonc)";
    const head = ["ENDPOINT", "CRON", "NEXT", "LAST", "OUTCOME"];
    return { data, text: rows.length === 0 ? none : tableText(head, rows) };
  },
};

const run: Command = {
  name: "run",
  summary: "run an endpoint's scheduled handler now, and wait for it",
  args: [
    { name: "<endpoint>", summary: "its name" },
    { name: "[cron]", summary: "what the handler is told; needed where it has several" },
  ],
  options: NODE_OPTIONS,
  examples: ["edge cron run hello", 'edge cron run hello "*/5 * * * *"'],
  run: async ({ args, client }) => {
    const [endpoint = "", cron] = args;
    const body: JsonObject = cron === undefined ? {} : { cron };
    const data = await client().send(
      "POST",
      `/api/crons/${encodeURIComponent(endpoint)}/run`,
      body,
    );
    const outcome = textOf(field(data, "outcome"));
    const ms = shown(field(data, "duration_ms"));
    return {
      data,
      text: `${endpoint} "${textOf(field(data, "cron"))}": ${outcome} after ${ms} ms`,
    };
  },
};

export const cron: CommandGroup = {
  name: "cron",
  summary: "list and run scheduled handlers",
  commands: [list, run],
};

function shown(value: Json | undefined): string {
  return value === null || value === undefined ? "-" : textOf(value);
}
