import { NODE_OPTIONS } from "../command.ts";
import type { Command, CommandContext, CommandResult, OptionSpec } from "../command.ts";
import { isObject } from "../json.ts";
import { readProject } from "../project/project.ts";
import { bundleProject, publishedText, upload } from "../upload.ts";

/** What a project can be told on the command line; dev takes them too. */
export const PROJECT_OPTIONS: readonly OptionSpec[] = [
  { flags: "--name <name>", summary: "name of the endpoint", fallback: "from the folder or file" },
  {
    flags: "--route <pattern>",
    summary: "/path or host/path to answer; replaces those of the file",
    many: true,
    fallback: "/NAME and /NAME/*",
  },
  {
    flags: "--domain <host>",
    summary: "host of the routes that name none; alone: the whole domain",
    many: true,
  },
  { flags: "--method <method>", summary: "methods of the routes", many: true, fallback: "any" },
  { flags: "--env <name>", summary: "environment of the configuration file" },
  { flags: "--var <name=value>", summary: "a variable for the handler's env", many: true },
  { flags: "--env-file <file>", summary: "JSON file with variables" },
  {
    flags: "--limit <name=value>",
    summary: "cpuMs, wallMs, memoryMb, subrequests or bodyBytes, as in wallMs=10s",
    many: true,
  },
  {
    flags: "--isolation <isolation>",
    summary: "process that runs it: shared, dedicated or group:NAME",
  },
  {
    flags: "--egress <host>",
    summary:
      "a private host, HOST or HOST:PORT, that the handler fetches; replaces those of the file",
    many: true,
  },
];

/** Of the files that make up a bundle, how many --dry-run --json names. */
const INPUTS_SHOWN = 50;

export const publish: Command = {
  name: "publish",
  aliases: ["deploy"],
  summary: "bundle a handler and put it live on every worker",
  args: [
    { name: "[path]", summary: "folder with edge.jsonc or a wrangler file, or a source file" },
  ],
  options: [
    ...PROJECT_OPTIONS,
    { flags: "--message <text>", summary: "what this version is about" },
    { flags: "--dry-run", summary: "bundle and check only; nothing is stored" },
    ...NODE_OPTIONS,
  ],
  examples: [
    "edge publish hello.ts",
    "edge publish . --env production --message 'Fix login'",
    "edge publish api.ts --domain api.example.com --route '/users/{id:[0-9]+}' --method GET",
    "edge publish . --limit wallMs=10s --var MODE=fast",
  ],
  run: runPublish,
};

async function runPublish({
  args,
  values,
  output,
  client,
  cwd,
}: CommandContext): Promise<CommandResult> {
  const path = args[0] ?? ".";
  const project = readProject({ path, cwd, values, warn: (text) => output.warn(text) });
  const node = client();
  const bundled = await bundleProject(project, output);
  const dryRun = values.flag("dry-run");
  const options = { message: values.text("message"), dryRun };
  const data = await upload(node, output, { project, bundled, options });
  const text = publishedText(data, dryRun);
  if (!dryRun || !isObject(data)) return { data, text };
  const inputs = bundled.bundle.inputs.slice(0, INPUTS_SHOWN).map((input) => ({ ...input }));
  return { data: { ...data, inputs }, text };
}
