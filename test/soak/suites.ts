// Packages' own test suites in isolates. They are not part of this repository: `path` has a folder for each, with one
// ES module for each file of tests, which imports nothing but "vitest" and modules of Node.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { startNode, type TestNode } from "../node.ts";
import { KNOWN, type Known } from "../suites/known.ts";
import { runFile, testFiles } from "../suites/suites.ts";

type Print = (line: string) => void;

/** `only` picks files by suite and path. */
export async function suites(path: string, only: string, print: Print): Promise<void> {
  const unexplained: string[] = [];
  const met = new Set<Known>();
  await using node = await startNode({ workers: 1, args: ["--allow-private-egress"] });
  for (const suite of readdirSync(path).toSorted()) {
    const files = testFiles(join(path, suite)).filter((file) => `${suite}/${file}`.includes(only));
    if (files.length === 0) continue;
    const counts = await runSuite(node, path, suite, files, { unexplained, met, print });
    const said = [...counts].map(([what, count]) => `${count} ${what}`).join(", ");
    print(`${suite}: ${files.length} files: ${said}`);
  }
  const stale = only === "" ? KNOWN.filter((known) => !met.has(known)) : [];
  for (const { suite, file, test } of stale) print(`passes now: ${suite} ${file} ${test ?? ""}`);
  assert.deepEqual({ unexplained, stale }, { unexplained: [], stale: [] });
}

interface Tally {
  readonly unexplained: string[];
  readonly met: Set<Known>;
  readonly print: Print;
}

async function runSuite(
  node: TestNode,
  path: string,
  suite: string,
  files: readonly string[],
  { unexplained, met, print }: Tally,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map([["passed", 0]]);
  const count = (what: string, by: number): void => {
    counts.set(what, (counts.get(what) ?? 0) + by);
  };
  for (const file of files) {
    const { passed, skipped, failures } = await runFile(node, join(path, suite), file);
    count("passed", passed);
    if (skipped > 0) count("skipped", skipped);
    for (const { name, message, stack } of failures) {
      const known = explanationOf(suite, file, name);
      count(known === undefined ? "failed" : `failed (${known.reason})`, 1);
      if (known === undefined) {
        unexplained.push(`${suite} ${file} ${name}`);
        print(`${suite} ${file} ${name}\n    ${message}\n${stack}`);
      } else met.add(known);
    }
  }
  return counts;
}

function explanationOf(suite: string, file: string, name: string): Known | undefined {
  return KNOWN.find(
    (known) =>
      known.suite === suite &&
      known.file === file &&
      (known.test === undefined || name.includes(known.test)),
  );
}
