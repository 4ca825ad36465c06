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
