// The gateway's configuration: a file of it, and what a node runs by.

import { resolve } from "node:path";
import { EdgeError, type Json } from "../../sdk/errors.ts";
import type { GatewayConfig } from "../../sdk/gateway/config.ts";
import { shown } from "../../sdk/gateway/shown.ts";
import { NODE_OPTIONS } from "../command.ts";
import type { Command, CommandGroup } from "../command.ts";
import { differences } from "../gateway/difference.ts";
import { tableText } from "../output.ts";

const validate: Command = {
  name: "validate",
  summary: "check a configuration file, as edge serve --config would",
  args: [{ name: "<file>", summary: "the file, in YAML" }],
  options: [],
  examples: ["edge config validate edge.yaml"],
  run: async ({ args: [file = ""], cwd, env }) => {
    const { readConfigFile } = await import("../../control/gateway/config.ts");
    const { gateway, services } = readConfigFile(resolve(cwd, file), env);
    const counts = {
      upstreams: gateway.upstreams.length,
      routes: gateway.routes.length,
      services: Object.keys(services.byName).length,
    };
    return { data: { valid: true, file, ...counts }, text: summaryOf(file, gateway, counts) };
  },
};

const dump: Command = {
  name: "dump",
  summary:
    "print the configuration that the node runs by, or a file's, with every default and no secret",
  args: [{ name: "[file]", summary: "instead of the node's, in YAML" }],
  options: NODE_OPTIONS,
  examples: ["edge config dump", "edge config dump edge.yaml --json"],
  run: async ({ args: [file], cwd, env, client }) => {
    const data =
      file === undefined
        ? await client().get("/api/config")
        : await normalForm(resolve(cwd, file), env);
    return { data, text: JSON.stringify(data, null, 2) };
  },
};

const diff: Command = {
  name: "diff",
  summary: "tell where a file differs from what the node runs by; secrets are not compared",
  args: [{ name: "<file>", summary: "the file, in YAML" }],
  options: NODE_OPTIONS,
  examples: ["edge config diff edge.yaml"],
  run: async ({ args: [file = ""], cwd, env, client }) => {
    const form = await normalForm(resolve(cwd, file), env);
    const found = differences(form, await client().get("/api/config"));
    const rows = found.map((one) => [one.field, valueText(one.file), valueText(one.running)]);
    const text =
      rows.length === 0
        ? `The node runs by ${file}, as far as can be seen without secrets.`
        : tableText(["FIELD", "FILE", "RUNNING"], rows);
    return { data: { differences: found.map((one) => ({ ...one })) }, text };
  },
};

const importFile: Command = {
  name: "import",
  summary: "make a gateway configuration of another gateway's file, with notes on what differs",
  args: [{ name: "<file>", summary: "the other gateway's file, in YAML" }],
  options: [
    {
      flags: "--from <format>",
      summary: "whose file it is",
      choices: ["ferroway", "rust-gateway"],
    },
  ],
  examples: ["edge config import --from ferroway gateway.yaml > edge.yaml"],
  run: async ({ args: [file = ""], values, cwd, output }) => {
    const { importConfig, IMPORT_FORMATS } =
      await import("../../control/gateway/import/importer.ts");
    const { readConfigText } = await import("../../control/gateway/config.ts");
    const format = IMPORT_FORMATS.find((one) => one === values.text("from"));
    if (format === undefined) throw new EdgeError("USAGE", "--from says whose file it is");
    const path = resolve(cwd, file);
    const { yaml, notes } = importConfig(format, path, readConfigText(path));
    for (const { line, text } of notes) {
      output.note(line === 0 ? `${file}: ${text}` : `${file}:${line}: ${text}`);
    }
    return { data: { yaml, notes: notes.map((note) => ({ ...note })) }, text: yaml.trimEnd() };
  },
};

const hashPassword: Command = {
  name: "hash-password",
  summary: "make the hash of a consumer's password, for the file to hold instead",
  options: [],
  examples: ["edge config hash-password", "pass show ann | edge config hash-password"],
  run: async ({ asking }) => {
    const passwords = await import("../../control/gateway/policies/consumers.ts");
    const { PASSWORD_CHARS_MIN: min, PASSWORD_CHARS_MAX: max } = passwords;
    const password = await asking.secret("Password: ");
    if (password.length < min || password.length > max) {
      throw new EdgeError("INPUT_INVALID", `A password has ${min} to ${max} characters.`);
    }
    const hash = passwords.hashPassword(password);
    return { data: { password: hash }, text: hash };
  },
};

async function normalForm(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Json> {
  const { readConfigFile } = await import("../../control/gateway/config.ts");
  const { showFileServices } = await import("../../control/services/shown.ts");
  const { gateway, services } = readConfigFile(path, env);
  return shown({ ...gateway, services: showFileServices(services) });
}

function valueText(value: Json): string {
  return value === null ? "-" : JSON.stringify(value);
}

export const config: CommandGroup = {
  name: "config",
  summary: "the configuration file: gateway and services",
  commands: [validate, dump, diff, importFile, hashPassword],
};

function summaryOf(
  file: string,
  { upstreams }: Pick<GatewayConfig, "upstreams">,
  { routes, services }: { readonly routes: number; readonly services: number },
): string {
  const servers = upstreams.reduce((sum, upstream) => sum + upstream.servers.length, 0);
  const counts = [
    counted(routes, "route"),
    counted(upstreams.length, "upstream"),
    counted(servers, "server"),
    ...(services === 0 ? [] : [counted(services, "service")]),
  ];
  return `${file} is valid: ${counts.join(", ")}.`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
