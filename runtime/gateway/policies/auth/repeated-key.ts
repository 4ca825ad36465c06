// Whether a JSON text names a key of one object twice. Parsers differ in which of the two they take: what is checked
// here would not be what is believed behind.

/** `json` is valid. */
export function hasRepeatedKey(json: string): boolean {
  /** Around the place that is looked at; null: a list. */
  const around: (Set<string> | null)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < json.length; at++) {
    switch (json.charAt(at)) {
      case "{":
        around.push(new Set());
        isKeyNext = true;
        break;
      case "[":
        around.push(null);
        isKeyNext = false;
        break;
      case "}":
      case "]":
        around.pop();
        isKeyNext = false;
        break;
      case ",":
        isKeyNext = true;
        break;
      case '"': {
        const end = stringEnd(json, at);
        const keys = isKeyNext ? (around.at(-1) ?? null) : null;
        isKeyNext = false;
        if (keys !== null) {
          // As it is meant, however it is spelt.
          const key = JSON.parse(json.slice(at, end + 1)) as string;
          if (keys.has(key)) return true;
          keys.add(key);
        }
        at = end;
        break;
      }
    }
  }
  return false;
}

/** Of its closing quote. */
function stringEnd(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}
