// Mails that a node's embedded service keeps instead of sending them.

import { resolve } from "node:path";
import { NODE_OPTIONS } from "../../command.ts";
import type { Command, CommandGroup, OptionSpec } from "../../command.ts";
import type { Json } from "../../../sdk/errors.ts";
import { writeOutput } from "../../files.ts";
import { field, isList, textOf } from "../../json.ts";
import { printable, tableText } from "../../output.ts";

const SERVICE: OptionSpec = {
  flags: "--service <name>",
  summary: "another service of type embedded",
};

const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list the newest mails of the outbox",
  options: [
    { flags: "--limit <number>", summary: "how many at most (50; 1000)" },
    SERVICE,
    ...NODE_OPTIONS,
  ],
  examples: ["edge mail list", "edge mail list --limit 1 --json"],
  run: async ({ client, values }) => {
    const query = { limit: values.text("limit"), service: values.text("service") };
    const data = await client().get(address("", query));
    const rows = (isList(data) ? data : []).map((mail: Json) => {
      const to = field(mail, "to");
      return [
        textOf(field(mail, "id")),
        textOf(field(mail, "sent_at")),
        textOf(field(mail, "from")),
        isList(to) ? to.map(textOf).join(", ") : "-",
        textOf(field(mail, "bytes")),
      ].map(printable);
    });
    const head = ["ID", "SENT", "FROM", "TO", "BYTES"];
    return { data, text: rows.length === 0 ? "No mails" : tableText(head, rows) };
  },
};

const show: Command = {
  name: "show",
  summary: "print a mail of the outbox as it would have been sent, or write it into a file",
  args: [{ name: "<id>", summary: "as edge mail list says it" }],
  options: [
    { flags: "--file <file>", summary: "where to write it (.eml)" },
    SERVICE,
    ...NODE_OPTIONS,
  ],
  examples: ["edge mail show 001700000000000-0b5e… --file order.eml"],
  run: async ({ args, client, values, cwd }) => {
    const query = { service: values.text("service") };
    const data = await client().get(address(`/${encodeURIComponent(args[0] ?? "")}`, query));
    const raw = field(data, "raw");
    const bytes =
      typeof raw === "string"
        ? Buffer.from(raw)
        : Buffer.from(textOf(field(data, "base64")), "base64");
    const given = values.text("file");
    if (given === undefined) {
      const lines = bytes.toString("latin1").split(/\r?\n/);
      const text = typeof raw === "string" ? raw.split(/\r?\n/) : lines;
      return { data, text: text.map(printable).join("\n") };
    }
    const file = resolve(cwd, given);
    writeOutput(file, bytes);
    const written = { id: args[0] ?? "", file, bytes: bytes.byteLength };
    return { data: written, text: `Wrote ${bytes.byteLength} bytes into ${file}` };
  },
};

export const mail: CommandGroup = {
  name: "mail",
  summary: "mails that a node has kept instead of sending them",
  commands: [list, show],
};

function address(rest: string, query: Readonly<Record<string, string | undefined>>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) search.set(key, value);
  }
  return `/api/outbox${rest}${search.size === 0 ? "" : `?${search.toString()}`}`;
}
