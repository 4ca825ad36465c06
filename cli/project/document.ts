// A configuration file as values that know where they stand, so that every complaint about a field names its
// file, line and column. JSONC is parsed to a tree with offsets; TOML's parser gives no positions, so a
// field's line is found by its key.

import { relative } from "node:path";
import { getNodeValue, parseTree, findNodeAtLocation, printParseErrorCode } from "jsonc-parser";
import type { Node, ParseError } from "jsonc-parser";
import { TomlError, parse as parseToml } from "smol-toml";
import { EdgeError } from "../../sdk/errors.ts";
import type { Json, JsonObject } from "../../sdk/errors.ts";
import { readInput } from "../files.ts";
import { isObject } from "../json.ts";

export type FieldPath = readonly (string | number)[];

interface Position {
  readonly line: number;
  readonly column: number;
}

export interface ConfigDocument {
  /** As people should read it: relative to where they are. */
  readonly file: string;
  readonly value: JsonObject;
  /** From 1. Of the key where there is one, else of the value. */
  readonly locate: (path: FieldPath) => Position;
}

export function readDocument(path: string, cwd: string): ConfigDocument {
  const file = relative(cwd, path) || path;
  const text = readInput(path, file, "")
    .toString("utf8")
    .replace(/^\ufeff/, "");
  return path.endsWith(".toml") ? tomlDocument(file, text) : jsoncDocument(file, text);
}

/** A complaint about one field. */
export function fieldError(document: ConfigDocument, path: FieldPath, problem: string): EdgeError {
  const name = fieldName(path);
  const text = name === "" ? problem : `${name}: ${problem}`;
  return placedError(document.file, document.locate(path), { text, field: name });
}

/** "routes[0].path" */
export function fieldName(path: FieldPath): string {
  return path
    .map((part, index) =>
      typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`,
    )
    .join("");
}

function placedError(
  file: string,
  { line, column }: Position,
  { text, field }: { text: string; field: string },
): EdgeError {
  const message = `${file}:${line}:${column}: ${text}`;
  return new EdgeError("MANIFEST_INVALID", message, { detail: { file, line, column, field } });
}

function jsoncDocument(file: string, text: string): ConfigDocument {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined) {
    const words = printParseErrorCode(error.error).replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ");
    const position = positionAt(text, error.offset);
    throw placedError(file, position, { text: `${words.toLowerCase()} here`, field: "" });
  }
  const value: unknown = root === undefined ? undefined : getNodeValue(root);
  if (root === undefined || !isObject(value as Json)) {
    throw placedError(file, { line: 1, column: 1 }, { text: "an object is expected", field: "" });
  }
  assertNoDoubles(file, text, root);
  const locate = (path: FieldPath): Position => {
    const node = findNodeAtLocation(root, [...path]);
    const place = node?.parent?.type === "property" ? node.parent : node;
    return positionAt(text, place?.offset ?? 0);
  };
  return { file, value: value as JsonObject, locate };
}

/** Of two equal keys one would be ignored in silence. */
function assertNoDoubles(file: string, text: string, node: Node): void {
  const seen = new Set<unknown>();
  for (const child of node.children ?? []) {
    if (node.type === "object") {
      const key: unknown = child.children?.[0]?.value;
      if (seen.has(key)) {
        const position = positionAt(text, child.offset);
        throw placedError(file, position, {
          text: `${String(key)}: this field stands here twice`,
          field: String(key),
        });
      }
      seen.add(key);
    }
    assertNoDoubles(file, text, child);
  }
}

function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}

function tomlDocument(file: string, text: string): ConfigDocument {
  let value: JsonObject;
  try {
    value = JSON.parse(JSON.stringify(parseToml(text))) as JsonObject;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = (error.message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "");
    throw placedError(
      file,
      { line: error.line, column: error.column },
      { text: reason, field: "" },
    );
  }
  const lines = text.split("\n");
  return { file, value, locate: (path) => locateToml(lines, path) };
}

/** The deepest part of the path that stands as a key or in a table's head. */
function locateToml(lines: readonly string[], path: FieldPath): Position {
  const list = path.findIndex((part) => typeof part === "number");
  const heads = list === -1 ? [] : headsOf(lines, path.slice(0, list).join("."));
  const from = heads[Number(path[list])];
  // Within one table of a list of them, or anywhere.
  const to =
    from === undefined ? -1 : lines.findIndex((line, at) => at > from && /^\s*\[/.test(line));
  const part = lines.slice(from ?? 0, to === -1 ? undefined : to);
  const keys = path.slice(from === undefined ? 0 : list).filter((key) => typeof key === "string");
  for (const key of keys.toReversed()) {
    const escaped = key.replaceAll(/[^\w-]/g, String.raw`\$&`);
    const pattern = new RegExp(`^\\s*(?:\\[+[^\\]=]*\\b)?["']?${escaped}["']?\\s*[=.\\]]`);
    const index = part.findIndex((line) => pattern.test(line));
    if (index !== -1) return positionOf(lines, (from ?? 0) + index);
  }
  return positionOf(lines, from ?? 0);
}

/** The lines `[[name]]`. */
function headsOf(lines: readonly string[], name: string): readonly number[] {
  const head = `[[${name}]]`;
  return lines.flatMap((line, at) => (line.replaceAll(/\s|#.*$/g, "") === head ? [at] : []));
}

function positionOf(lines: readonly string[], at: number): Position {
  return { line: at + 1, column: Math.max(0, (lines[at] ?? "").search(/\S/)) + 1 };
}
