// Arrays as Postgres writes them: {1,NULL,"a \"quoted\" one",{nested}}. The driver has a reader of its own, but asks
// every new connection which arrays there are, and a connection lost over that question ends the process.

const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y;
const PLAIN = /[^,{}"]+/y;

export type ReadElement = (text: string) => unknown;

export function readArray(text: string, read: ReadElement): unknown[] {
  // Bounds that do not begin with 1 stand in front: [0:1]={a,b}
  const from = text.indexOf("{");
  const lists: unknown[][] = [[]];
  for (let at = from; at < text.length;) {
    const char = text.charAt(at);
    const list = lists.at(-1) ?? [];
    if (char === "{") {
      const inner: unknown[] = [];
      list.push(inner);
      lists.push(inner);
      at++;
    } else if (char === "}" || char === ",") {
      if (char === "}") lists.pop();
      at++;
    } else {
      const pattern = char === '"' ? QUOTED : PLAIN;
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found === null) break;
      at += found[0].length;
      if (char === '"') list.push(read((found[1] ?? "").replaceAll(/\\([\s\S])/g, "$1")));
      else list.push(found[0] === "NULL" ? null : read(found[0]));
    }
  }
  const [all = []] = lists[0] ?? [];
  return all as unknown[];
}

export function writeArray(value: unknown, write: (element: unknown) => string): string {
  if (!Array.isArray(value)) return String(value);
  const elements = (value as unknown[]).map((element) => {
    if (element === null || element === undefined) return "NULL";
    if (Array.isArray(element)) return writeArray(element, write);
    return `"${write(element).replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `{${elements.join(",")}}`;
}
