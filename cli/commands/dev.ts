// A node of one's own that always serves what the files say: change → bundle → publish, the old version
// serving until the new one does, and on when the new one is broken. Changes that come while a build runs are
// not lost and not queued: the build is repeated once, with what the files say then.

import { once } from "node:events";
import { relative, resolve } from "node:path";
import { EdgeError, errorData } from "../../sdk/errors.ts";
import { createClient } from "../client.ts";
import type { Client } from "../client.ts";
import type { Command, CommandContext, CommandResult } from "../command.ts";
import { startDevNode } from "../dev-node.ts";
import { errorText } from "../output.ts";
import { parsePort } from "../parse.ts";
import { devVarFiles } from "../project/dev-vars.ts";
import { readProject } from "../project/project.ts";
import type { Project } from "../project/project.ts";
import { bundleProject, publishedText, upload } from "../upload.ts";
import { createWatch } from "../watch.ts";
import type { FileWatch } from "../watch.ts";
import { PROJECT_OPTIONS } from "./publish.ts";

export const dev: Command = {
  name: "dev",
  summary: "serve a project on a node of its own and follow its files",
  args: [{ name: "[path]", summary: "as for publish" }],
  options: [
    { flags: "--port <number>", summary: "port to answer on, 0 for a free one", fallback: "8787" },
    ...PROJECT_OPTIONS,
  ],
  examples: ["edge dev", "edge dev hello.ts --port 3000 --route '/*'"],
  run: runDev,
};

async function runDev(context: CommandContext): Promise<CommandResult> {
  const { args, values, output, cwd, env } = context;
  const port = String(parsePort(values.text("port") ?? "8787", "--port"));
  const read = (): Project => {
    const warn = (text: string): void => output.warn(text);
    return readProject({ path: args[0] ?? ".", cwd, values, warn, dev: true });
  };
  // What is wrong from the start is an error of the command, not of a later change.
  const first = read();
  output.step("Starting a node");
  const node = await startDevNode({ port, env });
  const interrupted = interruption();
  const watcher = createWatch(() => changes.mark());
  const changes = createChanges();
  watcher.follow(filesOf(first, values.text("env"), []));
  const client = createClient({ url: node.adminUrl, token: node.token });
  output.note(`Serving ${relative(cwd, first.cwd) || "."} at ${node.url} (Ctrl-C ends it)`);
  const stopping = Promise.race([interrupted, node.ended.then(() => "ended" as const)]);
  let stopped: "interrupted" | "ended" | null = null;
  void stopping.then((reason) => {
    stopped = reason;
    changes.mark();
  });
  try {
    let last: Outcome = { live: "", failure: "" };
    while (stopped === null) {
      changes.clear();
      last = await build({ context, client, read, watcher }, last);
      await changes.next();
    }
  } finally {
    watcher.close();
    await node.stop();
  }
  if ((await stopping) === "ended") {
    throw new EdgeError("NODE_UNREACHABLE", "The development node has ended");
  }
  return { data: { stopped: true }, text: "" };
}

interface Build {
  readonly context: CommandContext;
  readonly client: Client;
  readonly read: () => Project;
  readonly watcher: FileWatch;
}

/** What the next attempt compares with: saving a file is several events, and most of them change nothing any more. */
interface Outcome {
  readonly live: string;
  /** What was said of it; "" when it went well. */
  readonly failure: string;
}

/** One attempt; its failure is shown, never thrown. */
async function build(
  { context, client, read, watcher }: Build,
  { live, failure }: Outcome,
): Promise<Outcome> {
  const { output } = context;
  try {
    const project = read();
    const bundled = await bundleProject(project, output);
    const inputs = bundled.bundle.inputs.map(({ file }) => resolve(project.cwd, file));
    watcher.follow(filesOf(project, context.values.text("env"), inputs));
    const next = JSON.stringify([project, bundled.bundle.code]);
    if (next === live) {
      output.stepDone();
      return { live, failure: "" };
    }
    const data = await upload(client, output, { project, bundled, options: {} });
    output.note(publishedText(data, false));
    return { live: next, failure: "" };
  } catch (error) {
    // The file that has to change may be one that the last good bundle did not know.
    watcher.follow(null);
    if (!(error instanceof EdgeError)) throw error;
    const text = errorText(errorData(error));
    // Said again it would, in a log beside the sources, be a change itself.
    if (text === failure) output.stepDone();
    else output.note(`${text}\n\nWaiting for a change; what was live stays live.`);
    return { live, failure: text };
  }
}

function filesOf(
  { configFile, cwd, entry }: Project,
  environment: string | undefined,
  inputs: readonly string[],
): readonly string[] {
  const config = configFile === null ? [] : [configFile];
  return [entry, ...config, ...devVarFiles(cwd, environment), ...inputs];
}

interface Changes {
  mark(): void;
  clear(): void;
  /** Resolves at once if something changed since `clear`. */
  next(): Promise<void>;
}

function createChanges(): Changes {
  let marked = false;
  let wake = (): void => undefined;
  return {
    mark: () => {
      marked = true;
      wake();
    },
    clear: () => {
      marked = false;
    },
    next: async () => {
      if (marked) return;
      await new Promise<void>((done) => (wake = done));
    },
  };
}

async function interruption(): Promise<"interrupted"> {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  await Promise.race(signals.map((signal) => once(process, signal)));
  return "interrupted";
}
