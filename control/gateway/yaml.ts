// The door to yaml: a file's text to plain values, with the place of each, and `${VAR}` filled in.
//
// Refused rather than guessed at: keys that stand twice, anchors (a file of a few lines can stand for gigabytes),
// several documents, tags. Variables are filled in after parsing, within texts only, so that no value can become
// structure; `$${` stands for a plain `${`. `${secret:NAME}` stays as it is where services are configured.

import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
  type Node,
  type Scalar,
} from "yaml";

export interface Place {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface YamlFault extends Place {
  readonly problem: string;
  readonly expected: string;
}

export type Path = readonly (string | number)[];

export interface YamlFile {
  readonly value: unknown;
  readonly faults: readonly YamlFault[];
  /** Of a value, or of the nearest one around it that is there; of a key where `key`. */
  readonly place: (path: Path, key?: boolean) => Place;
}

export type Variables = Readonly<Record<string, string | undefined>>;

const VARIABLE = /\$?\$\{([^}]*)\}?/g;
/** A secret of the node, which a service resolves (control/services/sealing.ts). */
const SECRET_NAME = /^secret:[A-Za-z_]\w{0,127}$/;
const SECRETS_BELOW = "services";
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `variables`: null where nothing stands for one. */
export function parseYaml(source: string, variables: Variables | null): YamlFile {
  const lines = new LineCounter();
  const documents = parseAllDocuments(source, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    schema: "core",
    version: "1.2",
  });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [first] = Array.isArray(documents) ? documents : [];
  if (first === undefined) {
    return { value: {}, faults: [], place: () => ({ line: 1, column: 1 }) };
  }
  const document: Document.Parsed = first;
  const faults: YamlFault[] = [...document.errors, ...document.warnings].map((error) => ({
    ...placeAt(error.pos[0]),
    problem: oneLine(error.message),
    expected: "YAML",
  }));
  const second = Array.isArray(documents) ? documents[1] : undefined;
  if (second !== undefined) {
    faults.push({ ...placeAt(second.range[0]), problem: "a second document", expected: "one" });
  }
  const refuse = (node: Node, problem: string, expected: string): void => {
    faults.push({ ...placeAt(node.range?.[0] ?? 0), problem, expected });
  };
  visit(document, {
    Node(_key, node) {
      if (isAlias(node) || node.anchor !== undefined) {
        refuse(node, "an anchor or alias", "the values themselves");
      }
    },
    Scalar(key, node, path) {
      if (key === "key" || variables === null) return;
      const top = path.find(isPair)?.key;
      const mayRefer = isScalar(top) && top.value === SECRETS_BELOW;
      expand(node, { variables, mayRefer }, refuse);
    },
  });
  return {
    // Without aliases and errors there is nothing left in it that could go wrong.
    value: faults.length > 0 ? null : (document.toJS() ?? {}),
    faults,
    place: (path, key = false) => placeAt(offsetOf(document, path, key)),
  };
}

function expand(
  node: Scalar,
  { variables, mayRefer }: { readonly variables: Variables; readonly mayRefer: boolean },
  refuse: (node: Node, problem: string, expected: string) => void,
): void {
  const { value } = node;
  if (typeof value !== "string" || !value.includes("${")) return;
  node.value = value.replaceAll(VARIABLE, (found: string, name: string) => {
    if (found.startsWith("$$")) return found.slice(1);
    if (mayRefer && found.endsWith("}") && SECRET_NAME.test(name)) return found;
    if (!found.endsWith("}") || !VARIABLE_NAME.test(name)) {
      refuse(
        node,
        JSON.stringify(found),
        "a variable such as ${JWT_SECRET}, or $${ for a plain ${",
      );
      return found;
    }
    const filled = variables[name];
    if (filled === undefined || filled === "") {
      const what = filled === "" ? "empty" : "not set";
      refuse(node, `the variable ${name} is ${what}`, `${name} in the environment`);
      return found;
    }
    return filled;
  });
}

/** Where the deepest part of the path that exists begins. */
function offsetOf(document: Document, path: Path, key: boolean): number {
  let at = document.contents?.range?.[0] ?? 0;
  for (let depth = 1; depth <= path.length; depth++) {
    const node = document.getIn(path.slice(0, depth), true);
    const parent = document.getIn(path.slice(0, depth - 1), true);
    const wanted = path[depth - 1];
    const pair =
      isMap(parent) &&
      parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === wanted);
    const isLast = depth === path.length;
    if (pair !== false && pair !== undefined && isScalar(pair.key)) {
      at = pair.key.range?.[0] ?? at;
      if (isLast && key) return at;
    }
    if (node === undefined || node === null || typeof node !== "object") break;
    if ("range" in node && Array.isArray(node.range)) at = Number(node.range[0]);
  }
  return at;
}

function oneLine(message: string): string {
  return message.replaceAll(/\s+/g, " ").replace(/\.$/, "");
}
