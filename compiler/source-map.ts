// Stack traces of author code, mapped back to the author's files. Node's own reader of source maps does the
// decoding; a map is parsed when the first stack asks for it.

import { SourceMap } from "node:module";
import type { SourceMapPayload } from "node:module";
import { BUNDLE_FILE } from "./script.ts";

export interface Position {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

export interface StackMapper {
  /** The same text with the bundle's positions replaced, and the frames of the wrapper taken out. */
  mapStack(stack: string): string;
  /** Where in the author's files the topmost frame of the bundle is; null when there is none. */
  topPosition(stack: string): Position | null;
}

/** `islet:bundle:12:34`, as frames and SyntaxErrors name a place. */
const PLACE = new RegExp(`${BUNDLE_FILE}:(\\d+):(\\d+)`, "g");
/** Frames below the author's own, up to their places: the wrapper, the guest, the engine's boundary. */
const FOREIGN_FRAME =
  /^\s+at .*?(?:islet:guest|islet:register|<isolated-vm|\(file:|\(node:).*?(?::\d+:\d+|>|$)\)?/;

/** `map`: the bundle's source map as JSON, or null: positions stay those of the bundle. */
export function createStackMapper(map: string | null): StackMapper {
  let parsed: SourceMap | null | undefined;
  const origin = (line: number, column: number): Position | null => {
    parsed ??= parseMap(map);
    const entry = parsed?.findEntry(line - 1, column - 1);
    if (entry === undefined || !("originalSource" in entry)) return null;
    return {
      file: entry.originalSource,
      line: entry.originalLine + 1,
      column: entry.originalColumn + 1,
    };
  };
  return {
    mapStack(stack) {
      return withoutForeign(stack).replace(PLACE, (place, line: string, column: string) => {
        const found = origin(Number(line), Number(column));
        return found === null ? place : `${found.file}:${found.line}:${found.column}`;
      });
    },
    topPosition(stack) {
      for (const [, line, column] of stack.matchAll(PLACE)) {
        const found = origin(Number(line), Number(column));
        if (found !== null) return found;
      }
      return null;
    },
  };
}

/** What was written behind such a frame, as the next argument of console.log is, goes behind the one before. */
function withoutForeign(stack: string): string {
  const kept: string[] = [];
  for (const line of stack.split("\n")) {
    const [frame] = FOREIGN_FRAME.exec(line) ?? [];
    if (frame === undefined) kept.push(line);
    else kept.push((kept.pop() ?? "") + line.slice(frame.length));
  }
  return kept.join("\n");
}

/** A map that cannot be read costs the mapping, never the stack trace. */
function parseMap(map: string | null): SourceMap | null {
  if (map === null) return null;
  try {
    const payload: unknown = JSON.parse(map);
    return isPayload(payload) ? new SourceMap(payload) : null;
  } catch {
    return null;
  }
}

function isPayload(value: unknown): value is SourceMapPayload {
  return (
    typeof value === "object" &&
    value !== null &&
    "mappings" in value &&
    typeof value.mappings === "string" &&
    "sources" in value &&
    Array.isArray(value.sources)
  );
}
