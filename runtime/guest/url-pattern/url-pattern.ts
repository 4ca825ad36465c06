// URLPattern: https://urlpattern.spec.whatwg.org. A constructor string or an init becomes eight components
// (constructor-string.ts, init.ts), each compiled to a regular expression (tokens.ts, parts.ts, component.ts).

import { exposeInterface } from "../interface.ts";
import { defaultPort, isSpecial } from "../url-record.ts";
import * as canonical from "./canonical.ts";
import { Component, type ComponentMatch } from "./component.ts";
import { matchesSpecialScheme, parseConstructorString } from "./constructor-string.ts";
import {
  addressInit,
  addressOf,
  patternInit,
  toInit,
  type ComponentName,
  type Components,
  type Init,
} from "./init.ts";
import type { Canonicalize, Segments } from "./parts.ts";

type Compiled = Readonly<Record<ComponentName, Component>>;
export type URLPatternResult = { readonly inputs: readonly unknown[] } & {
  readonly [Name in ComponentName]: ComponentMatch;
};

export class URLPattern {
  readonly #components: Compiled;

  constructor(input: unknown = {}, baseOrOptions: unknown = undefined, options?: unknown) {
    const hasBase =
      arguments.length > 2 ||
      (baseOrOptions !== undefined && baseOrOptions !== null && !isObject(baseOrOptions));
    const base = hasBase ? toText(baseOrOptions) : undefined;
    const ignoreCase = toIgnoreCase(hasBase ? options : baseOrOptions);
    this.#components = compile(patternInit(initOf(input, base)), ignoreCase);
  }

  get protocol(): string {
    return this.#components.protocol.pattern;
  }

  get username(): string {
    return this.#components.username.pattern;
  }

  get password(): string {
    return this.#components.password.pattern;
  }

  get hostname(): string {
    return this.#components.hostname.pattern;
  }

  get port(): string {
    return this.#components.port.pattern;
  }

  get pathname(): string {
    return this.#components.pathname.pattern;
  }

  get search(): string {
    return this.#components.search.pattern;
  }

  get hash(): string {
    return this.#components.hash.pattern;
  }

  get hasRegExpGroups(): boolean {
    const each = this.#components;
    return (
      each.protocol.hasRegexpGroups ||
      each.username.hasRegexpGroups ||
      each.password.hasRegexpGroups ||
      each.hostname.hasRegexpGroups ||
      each.port.hasRegexpGroups ||
      each.pathname.hasRegexpGroups ||
      each.search.hasRegexpGroups ||
      each.hash.hasRegexpGroups
    );
  }

  test(input: unknown = {}, base: unknown = undefined): boolean {
    const { address } = toAddress(input, base);
    if (address === null) return false;
    const each = this.#components;
    return (
      each.protocol.test(address.protocol ?? "") &&
      each.username.test(address.username ?? "") &&
      each.password.test(address.password ?? "") &&
      each.hostname.test(address.hostname ?? "") &&
      each.port.test(address.port ?? "") &&
      each.pathname.test(address.pathname ?? "") &&
      each.search.test(address.search ?? "") &&
      each.hash.test(address.hash ?? "")
    );
  }

  exec(input: unknown = {}, base: unknown = undefined): URLPatternResult | null {
    const { address, inputs } = toAddress(input, base);
    if (address === null) return null;
    const each = this.#components;
    const protocol = each.protocol.match(address.protocol ?? "");
    const username = each.username.match(address.username ?? "");
    const password = each.password.match(address.password ?? "");
    const hostname = each.hostname.match(address.hostname ?? "");
    if (protocol === null || username === null || password === null || hostname === null) {
      return null;
    }
    const port = each.port.match(address.port ?? "");
    const pathname = each.pathname.match(address.pathname ?? "");
    const search = each.search.match(address.search ?? "");
    const hash = each.hash.match(address.hash ?? "");
    if (port === null || pathname === null || search === null || hash === null) return null;
    return { inputs, protocol, username, password, hostname, port, pathname, search, hash };
  }
}
exposeInterface(URLPattern, "URLPattern");

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function toText(value: unknown): string {
  return `${value as string}`.toWellFormed();
}

function toIgnoreCase(options: unknown): boolean {
  return isObject(options) && Boolean((options as { ignoreCase?: unknown }).ignoreCase);
}

function initOf(input: unknown, base: string | undefined): Init {
  if (isObject(input) || input === undefined || input === null) {
    if (base !== undefined) throw new TypeError("A base URL goes with a pattern string only");
    return isObject(input) ? toInit(input) : {};
  }
  const init = parseConstructorString(toText(input));
  if (base !== undefined) init.baseURL = base;
  else if (init.protocol === undefined) {
    throw new TypeError("A pattern without a protocol needs a base URL");
  }
  return init;
}

interface Given {
  readonly address: Components | null;
  readonly inputs: readonly unknown[];
}

function toAddress(input: unknown, base: unknown): Given {
  if (isObject(input) || input === undefined || input === null) {
    if (base !== undefined) throw new TypeError("A base URL goes with an address as text only");
    const init = isObject(input) ? toInit(input) : {};
    try {
      return { address: addressInit(init), inputs: [init] };
    } catch {
      // What can be no component of a URL matches nothing.
      return { address: null, inputs: [init] };
    }
  }
  const text = toText(input);
  if (base === undefined) return { address: addressOf(text, undefined), inputs: [text] };
  const baseText = toText(base);
  return { address: addressOf(text, baseText), inputs: [text, baseText] };
}

function isIpv6(hostname: string): boolean {
  return hostname.length > 1 && /^(?:\[|[{\\]\[)/.test(hostname);
}

function compile(given: Components, ignoreCase: boolean): Compiled {
  const plain: Segments = { delimiter: "", prefix: "", ignoreCase: false };
  const lenient = { ...plain, ignoreCase };
  const { protocol: scheme = "*", hostname = "*" } = given;
  const isDefault = isSpecial(scheme) && given.port === `${defaultPort(scheme) ?? ""}`;
  const port = isDefault ? "" : given.port;
  const make = (
    pattern: string | undefined,
    segments: Segments,
    canonicalize: Canonicalize,
  ): Component => new Component(pattern ?? "*", segments, canonicalize);
  const protocol = make(scheme, plain, canonical.protocol);
  const isPath = matchesSpecialScheme(protocol);
  return {
    protocol,
    username: make(given.username, plain, canonical.credential),
    password: make(given.password, plain, canonical.credential),
    hostname: make(
      hostname,
      { delimiter: ".", prefix: "", ignoreCase: false },
      isIpv6(hostname) ? canonical.ipv6 : canonical.hostname,
    ),
    port: make(port, plain, (text) => canonical.port(text)),
    pathname: isPath
      ? make(given.pathname, { delimiter: "/", prefix: "/", ignoreCase }, canonical.pathname)
      : make(given.pathname, lenient, canonical.opaquePathname),
    search: make(given.search, lenient, canonical.search),
    hash: make(given.hash, lenient, canonical.hash),
  };
}
