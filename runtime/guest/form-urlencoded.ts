// application/x-www-form-urlencoded, both ways, over flat lists: name, value, name, value …

import { formEncode, percentDecodeText } from "./percent.ts";

export function parseForm(text: string): string[] {
  const list: string[] = [];
  const length = text.length;
  let from = 0;
  while (from < length) {
    let end = text.indexOf("&", from);
    if (end < 0) end = length;
    if (end > from) {
      const equals = text.indexOf("=", from);
      const split = equals < 0 || equals > end ? end : equals;
      list[list.length] = decodePart(text.slice(from, split));
      list[list.length] = split === end ? "" : decodePart(text.slice(split + 1, end));
    }
    from = end + 1;
  }
  return list;
}

function decodePart(part: string): string {
  const spaced = part.includes("+") ? part.replace(/\+/g, " ") : part;
  // Without escapes, to encode and decode it would only replace lone surrogates.
  return spaced.includes("%") ? percentDecodeText(spaced) : spaced.toWellFormed();
}

export function serializeForm(list: readonly string[]): string {
  let text = "";
  for (let i = 0; i < list.length; i += 2) {
    if (i > 0) text += "&";
    text += `${formEncode(list[i] as string)}=${formEncode(list[i + 1] as string)}`;
  }
  return text;
}
