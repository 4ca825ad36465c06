// Shell blocks of a document that its readers are meant to run, and what they are told to expect.
//
//   <!-- run -->            the block that follows is executed; with `run: fails` it has to end with an error
//   ```output               what it prints: lines in order, others may stand between; … stands for anything

export interface Snippet {
  readonly line: number;
  readonly shell: string;
  readonly fails: boolean;
  /** null: only has to succeed. */
  readonly output: readonly string[] | null;
}

const SNIPPET = /<!-- run(: fails)? -->\n```sh\n([^]*?)```\n(?:\n```output\n([^]*?)```\n)?/g;

export function snippetsIn(document: string): Snippet[] {
  return Array.from(document.matchAll(SNIPPET), (match) => ({
    line: document.slice(0, match.index).split("\n").length,
    shell: match[2] ?? "",
    fails: match[1] !== undefined,
    output: match[3]?.trimEnd().split("\n") ?? null,
  }));
}

/** The first expected line that is not there, or null. */
export function missingLine(expected: readonly string[], printed: string): string | null {
  const lines = printed.split("\n");
  let at = 0;
  for (const wanted of expected) {
    const parts = wanted.split("…").map((part) => part.trim().replaceAll(/[^\w\s]/g, "\\$&"));
    const pattern = new RegExp(`^\\s*${parts.join(".*")}\\s*$`);
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line));
    if (found < 0) return wanted;
    at = found + 1;
  }
  return null;
}
