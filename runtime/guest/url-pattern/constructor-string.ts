// A pattern written like an address, cut into its components: the constructor string parser of the URL Pattern
// standard, whose states and names these are.

import * as canonical from "./canonical.ts";
import { Component } from "./component.ts";
import type { ComponentName, Init } from "./init.ts";
import type { Segments } from "./parts.ts";
import { tokenize, type Token } from "./tokens.ts";

const SPECIAL_SCHEMES = ["ftp", "file", "http", "https", "ws", "wss"] as const;
const PLAIN: Segments = { delimiter: "", prefix: "", ignoreCase: false };

type State = ComponentName | "init" | "authority" | "done";

/** States in the order in which an address has them. */
const ORDER: readonly State[] = [
  "init",
  "protocol",
  "authority",
  "username",
  "password",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
  "done",
];

function isBefore(state: State, other: State): boolean {
  return ORDER.indexOf(state) < ORDER.indexOf(other);
}

export function matchesSpecialScheme(protocol: Component): boolean {
  return SPECIAL_SCHEMES.some((scheme) => protocol.test(scheme));
}

export function parseConstructorString(input: string): Init {
  return new ConstructorStringParser(input).parse();
}

class ConstructorStringParser {
  readonly #input: string;
  readonly #tokens: readonly Token[];
  readonly #result: Init = {};
  #componentStart = 0;
  #at = 0;
  #step = 1;
  #groupDepth = 0;
  #bracketDepth = 0;
  #special = false;
  #state: State = "init";

  constructor(input: string) {
    this.#input = input;
    this.#tokens = tokenize(input, true);
  }

  parse(): Init {
    for (; this.#at < this.#tokens.length && this.#state !== "done"; this.#at += this.#step) {
      this.#step = 1;
      const { type } = this.#token(this.#at);
      if (type === "end") this.#end();
      else if (type === "open") this.#groupDepth++;
      else {
        if (this.#groupDepth > 0) {
          if (type !== "close") continue;
          this.#groupDepth--;
        }
        this.#advance();
      }
    }
    const result = this.#result;
    if (result.hostname !== undefined) result.port ??= "";
    return result;
  }

  #end(): void {
    if (this.#state === "init") {
      this.#rewind();
      if (this.#isChar("#")) this.#change("hash", 1);
      else if (this.#isSearchPrefix()) this.#change("search", 1);
      else this.#change("pathname", 0);
    } else if (this.#state === "authority") this.#rewind("hostname");
    else this.#change("done", 0);
  }

  #advance(): void {
    switch (this.#state) {
      case "init":
        if (this.#isChar(":")) this.#rewind("protocol");
        break;
      case "protocol":
        this.#inProtocol();
        break;
      case "authority":
        if (this.#isChar("@")) this.#rewind("username");
        else if (this.#endsAuthority()) this.#rewind("hostname");
        break;
      case "username":
        if (this.#isChar(":")) this.#change("password", 1);
        else if (this.#isChar("@")) this.#change("hostname", 1);
        break;
      case "password":
        if (this.#isChar("@")) this.#change("hostname", 1);
        break;
      case "hostname":
        if (this.#isChar("[")) this.#bracketDepth++;
        else if (this.#isChar("]")) this.#bracketDepth--;
        else if (this.#isChar(":") && this.#bracketDepth === 0) this.#change("port", 1);
        else this.#inPath("/");
        break;
      case "port":
        this.#inPath("/");
        break;
      case "pathname":
        this.#inPath("?");
        break;
      case "search":
        if (this.#isChar("#")) this.#change("hash", 1);
        break;
      case "hash":
      case "done":
        break;
    }
  }

  #inProtocol(): void {
    if (!this.#isChar(":")) return;
    this.#special = matchesSpecialScheme(
      new Component(this.#component(), PLAIN, canonical.protocol),
    );
    if (this.#isChar("/", 1) && this.#isChar("/", 2)) this.#change("authority", 3);
    else this.#change(this.#special ? "authority" : "pathname", 1);
  }

  /** Whether the component ends here: at a path, unless that is where it stands, a query or a fragment. */
  #inPath(from: "/" | "?"): void {
    if (from === "/" && this.#isChar("/")) this.#change("pathname", 0);
    else if (this.#isSearchPrefix()) this.#change("search", 1);
    else if (this.#isChar("#")) this.#change("hash", 1);
  }

  #endsAuthority(): boolean {
    return this.#isChar("/") || this.#isSearchPrefix() || this.#isChar("#");
  }

  #token(index: number): Token {
    return (this.#tokens[index] ?? this.#tokens[this.#tokens.length - 1]) as Token;
  }

  /** A character that stands for itself. */
  #isChar(character: string, ahead = 0): boolean {
    const { type, value } = this.#token(this.#at + ahead);
    if (value !== character) return false;
    return type === "char" || type === "escaped-char" || type === "invalid-char";
  }

  /** A question mark that is no modifier. */
  #isSearchPrefix(): boolean {
    if (this.#isChar("?")) return true;
    if (this.#token(this.#at).value !== "?") return false;
    if (this.#at === 0) return true;
    const { type } = this.#token(this.#at - 1);
    return type !== "name" && type !== "regexp" && type !== "close" && type !== "asterisk";
  }

  #component(): string {
    const start = this.#token(this.#componentStart).index;
    return this.#input.slice(start, this.#token(this.#at).index);
  }

  #rewind(state: State = this.#state): void {
    this.#at = this.#componentStart;
    this.#step = 0;
    this.#state = state;
  }

  #change(state: State, skip: number): void {
    const old = this.#state;
    const result = this.#result;
    if (old !== "init" && old !== "authority" && old !== "done") result[old] = this.#component();
    if (old !== "init" && state !== "done") {
      // What the pattern leaves out before what it names is empty, not a wildcard.
      if (isBefore(old, "hostname") && isBefore("hostname", state)) result.hostname ??= "";
      if (isBefore(old, "pathname") && isBefore("pathname", state)) {
        result.pathname ??= this.#special ? "/" : "";
      }
      if (isBefore(old, "search") && isBefore("search", state)) result.search ??= "";
    }
    this.#state = state;
    this.#at += skip;
    this.#componentStart = this.#at;
    this.#step = 0;
  }
}
