// As much of SQL as is needed to find parameters and the ends of statements: what is a text, a name, a comment, and
// what is not. Everything else is the database's to understand.

import type { Dialect } from "../../sdk/services/database.ts";
import { EdgeError } from "../../sdk/errors.ts";

export interface ParsedStatement {
  /** With parameters as the dialect has them: `?1` in SQLite, `$1` in Postgres. */
  readonly text: string;
  /** The highest number of a parameter. */
  readonly parameters: number;
  /** The first words, in upper case: what kind of statement it is. */
  readonly words: readonly string[];
  /** Of its first word, counted from 1. */
  readonly line: number;
}

type TokenKind = "word" | "parameter" | "semicolon" | "blank" | "operator" | "other";

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

/** "CREATE TEMPORARY VIEW IF NOT …" and the like: more nobody looks at. */
const WORDS_MAX = 4;

const BLANK = /\s+|--[^\n]*/y;
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const NUMBER = /\d[\w.]*/y;
const PARAMETER = /\?\d+|\$\d+|\?/y;
const NAMED = /[:@$][\p{L}_][\p{L}\p{N}_]*/uy;
const DOLLAR_QUOTE = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;
/** Never end inside of a quote of its own kind: two of them stand for one. */
const QUOTED: Readonly<Record<string, RegExp>> = {
  "'": /'[^']*(?:''[^']*)*(?:'|$)/y,
  '"': /"[^"]*(?:""[^"]*)*(?:"|$)/y,
  "`": /`[^`]*(?:``[^`]*)*(?:`|$)/y,
  "[": /\[[^\]]*(?:\]|$)/y,
};
const ESCAPED = /[eE]'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*(?:'|$)/y;
/** Operators of JSON in Postgres; written twice, a question mark stands for itself. `?||` is a parameter and a `||`. */
const QUESTION_OPERATOR = /\?(?:\?|\|(?!\|)|&)/y;

export interface ParseOptions {
  readonly dialect: Dialect;
  /** Whether values come with it: without, a question mark is an operator in Postgres. */
  readonly bound: boolean;
}

/** The statements of a script, without empty ones. Throws SERVICE_INPUT on named parameters. */
export function parseScript(script: string, options: ParseOptions): ParsedStatement[] {
  const { dialect } = options;
  const statements: ParsedStatement[] = [];
  let tokens: Token[] = [];
  let line = 1;
  /** Where the present statement begins; 0 before its first word. */
  let begun = 0;
  const trigger = new TriggerEnd();
  const finish = (): void => {
    if (begun > 0) statements.push({ ...build(tokens, options), line: begun });
    tokens = [];
    begun = 0;
    trigger.reset();
  };
  for (let at = 0; at < script.length;) {
    const token = readToken(script, at, dialect);
    at += token.text.length;
    if (token.kind !== "blank" && token.kind !== "semicolon" && begun === 0) begun = line;
    line += countLines(token.text);
    if (token.kind === "semicolon" && (dialect === "postgres" || trigger.ends())) {
      finish();
      continue;
    }
    tokens.push(token);
    if (dialect === "sqlite") trigger.take(token);
  }
  finish();
  return statements;
}

/** Exactly one statement; with a semicolon behind it if the author likes. */
export function parseStatement(sql: string, options: ParseOptions): ParsedStatement {
  const [first, ...others] = parseScript(sql, options);
  if (first === undefined) throw new EdgeError("SERVICE_INPUT", "The SQL has no statement.");
  if (others.length === 0) return first;
  const text = `The SQL has ${others.length + 1} statements; one is expected. exec takes several.`;
  throw new EdgeError("SERVICE_INPUT", text);
}

/** The body of a trigger has semicolons of its own, and ends with `; END`. */
class TriggerEnd {
  #words: string[] = [];
  #isTrigger = false;
  #last = "";
  #beforeLast = "";

  reset(): void {
    this.#words = [];
    this.#isTrigger = false;
    this.#last = "";
    this.#beforeLast = "";
  }

  take({ kind, text }: Token): void {
    if (kind === "blank") return;
    const word = text.toUpperCase();
    if (kind === "word" && this.#words.length < WORDS_MAX) {
      this.#words.push(word);
      this.#isTrigger = /^(EXPLAIN (QUERY PLAN )?)?CREATE (TEMP |TEMPORARY )?TRIGGER$/.test(
        this.#words.join(" "),
      )
        ? true
        : this.#isTrigger;
    }
    this.#beforeLast = this.#last;
    this.#last = word;
  }

  ends(): boolean {
    return !this.#isTrigger || (this.#last === "END" && this.#beforeLast === ";");
  }
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

function build(
  tokens: readonly Token[],
  { dialect, bound }: ParseOptions,
): Omit<ParsedStatement, "line"> {
  const words: string[] = [];
  for (const { kind, text } of tokens) {
    if (kind === "blank") continue;
    if (kind !== "word" || words.length === WORDS_MAX) break;
    words.push(text.toUpperCase());
  }
  const marks = tokens.filter(({ kind }) => kind === "parameter");
  // In Postgres a question mark is an operator of JSON too.
  const numbered = marks.some(({ text }) => text.startsWith("$"));
  const keepsQuestionMarks = dialect === "postgres" && (numbered || !bound);
  const sign = dialect === "postgres" ? "$" : "?";
  let last = 0;
  let parameters = 0;
  const pieces = tokens.map(({ kind, text }) => {
    if (kind === "operator" && text === "??" && !keepsQuestionMarks) return "?";
    if (kind !== "parameter") return text;
    if (keepsQuestionMarks && text.startsWith("?")) return text;
    // A plain `?` is the one behind the highest so far, as SQLite counts.
    const number = text === "?" ? last + 1 : Number(text.slice(1));
    last = Math.max(last, number);
    parameters = Math.max(parameters, number);
    return `${sign}${number}`;
  });
  return { text: pieces.join("").trim(), parameters, words };
}

function readToken(script: string, at: number, dialect: Dialect): Token {
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(script)?.[0] ?? null;
  };
  const char = script.charAt(at);
  if (char === ";") return { kind: "semicolon", text: char };
  const blank = match(BLANK);
  if (blank !== null) return { kind: "blank", text: blank };
  if (script.startsWith("/*", at)) {
    return { kind: "blank", text: script.slice(at, commentEnd(script, at, dialect)) };
  }
  if (dialect === "postgres") {
    const escaped = match(ESCAPED);
    if (escaped !== null) return { kind: "other", text: escaped };
    const tag = match(DOLLAR_QUOTE);
    if (tag !== null) return { kind: "other", text: dollarQuoted(script, at, tag) };
    const operator = match(QUESTION_OPERATOR);
    if (operator !== null) return { kind: "operator", text: operator };
  }
  const quoted = char === "[" && dialect === "postgres" ? undefined : QUOTED[char];
  if (quoted !== undefined) return { kind: "other", text: match(quoted) ?? char };
  const word = match(WORD);
  if (word !== null) return { kind: "word", text: word };
  const parameter = match(PARAMETER);
  if (parameter !== null) return { kind: "parameter", text: parameter };
  if (dialect === "sqlite") refuseNamed(match(NAMED));
  return {
    kind: "other",
    text: match(NUMBER) ?? String.fromCodePoint(script.codePointAt(at) ?? 0),
  };
}

function refuseNamed(name: string | null): void {
  if (name === null) return;
  const text = `Parameters are ?, ?1 or $1; ${name} is a named one, which is not taken.`;
  throw new EdgeError("SERVICE_INPUT", text);
}

/** Those of Postgres nest. */
function commentEnd(script: string, from: number, dialect: Dialect): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from + 2;
  for (let depth = 1; ;) {
    const found = mark.exec(script)?.[0];
    if (found === undefined) return script.length;
    if (found === "*/") depth--;
    else if (dialect === "postgres") depth++;
    if (depth === 0) return mark.lastIndex;
  }
}

function dollarQuoted(script: string, at: number, tag: string): string {
  const end = script.indexOf(tag, at + tag.length);
  return end < 0 ? script.slice(at) : script.slice(at, end + tag.length);
}
