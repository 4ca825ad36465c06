// A pattern string as a list of parts: fixed text and groups.

import { tokenize, type Token, type TokenType } from "./tokens.ts";

export type Modifier = "" | "?" | "*" | "+";

export interface Part {
  readonly type: "fixed-text" | "regexp" | "segment-wildcard" | "full-wildcard";
  /** Of fixed text the text, of "regexp" the expression. */
  readonly value: string;
  readonly modifier: Modifier;
  readonly name: string;
  readonly prefix: string;
  readonly suffix: string;
}

/** How a component splits into segments. */
export interface Segments {
  readonly delimiter: string;
  /** The character that a group takes along when it stands before it. */
  readonly prefix: string;
  readonly ignoreCase: boolean;
}

/** Encodes text of a component as a URL's parser would; throws a TypeError when it cannot stand there. */
export type Canonicalize = (text: string) => string;

export const FULL_WILDCARD = ".*";

export function segmentWildcard({ delimiter }: Segments): string {
  return `[^${escapeRegexp(delimiter)}]+?`;
}

export function escapeRegexp(text: string): string {
  return text.replace(/[.+*?^${}()[\]|/\\]/g, "\\$&");
}

export function parseParts(
  pattern: string,
  segments: Segments,
  canonicalize: Canonicalize,
): readonly Part[] {
  return new PartParser(pattern, segments, canonicalize).parse();
}

class PartParser {
  readonly #tokens: readonly Token[];
  readonly #segments: Segments;
  readonly #canonicalize: Canonicalize;
  readonly #parts: Part[] = [];
  readonly #segment: string;
  #at = 0;
  /** Fixed text that has not become a part yet. */
  #pending = "";
  #nextNumber = 0;

  constructor(pattern: string, segments: Segments, canonicalize: Canonicalize) {
    this.#tokens = tokenize(pattern, false);
    this.#segments = segments;
    this.#canonicalize = canonicalize;
    this.#segment = segmentWildcard(segments);
  }

  parse(): readonly Part[] {
    while (this.#at < this.#tokens.length) this.#next();
    return this.#parts;
  }

  #next(): void {
    const character = this.#take("char");
    const name = this.#take("name");
    const matcher = this.#takeMatcher(name);
    if (name !== null || matcher !== null) {
      let prefix = character?.value ?? "";
      if (prefix !== "" && prefix !== this.#segments.prefix) {
        this.#pending += prefix;
        prefix = "";
      }
      this.#flush();
      this.#add({ prefix, name, matcher, suffix: "", modifier: this.#takeModifier() });
      return;
    }
    const fixed = character ?? this.#take("escaped-char");
    if (fixed !== null) {
      this.#pending += fixed.value;
      return;
    }
    if (this.#take("open") !== null) {
      const prefix = this.#takeText();
      const inner = this.#take("name");
      const innerMatcher = this.#takeMatcher(inner);
      const suffix = this.#takeText();
      this.#require("close");
      const modifier = this.#takeModifier();
      this.#add({ prefix, name: inner, matcher: innerMatcher, suffix, modifier });
      return;
    }
    this.#flush();
    this.#require("end");
  }

  #take(type: TokenType): Token | null {
    const token = this.#tokens[this.#at];
    if (token?.type !== type) return null;
    this.#at++;
    return token;
  }

  #require(type: TokenType): void {
    if (this.#take(type) !== null) return;
    const found = this.#tokens[this.#at];
    throw new TypeError(`Invalid pattern: ${found?.type ?? "end"} at ${found?.index ?? 0}`);
  }

  #takeMatcher(name: Token | null): Token | null {
    const token = this.#take("regexp");
    return token === null && name === null ? this.#take("asterisk") : token;
  }

  #takeModifier(): Modifier {
    const token = this.#take("other-modifier") ?? this.#take("asterisk");
    return (token?.value ?? "") as Modifier;
  }

  #takeText(): string {
    let text = "";
    for (;;) {
      const token = this.#take("char") ?? this.#take("escaped-char");
      if (token === null) return text;
      text += token.value;
    }
  }

  #flush(): void {
    if (this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    this.#addFixed(text, "");
  }

  #addFixed(text: string, modifier: Modifier): void {
    const value = this.#canonicalize(text);
    this.#parts.push({ type: "fixed-text", value, modifier, name: "", prefix: "", suffix: "" });
  }

  #add(group: {
    readonly prefix: string;
    readonly name: Token | null;
    readonly matcher: Token | null;
    readonly suffix: string;
    readonly modifier: Modifier;
  }): void {
    const { prefix, name, matcher, suffix, modifier } = group;
    if (name === null && matcher === null) {
      if (modifier === "") {
        this.#pending += prefix;
        return;
      }
      this.#flush();
      if (prefix !== "") this.#addFixed(prefix, modifier);
      return;
    }
    this.#flush();
    const expression = this.#expressionOf(matcher);
    const given = name?.value ?? `${this.#nextNumber}`;
    if (name === null) this.#nextNumber++;
    for (let i = 0; i < this.#parts.length; i++) {
      if (this.#parts[i]?.name === given) {
        throw new TypeError(`Invalid pattern: two groups are named ${given}`);
      }
    }
    this.#parts.push({
      ...this.#kindOf(expression),
      modifier,
      name: given,
      prefix: this.#canonicalize(prefix),
      suffix: this.#canonicalize(suffix),
    });
  }

  #expressionOf(matcher: Token | null): string {
    if (matcher === null) return this.#segment;
    return matcher.type === "asterisk" ? FULL_WILDCARD : matcher.value;
  }

  #kindOf(expression: string): Pick<Part, "type" | "value"> {
    if (expression === this.#segment) return { type: "segment-wildcard", value: "" };
    if (expression === FULL_WILDCARD) return { type: "full-wildcard", value: "" };
    return { type: "regexp", value: expression };
  }
}
