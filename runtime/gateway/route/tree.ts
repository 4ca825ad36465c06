// The tree of one host's routes, one level per path segment, by the shape of the patterns: all regex segments
// of a level share one child, and a route's own expressions are checked when its end is reached. So a walk
// that tries literal, regex, parameter, wildcard in this order and steps back on failure meets the routes in
// order of precedence, and each node at most once whatever the path: the cost is bounded by the table's size.

import { canonicalSegment, parsePattern } from "../../../sdk/pattern.ts";
import { compileRegex } from "../../../sdk/pattern-regex.ts";
import type { RouteInput, RouteResult } from "./contract.ts";

interface RegexCheck {
  readonly depth: number;
  readonly regex: RegExp;
  readonly inputMax: number;
}

export interface Entry {
  readonly route: RouteInput;
  readonly names: readonly string[];
  /** Depths of the segments that the names stand for. */
  readonly depths: readonly number[];
  readonly hasRest: boolean;
  readonly checks: readonly RegexCheck[];
  /** The whole answer, for a route without parameters. */
  readonly fixed: RouteResult | null;
}

/** The routes of one shape. At most one per method: more would be a conflict. */
export interface Terminal {
  readonly byMethod: Map<string, Entry>;
  any: Entry | null;
}

export interface Node {
  readonly literals: Map<string, Node>;
  regex: Node | null;
  param: Node | null;
  end: Terminal | null;
  rest: Terminal | null;
}

/** One walk's state. Reused: a walk is synchronous and never nested. */
export interface Cursor {
  path: string;
  method: string;
  /** Segments must be brought into canonical spelling before they are looked up. */
  uncanonical: boolean;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Methods of the routes that have this address but not this method. */
  allow: Set<string> | null;
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(createParams());

export function createNode(): Node {
  return { literals: new Map(), regex: null, param: null, end: null, rest: null };
}

/** Adds a route that is known not to conflict. Gives the place where it ends and whether it is all literal. */
export function insertRoute(
  root: Node,
  route: RouteInput,
): { readonly terminal: Terminal; readonly literalPath: string | null } {
  const pattern = parsePattern(route.path);
  let node = root;
  const names: string[] = [];
  const depths: number[] = [];
  const checks: RegexCheck[] = [];
  let literalPath = "";
  for (const [depth, segment] of pattern.segments.entries()) {
    if (segment.kind === "literal") {
      literalPath += `/${segment.text}`;
      node = literalChild(node, segment.text);
      continue;
    }
    names.push(segment.name);
    depths.push(depth);
    if (segment.kind === "regex") {
      checks.push({ depth, regex: compileRegex(segment.source), inputMax: segment.inputMax });
      node = node.regex ??= createNode();
    } else {
      node = node.param ??= createNode();
    }
  }
  const hasRest = pattern.rest !== null;
  if (pattern.rest !== null) {
    names.push(pattern.rest);
    depths.push(pattern.segments.length);
  }
  const entry: Entry = { route, names, depths, hasRest, checks, fixed: fixedResult(route, names) };
  const terminal = hasRest ? (node.rest ??= createTerminal()) : (node.end ??= createTerminal());
  if (route.methods.length === 0) terminal.any = entry;
  for (const method of route.methods) terminal.byMethod.set(method, entry);
  return { terminal, literalPath: names.length === 0 ? literalPath : null };
}

/** The best route for the cursor's method at or below `node`; `start` is where the next segment begins. */
export function walk(cursor: Cursor, node: Node, start: number, depth: number): Entry | null {
  const { path } = cursor;
  if (start > path.length) return node.end === null ? null : pick(cursor, node.end);
  const slash = path.indexOf("/", start);
  const end = slash === -1 ? path.length : slash;
  cursor.starts[depth] = start;
  cursor.ends[depth] = end;
  let found: Entry | null = null;
  if (node.literals.size > 0) {
    const text = path.slice(start, end);
    const child = node.literals.get(cursor.uncanonical ? canonicalSegment(text) : text);
    if (child !== undefined) found = walk(cursor, child, end + 1, depth + 1);
  }
  if (found === null && end > start) {
    if (node.regex !== null) found = walk(cursor, node.regex, end + 1, depth + 1);
    if (found === null && node.param !== null) found = walk(cursor, node.param, end + 1, depth + 1);
  }
  if (found === null && node.rest !== null) found = pick(cursor, node.rest);
  return found;
}

/** The route of a terminal that takes the cursor's method; notes the other methods when there is none. */
export function pick(cursor: Cursor, terminal: Terminal): Entry | null {
  const { byMethod, any } = terminal;
  const named = byMethod.get(cursor.method);
  if (named !== undefined && passes(cursor, named)) return named;
  if (cursor.method === "HEAD") {
    const get = byMethod.get("GET");
    if (get !== undefined && passes(cursor, get)) return get;
  }
  if (any !== null && passes(cursor, any)) return any;
  for (const [method, entry] of byMethod) {
    if (entry !== named && passes(cursor, entry)) (cursor.allow ??= new Set()).add(method);
  }
  return null;
}

/** The answer for an entry that the walk has just found. */
export function resultOf(cursor: Cursor, entry: Entry): RouteResult {
  if (entry.fixed !== null) return entry.fixed;
  const { names, depths, route } = entry;
  const params = createParams();
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index];
    const depth = depths[index];
    if (name === undefined || depth === undefined) continue;
    const isRest = entry.hasRest && index === names.length - 1;
    params[name] = segmentAt(cursor, depth, isRest);
  }
  return { kind: "match", match: { endpoint: route.endpoint, route, params } };
}

function passes(cursor: Cursor, entry: Entry): boolean {
  for (const { depth, regex, inputMax } of entry.checks) {
    const text = segmentAt(cursor, depth, false);
    if (text.length > inputMax || !regex.test(text)) return false;
  }
  return true;
}

function segmentAt(cursor: Cursor, depth: number, toEnd: boolean): string {
  const raw = cursor.path.slice(cursor.starts[depth], toEnd ? undefined : cursor.ends[depth]);
  if (!cursor.uncanonical || !raw.includes("%")) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    // Not the encoding of any text: handed on as it came, so that the handler can decide.
    return raw;
  }
}

function literalChild(node: Node, text: string): Node {
  const known = node.literals.get(text);
  if (known !== undefined) return known;
  const child = createNode();
  node.literals.set(text, child);
  return child;
}

function createTerminal(): Terminal {
  return { byMethod: new Map(), any: null };
}

function fixedResult(route: RouteInput, names: readonly string[]): RouteResult | null {
  if (names.length > 0) return null;
  return { kind: "match", match: { endpoint: route.endpoint, route, params: NO_PARAMS } };
}

/** Without a prototype: a parameter may be called __proto__. */
function createParams(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}
