// Help, and what is said to somebody who needs it: help that was asked for is a result, all else is wrong usage.

import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../cli/commands.ts";
import type { Command, CommandGroup } from "../../cli/command.ts";
import { runEdge } from "./harness.ts";

function groupsIn(
  commands: readonly (Command | CommandGroup)[],
  before: string[] = [],
): string[][] {
  return commands.flatMap((each) => {
    if (!("commands" in each)) return [];
    const words = [...before, each.name];
    return [words, ...groupsIn(each.commands, words)];
  });
}

const GROUPS = groupsIn(COMMANDS);

test("there are groups, and groups in groups", () => {
  expect(GROUPS).toContainEqual(["kv"]);
  expect(GROUPS).toContainEqual(["sql", "migrations"]);
});

describe.each(GROUPS)("the group edge %s %s", (...given) => {
  const words = given.filter((word) => word !== undefined);
  const usage = `Usage: edge ${words.join(" ")} [options] [command]\n`;

  test("alone is wrong usage, with its own help on standard error", async () => {
    const ran = await runEdge(words);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr.startsWith(usage)).toBe(true);
    expect(ran.stderr).toContain(`A command is missing after "edge ${words.join(" ")}"`);
  });

  test("alone with --json is one document and nothing else", async () => {
    const ran = await runEdge([...words, "--json"]);
    expect(ran).toMatchObject({ code: 2, stderr: "" });
    expect(JSON.parse(ran.stdout)).toMatchObject({ ok: false, error: { code: "USAGE" } });
  });

  test("gives its help to whoever asks for it", async () => {
    for (const argv of [
      [...words, "--help"],
      ["help", ...words],
      [...words, "help"],
    ]) {
      const ran = await runEdge(argv);
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      expect(ran.stdout.startsWith(usage)).toBe(true);
    }
  });
});

test("help names a command in a group, by an alias too, with its examples", async () => {
  for (const argv of [
    ["help", "kv", "get"],
    ["kv", "help", "get"],
  ]) {
    const { code, stdout } = await runEdge(argv);
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: edge kv get [options]");
    expect(stdout).toContain("Examples:\n");
  }
  expect((await runEdge(["help", "ls"])).stdout).toContain("Usage: edge list|ls");
});

test.each([[["help", "nosuch"]], [["help", "kv", "nosuch"]], [["help", "list", "nosuch"]]])(
  "%j is wrong usage",
  async (argv) => {
    const { code, stdout, stderr } = await runEdge(argv);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`There is no command "edge ${argv.slice(1).join(" ")}"`);
  },
);

test.each([
  [
    ["kv", "get"],
    "missing required argument 'namespace'. Usage: edge kv get [options] <namespace>",
  ],
  [["kv", "list", "--scop"], "'--scop'. Did you mean --scope? Usage: edge kv list|ls [options]"],
  [["list", "extra"], "but got 1: extra. Usage: edge list|ls [options]"],
])("%j is told with what the command takes", async (argv, message) => {
  const { code, stderr } = await runEdge(argv);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

test("an argument that is no text is refused before it is taken for another", async () => {
  const { code, stderr } = await runEdge(["kv", "put", "ns", "key", "caf\ufffd"]);
  expect(code).toBe(2);
  expect(stderr).toContain('"caf\ufffd" is not UTF-8');
});
