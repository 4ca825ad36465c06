// Reading a HeaderList without taking it apart.

import type { HeaderList } from "../../sdk/exchange.ts";

/** First value of a header, by lower-case name. */
export function headerOf(list: HeaderList, name: string): string | undefined {
  for (let at = 0; at < list.length;) {
    const nameEnd = list.indexOf("\n", at);
    const valueEnd = list.indexOf("\n", nameEnd + 1);
    if (nameEnd - at === name.length && list.startsWith(name, at)) {
      return list.slice(nameEnd + 1, valueEnd);
    }
    at = valueEnd + 1;
  }
  return undefined;
}

/** The list without the fields of that name. */
export function withoutHeader(list: HeaderList, name: string): HeaderList {
  if (headerOf(list, name) === undefined) return list;
  const parts = list.split("\n");
  let rest = "";
  for (let at = 0; at + 1 < parts.length; at += 2) {
    if (parts[at] !== name) rest += `${parts[at]}\n${parts[at + 1]}\n`;
  }
  return rest;
}
