// One component of a pattern, compiled: an expression that matches it whole, and its pattern written normally.

import {
  escapeRegexp,
  FULL_WILDCARD,
  parseParts,
  segmentWildcard,
  type Canonicalize,
  type Part,
  type Segments,
} from "./parts.ts";
import { characterAt, isNameCharacter } from "./tokens.ts";

const NativeRegExp = RegExp;
const execute = RegExp.prototype.exec;
const apply = Reflect.apply;
const defineProperty = Reflect.defineProperty;

export interface ComponentMatch {
  readonly input: string;
  readonly groups: Readonly<Record<string, string | undefined>>;
}

export class Component {
  readonly pattern: string;
  readonly hasRegexpGroups: boolean;
  readonly #regexp: RegExp;
  readonly #names: readonly string[];

  constructor(pattern: string, segments: Segments, canonicalize: Canonicalize) {
    const parts = parseParts(pattern, segments, canonicalize);
    const { source, names } = expressionOf(parts, segments);
    try {
      this.#regexp = new NativeRegExp(source, segments.ignoreCase ? "vi" : "v");
    } catch {
      throw new TypeError(`Invalid pattern: ${pattern.slice(0, 200)}`);
    }
    this.#names = names;
    this.pattern = patternOf(parts, segments);
    this.hasRegexpGroups = parts.some(({ type }) => type === "regexp");
  }

  test(input: string): boolean {
    return apply(execute, this.#regexp, [input]) !== null;
  }

  match(input: string): ComponentMatch | null {
    const found = apply(execute, this.#regexp, [input]) as RegExpExecArray | null;
    if (found === null) return null;
    const groups = {};
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i] ?? "";
      const value: string | undefined = found[i + 1];
      // A name may be that of a setter, such as __proto__.
      defineProperty(groups, name, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return { input, groups };
  }
}

function expressionOf(
  parts: readonly Part[],
  segments: Segments,
): { source: string; names: string[] } {
  const names: string[] = [];
  let source = "^";
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Part;
    if (part.type === "fixed-text") {
      const text = escapeRegexp(part.value);
      source += part.modifier === "" ? text : `(?:${text})${part.modifier}`;
      continue;
    }
    names.push(part.name);
    source += groupOf(part, segments);
  }
  return { source: `${source}$`, names };
}

function groupOf(part: Part, segments: Segments): string {
  const { modifier } = part;
  const expression = matcherOf(part, segments);
  const repeated = modifier === "*" || modifier === "+";
  if (part.prefix === "" && part.suffix === "") {
    return repeated ? `((?:${expression})${modifier})` : `(${expression})${modifier}`;
  }
  const prefix = escapeRegexp(part.prefix);
  const suffix = escapeRegexp(part.suffix);
  if (!repeated) return `(?:${prefix}(${expression})${suffix})${modifier}`;
  const again = `(?:${suffix}${prefix}(?:${expression}))*`;
  const optional = modifier === "*" ? "?" : "";
  return `(?:${prefix}((?:${expression})${again})${suffix})${optional}`;
}

function matcherOf({ type, value }: Part, segments: Segments): string {
  if (type === "segment-wildcard") return segmentWildcard(segments);
  return type === "full-wildcard" ? FULL_WILDCARD : value;
}

export function escapePattern(text: string): string {
  return text.replace(/[+*?:{}()\\]/g, "\\$&");
}

function patternOf(parts: readonly Part[], segments: Segments): string {
  let text = "";
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Part;
    if (part.type === "fixed-text") {
      const escaped = escapePattern(part.value);
      text += part.modifier === "" ? escaped : `{${escaped}}${part.modifier}`;
      continue;
    }
    const grouped = needsBraces(part, parts[i - 1], parts[i + 1], segments);
    const inner = `${escapePattern(part.prefix)}${nameAndMatcher(part, parts[i - 1], {
      grouped,
      segments,
    })}${escapePattern(part.suffix)}`;
    text += (grouped ? `{${inner}}` : inner) + part.modifier;
  }
  return text;
}

function isDigit(character: string): boolean {
  return /^[0-9]$/.test(character);
}

function needsBraces(
  part: Part,
  previous: Part | undefined,
  next: Part | undefined,
  { prefix }: Segments,
): boolean {
  if (part.suffix !== "" || (part.prefix !== "" && part.prefix !== prefix)) return true;
  const named = !isDigit(part.name.charAt(0));
  // What follows could be taken for a part of the name.
  if (
    named &&
    part.type === "segment-wildcard" &&
    part.modifier === "" &&
    next !== undefined &&
    next.prefix === "" &&
    next.suffix === ""
  ) {
    const follows =
      next.type === "fixed-text"
        ? isNameCharacter(characterAt(next.value, 0), false)
        : isDigit(next.name.charAt(0));
    if (follows) return true;
  }
  // What stands before could be taken for its prefix.
  return (
    part.prefix === "" &&
    prefix !== "" &&
    previous?.type === "fixed-text" &&
    previous.value.endsWith(prefix)
  );
}

function nameAndMatcher(
  part: Part,
  previous: Part | undefined,
  { grouped, segments }: { grouped: boolean; segments: Segments },
): string {
  const named = !isDigit(part.name.charAt(0));
  const name = named ? `:${part.name}` : "";
  switch (part.type) {
    case "regexp":
      return `${name}(${part.value})`;
    case "segment-wildcard":
      if (!named) return `(${segmentWildcard(segments)})`;
      return isNameCharacter(characterAt(part.suffix, 0), false) ? `${name}\\` : name;
    default: {
      const bare =
        !named &&
        (previous === undefined ||
          previous.type === "fixed-text" ||
          previous.modifier !== "" ||
          grouped ||
          part.prefix !== "");
      return bare ? "*" : `${name}(${FULL_WILDCARD})`;
    }
  }
}
