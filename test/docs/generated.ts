// Parts of the documentation that follow from the code. In a document such a part stands between
// `<!-- generated: NAME -->` and `<!-- end -->`.

import type { Command, CommandGroup } from "../../cli/command.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { main } from "../../cli/main.ts";
import { METRICS } from "../../runtime/observe/metrics.ts";
import { CODES, type CodeInfo } from "../../sdk/errors.ts";
import { LIMITS, type LimitInfo } from "../../sdk/limits.ts";

async function help(...argv: string[]): Promise<string> {
  let text = "";
  const sink = { write: (more: string) => (text += more) };
  await main({
    argv: [...argv, "--help"],
    env: {},
    cwd: "/",
    stdout: sink,
    stderr: sink,
    stdinIsTty: false,
  });
  return ["```text", text.trimEnd(), "```"].join("\n");
}

async function cliText(): Promise<string> {
  const parts = [await help()];
  const add = async (commands: readonly (Command | CommandGroup)[], before: readonly string[]) => {
    for (const each of commands) {
      const words = [...before, each.name];
      parts.push(`${"#".repeat(words.length + 1)} edge ${words.join(" ")}`, await help(...words));
      if ("commands" in each) await add(each.commands, words);
    }
  };
  await add(COMMANDS, []);
  return parts.join("\n\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

function errorTable(): string {
  const rows = Object.entries(CODES).map(([code, info]: [string, CodeInfo]) => [
    `\`${code}\``,
    String(info.status),
    info.fault,
    info.retry ? "yes" : "no",
    info.title,
    info.fix ?? "",
  ]);
  return table(["code", "status", "fault", "retry", "what happened", "what to do"], rows);
}

function limitTable(): string {
  const rows = Object.entries(LIMITS).map(([name, info]: [string, LimitInfo]) => {
    const { unit, default: usual, max, why } = info;
    return [`\`${name}\``, unit, String(usual), String(max), why];
  });
  return table(["limit", "unit", "default", "at most", "why"], rows);
}

function metricTable(): string {
  const rows = Object.entries(METRICS).map(([name, { type, help: text }]) => [
    `\`${name}\``,
    type,
    text,
  ]);
  return table(["metric", "kind", "meaning"], rows);
}

export const GENERATED: Readonly<Record<string, () => string | Promise<string>>> = {
  cli: cliText,
  errors: errorTable,
  limits: limitTable,
  metrics: metricTable,
};

const PART = /(<!-- generated: (\w+) -->\n)[^]*?(<!-- end -->)/g;

/** The document with every generated part made anew. */
export async function regenerate(text: string): Promise<string> {
  const parts = new Map<string, string>();
  for (const [, , name = ""] of text.matchAll(PART)) {
    parts.set(name, (await GENERATED[name]?.()) ?? `Nothing is called ${name}.`);
  }
  return text.replaceAll(
    PART,
    (_part, begin: string, name: string, end: string) =>
      `${begin}\n${parts.get(name) ?? ""}\n\n${end}`,
  );
}
