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

/** The whole of a lone surrogate, a plus and a percent sign apart, a part stands for itself. */
function decodePart(part: string): string {
  let plain = true;
  for (let i = 0; i < part.length && plain; i++) {
    const code = part.charCodeAt(i);
    plain = code !== 0x25 && code !== 0x2b && code < 0x80;
  }
  return plain ? part : percentDecodeText(part.replaceAll("+", " "));
}

export function serializeForm(list: readonly string[]): string {
  let text = "";
  for (let i = 0; i < list.length; i += 2) {
    if (i > 0) text += "&";
    text += `${formEncode(list[i] as string)}=${formEncode(list[i + 1] as string)}`;
  }
  return text;
}
