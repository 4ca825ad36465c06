// The tokens of a pattern string, as the URL Pattern standard cuts it. Indexes count code units.

export type TokenType =
  | "open"
  | "close"
  | "regexp"
  | "name"
  | "char"
  | "escaped-char"
  | "other-modifier"
  | "asterisk"
  | "invalid-char"
  | "end";

export interface Token {
  readonly type: TokenType;
  readonly index: number;
  readonly value: string;
}

const SIMPLE: Readonly<Record<string, TokenType>> = {
  __proto__: null,
  "*": "asterisk",
  "+": "other-modifier",
  "?": "other-modifier",
  "{": "open",
  "}": "close",
} as unknown as Record<string, TokenType>;

/** Whether a name may have this character, or begin with it. */
export function isNameCharacter(character: string, first: boolean): boolean {
  if (character === "") return false;
  return first
    ? /^[$_\p{ID_Start}]$/u.test(character)
    : /^[$\u200c\u200d\p{ID_Continue}]$/u.test(character);
}

export function characterAt(text: string, index: number): string {
  const code = text.codePointAt(index);
  return code === undefined ? "" : String.fromCodePoint(code);
}

/** `lenient` makes tokens of what is no pattern; otherwise that throws a TypeError. */
export function tokenize(input: string, lenient: boolean): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < input.length) {
    const token = nextToken(input, at, lenient);
    tokens.push(token.token);
    at = token.end;
  }
  tokens.push({ type: "end", index: input.length, value: "" });
  return tokens;
}

interface Cut {
  readonly token: Token;
  /** Where the next one begins. */
  readonly end: number;
}

function nextToken(input: string, index: number, lenient: boolean): Cut {
  const character = characterAt(input, index);
  const next = index + character.length;
  const cut = (type: TokenType, value: string, end: number): Cut => ({
    token: { type, index, value },
    end,
  });
  const fault = (end: number): Cut => {
    if (lenient) return cut("invalid-char", input.slice(index, end), end);
    throw new TypeError(`Invalid pattern at ${index}: ${input.slice(index, index + 20)}`);
  };
  const simple = SIMPLE[character];
  if (simple !== undefined) return cut(simple, character, next);
  if (character === "\\") {
    const escaped = characterAt(input, next);
    return escaped === "" ? fault(next) : cut("escaped-char", escaped, next + escaped.length);
  }
  if (character === ":") {
    const end = nameEnd(input, next);
    return end === next ? fault(next) : cut("name", input.slice(next, end), end);
  }
  if (character === "(") {
    const end = regexpEnd(input, next);
    return end < 0 ? fault(next) : cut("regexp", input.slice(next, end - 1), end);
  }
  return cut("char", character, next);
}

function nameEnd(input: string, from: number): number {
  let at = from;
  for (;;) {
    const character = characterAt(input, at);
    if (!isNameCharacter(character, at === from)) return at;
    at += character.length;
  }
}

/** Behind the closing parenthesis; -1 when the group is empty, unclosed, capturing within or not ASCII. */
function regexpEnd(input: string, from: number): number {
  let depth = 1;
  for (let at = from; at < input.length; at++) {
    const code = input.charCodeAt(at);
    if (code > 0x7f) return -1;
    switch (input.charAt(at)) {
      case "?":
        if (at === from) return -1;
        break;
      case "\\":
        at++;
        if (at === input.length || input.charCodeAt(at) > 0x7f) return -1;
        break;
      case ")":
        depth--;
        if (depth === 0) return at === from ? -1 : at + 1;
        break;
      case "(":
        depth++;
        if (input.charAt(at + 1) !== "?") return -1;
        break;
    }
  }
  return -1;
}
