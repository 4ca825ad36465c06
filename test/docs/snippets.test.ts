// What README and documents tell people to type is typed here, block by block, against a real node: addresses are
// replaced by the node's, nothing else. Each document has a node and a folder of its own, in which `bin` is ours.

import { execFile } from "node:child_process";
import { globSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { environment, STARTED, startNode, TOKEN, type CliResult, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { missingLine, snippetsIn, type Snippet } from "./snippets.ts";

const ROOT: string = join(import.meta.dirname, "../..");
const DOCUMENTS: readonly (readonly [string, readonly Snippet[]])[] = globSync(
  ["*.md", "docs/*.md"],
  { cwd: ROOT },
)
  .toSorted()
  .map((path) => [path, snippetsIn(readFileSync(join(ROOT, path), "utf8"))] as const)
  .filter(([, snippets]) => snippets.length > 0);
/** Ten command lines on two busy cores. */
const DOCUMENT_MS_MAX = 120_000;

function shell(text: string, cwd: string, node: TestNode): Promise<CliResult> {
  const script = text
    .replaceAll("http://127.0.0.1:9080", node.url)
    .replaceAll("http://127.0.0.1:9081", `http://127.0.0.1:${node.adminPort}`);
  const env = environment({
    EDGE_ADMIN_URL: `http://127.0.0.1:${node.adminPort}`,
    EDGE_ADMIN_TOKEN: TOKEN,
  });
  return new Promise((resolve) => {
    execFile("sh", ["-ec", script], { cwd, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

function localised(line: string, node: TestNode): string {
  return line.replaceAll("http://127.0.0.1:9080", node.url);
}

describe("documents", () => {
  test("have blocks to run, README and the first steps among them", () => {
    const paths = DOCUMENTS.map(([path]) => path);
    expect(paths).toEqual(expect.arrayContaining(["README.md", "docs/getting-started.md"]));
  });

  test.each(DOCUMENTS)(
    "%s: what it tells to type works as it says",
    async (path, snippets) => {
      using folder = temporary();
      await using node = await startNode({ demo: true });
      symlinkSync(dirname(STARTED), join(folder.path, "bin"));
      for (const { line, shell: text, fails, output } of snippets) {
        const place = `${path}:${line}`;
        const { code, stdout, stderr } = await shell(text, folder.path, node);
        const printed = `${stdout}\n${stderr}`;
        expect(code === 0, `${place} ended with ${code}:\n${printed}`).toBe(!fails);
        const expected = (output ?? []).map((one) => localised(one, node));
        const missing = missingLine(expected, printed);
        expect(missing, `${place} did not print this line, but:\n${printed}`).toBeNull();
      }
    },
    DOCUMENT_MS_MAX,
  );
});

describe("the runner", () => {
  test("reads blocks, whether they may fail, and their output", () => {
    const text =
      "a\n<!-- run -->\n```sh\nls\n```\n\n```output\nb\n```\n<!-- run: fails -->\n```sh\nno\n```\n";
    expect(snippetsIn(text)).toEqual([
      { line: 2, shell: "ls\n", fails: false, output: ["b"] },
      { line: 10, shell: "no\n", fails: true, output: null },
    ]);
  });

  test("finds the line that was not printed", () => {
    expect(missingLine(["a … c", "d"], "x\na b c\nd\n")).toBeNull();
    expect(missingLine(["d", "a … c"], "a b c\nd\n")).toBe("a … c");
    expect(missingLine(["a"], "ab\n")).toBe("a");
  });
});
