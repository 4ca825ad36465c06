// Reading a HeaderList without taking it apart.

import type { HeaderList } from "../exchange.ts";

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

/** All values of a header as one, which is what several fields of a name mean (RFC 9110, section 5.3); "": none. */
export function wholeHeader(list: HeaderList, name: string): string {
  const values: string[] = [];
  for (let at = 0; at < list.length;) {
    const nameEnd = list.indexOf("\n", at);
    const valueEnd = list.indexOf("\n", nameEnd + 1);
    if (nameEnd - at === name.length && list.startsWith(name, at)) {
      values.push(list.slice(nameEnd + 1, valueEnd));
    }
    at = valueEnd + 1;
  }
  return values.join(", ");
}

/** The list without the fields of these names, which are in lower case. */
export function withoutHeaders(list: HeaderList, names: ReadonlySet<string>): HeaderList {
  let kept = "";
  // What is kept is copied in runs: most lists lose nothing, or one field.
  let from = 0;
  for (let at = 0; at < list.length;) {
    const nameEnd = list.indexOf("\n", at);
    const next = list.indexOf("\n", nameEnd + 1) + 1;
    if (names.has(list.slice(at, nameEnd))) {
      kept += list.slice(from, at);
      from = next;
    }
    at = next;
  }
  return from === 0 ? list : kept + list.slice(from);
}
