// A configuration file in the making: what was taken over, and notes on what was not, or is no longer the same.

import type { Place } from "../yaml.ts";

/** What is kept of a value in a note. */
const SHOWN_CHARS_MAX = 60;
/** What no note shows. */
const SECRET = /secret|key|password|token$/i;

export interface ImportNote {
  /** In the file that was read, from 1; 0: it is about the whole. */
  readonly line: number;
  readonly text: string;
}

export interface DraftRoute {
  readonly name: string;
  readonly path: string;
  readonly upstream: string;
  /** Each as flow YAML. */
  readonly policies: readonly string[];
}

export interface Draft {
  /** Name, then its fields as flow YAML. */
  readonly upstreams: readonly (readonly [string, readonly string[]])[];
  /** Of all routes, each as flow YAML. */
  readonly policies: readonly string[];
  readonly routes: readonly DraftRoute[];
}

export class Notes {
  readonly all: ImportNote[] = [];

  add(text: string, place?: Place): void {
    this.all.push({ line: place?.line ?? 0, text });
  }
}

/** Fields by name, without those that are not there; texts are quoted, and nothing in them is a variable. */
export function flow(fields: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value instanceof Raw ? value.text : quoted(value)}`],
  );
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}

/** Text that goes into a draft as it is. */
export class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** JSON is YAML. */
export function quoted(value: unknown): string {
  return JSON.stringify(value).replaceAll("${", () => "$${");
}

/** A name for what has a path: /api/users is api-users. */
export function nameOf(path: string, taken: ReadonlySet<string>): string {
  const plain = path.replaceAll(/[^A-Za-z0-9_.-]+/g, "-").replaceAll(/^[-_.]+|[-_.]+$/g, "");
  const stem = plain === "" ? "root" : plain.slice(0, 50);
  let name = stem;
  for (let count = 2; taken.has(name); count++) name = `${stem}-${count}`;
  return name;
}

export function shownValue(name: string, value: unknown): string {
  if (SECRET.test(name)) return "";
  const text = JSON.stringify(value) ?? "";
  const cut = text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
  return ` (${cut})`;
}

export function draftText(draft: Draft, head: readonly string[]): string {
  const lines = head.map((line) => `# ${line}`.trimEnd());
  if (draft.upstreams.length > 0) lines.push("upstreams:");
  for (const [name, fields] of draft.upstreams) {
    lines.push(`  ${quoted(name)}:`, ...fields.map((field) => `    ${field}`));
  }
  if (draft.policies.length > 0) {
    lines.push("policies:", ...draft.policies.map((policy) => `  - ${policy}`));
  }
  lines.push(draft.routes.length === 0 ? "routes: []" : "routes:");
  for (const { name, path, upstream, policies } of draft.routes) {
    lines.push(`  - name: ${quoted(name)}`, `    match: { path: ${quoted(path)} }`);
    lines.push(`    target: { upstream: ${quoted(upstream)} }`);
    if (policies.length > 0) {
      lines.push("    policies:", ...policies.map((policy) => `      - ${policy}`));
    }
  }
  return `${lines.join("\n")}\n`;
}
