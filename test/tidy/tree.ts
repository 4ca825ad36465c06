// What the rules look at: every source file with its text, its imports and where its comments stand.

import { parseSync } from "oxc-parser";
import { posix } from "node:path";

export interface Import {
  readonly specifier: string;
  /** Path of the file meant, for relative specifiers; else null. */
  readonly target: string | null;
  readonly kind: "value" | "type" | "dynamic";
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** The text with every comment blanked out, same length and lines. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly parses: boolean;
}

export type Tree = ReadonlyMap<string, SourceFile>;

const REQUIRED = /\brequire(?:\.resolve)?\(\s*["']([^"']+)["']\s*\)/g;

export function isTest(path: string): boolean {
  return path.startsWith("test/") || path.endsWith(".test.ts");
}

export function layerOf(path: string): string {
  if (/^runtime\/(?:supervisor|worker|jail)(?:\.ts$|\/)/.test(path)) return "root";
  const parts = path.split("/");
  return parts[0] === "runtime" ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}

export function packageOf(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

function parse(path: string, text: string): SourceFile {
  const { module, comments, errors } = parseSync(path, text);
  let code = text;
  for (const { start, end } of comments) {
    code =
      code.slice(0, start) + text.slice(start, end).replaceAll(/[^\n]/g, " ") + code.slice(end);
  }
  const imports: Import[] = [];
  const add = (specifier: string, kind: Import["kind"]): void => {
    const relative = specifier.startsWith(".");
    const target = relative ? posix.join(posix.dirname(path), specifier) : null;
    imports.push({ specifier, target, kind });
  };
  for (const { moduleRequest, entries } of module.staticImports) {
    const typeOnly = entries.length > 0 && entries.every((entry) => entry.isType);
    add(moduleRequest.value, typeOnly ? "type" : "value");
  }
  for (const { entries } of module.staticExports) {
    const from = entries.filter((entry) => entry.moduleRequest !== null);
    const typeOnly = from.every((entry) => entry.isType);
    for (const request of new Set(from.map((entry) => entry.moduleRequest?.value ?? ""))) {
      add(request, typeOnly ? "type" : "value");
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^["'`]([^"'`$]*)["'`]$/.exec(
      text.slice(moduleRequest.start, moduleRequest.end),
    );
    if (literal?.[1] !== undefined) add(literal[1], "dynamic");
  }
  for (const [, specifier] of code.matchAll(REQUIRED)) add(specifier ?? "", "value");
  return { path, text, code, imports, parses: errors.length === 0 };
}

export function treeOf(texts: Readonly<Record<string, string>>): Tree {
  return new Map(Object.entries(texts).map(([path, text]) => [path, parse(path, text)]));
}
