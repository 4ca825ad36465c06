// One function per rule: tree in, faults out, each fault a sentence that names the file.

import {
  BANS,
  COLUMNS_MAX,
  COLUMNS_PER_TEST_MAX,
  DOORS,
  DYNAMIC,
  FILES_PER_FOLDER_MAX,
  FOLDER_EXCEPTIONS,
  LAYERS,
  LINES_PER_FILE_MAX,
  LINES_PER_TEST_MAX,
  WIDTH_EXCEPTIONS,
} from "./rules.ts";
import { isTest, layerOf, packageOf, type SourceFile, type Tree } from "./tree.ts";

function sources(tree: Tree): SourceFile[] {
  return [...tree.values()].filter((file) => !isTest(file.path));
}

export function unparsable(tree: Tree): string[] {
  return [...tree.values()]
    .filter((file) => !file.parses)
    .map((file) => `${file.path}: does not parse`);
}

export function layerFaults(tree: Tree): string[] {
  const faults: string[] = [];
  for (const file of sources(tree)) {
    const layer = layerOf(file.path);
    const allowed = LAYERS[layer];
    if (allowed === undefined) {
      if (!/^(?:bin|bench|examples)$|\.config\.ts$/.test(layer)) {
        faults.push(`${file.path}: no layer is called ${layer}`);
      }
      continue;
    }
    for (const { target, kind } of file.imports) {
      if (target === null) continue;
      const other = layerOf(target);
      const dynamic = kind === "dynamic" ? (DYNAMIC[layer] ?? []) : [];
      if (other === layer || allowed.includes(other) || dynamic.includes(other)) continue;
      faults.push(`${file.path}: ${layer} may not import ${target}`);
    }
  }
  return faults;
}

export function doorFaults(tree: Tree): string[] {
  const faults: string[] = [];
  for (const file of sources(tree)) {
    for (const { specifier, target } of file.imports) {
      const door = target === null ? DOORS[packageOf(specifier)] : undefined;
      if (door === undefined || door.includes(file.path)) continue;
      if (/^(?:bench|bin)\//.test(file.path)) continue;
      faults.push(`${file.path}: only ${door.join(" and ")} may import ${packageOf(specifier)}`);
    }
  }
  return faults;
}

export function banFaults(tree: Tree): string[] {
  const faults: string[] = [];
  for (const file of tree.values()) {
    for (const ban of BANS) {
      const exempt = (path: string): boolean =>
        path.endsWith("/") ? file.path.startsWith(path) : file.path === path;
      if (ban.allowed.some(exempt)) continue;
      if (file.path.endsWith(".test.ts") && ban.allowed.includes("test/")) continue;
      const lines = (ban.comments === true ? file.text : file.code).split("\n");
      const line = lines.findIndex((text) => ban.pattern.test(text));
      if (line >= 0) faults.push(`${file.path}:${line + 1}: ${ban.name}; use ${ban.instead}`);
    }
  }
  return faults;
}

export function budgetFaults(tree: Tree): string[] {
  const faults: string[] = [];
  const folders = new Map<string, number>();
  for (const file of tree.values()) {
    const lines = file.text.split("\n");
    const linesMax = isTest(file.path) ? LINES_PER_TEST_MAX : LINES_PER_FILE_MAX;
    if (lines.length - 1 > linesMax) {
      faults.push(`${file.path}: ${lines.length - 1} lines, ${linesMax} are allowed`);
    }
    const columnsMax = isTest(file.path) ? COLUMNS_PER_TEST_MAX : COLUMNS_MAX;
    const wide = lines.findIndex((line) => line.length > columnsMax);
    if (wide >= 0 && WIDTH_EXCEPTIONS[file.path] === undefined) {
      faults.push(`${file.path}:${wide + 1}: over ${columnsMax} columns`);
    }
    const folder = file.path.slice(0, Math.max(0, file.path.lastIndexOf("/")));
    if (!isTest(file.path)) folders.set(folder, (folders.get(folder) ?? 0) + 1);
  }
  for (const [folder, count] of folders) {
    const allowed = FOLDER_EXCEPTIONS[folder]?.files ?? FILES_PER_FOLDER_MAX;
    if (count > allowed) faults.push(`${folder}: ${count} files, ${allowed} are allowed`);
  }
  return faults;
}

/** Cycles of value imports: those that exist when the program runs. */
export function cycleFaults(tree: Tree): string[] {
  const faults: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      faults.push(`cycle: ${[...trail.slice(at), path].join(" -> ")}`);
      return;
    }
    if (finished.has(path)) return;
    for (const { target, kind } of tree.get(path)?.imports ?? []) {
      if (target !== null && kind === "value") visit(target, [...trail, path]);
    }
    finished.add(path);
  };
  for (const path of tree.keys()) visit(path, []);
  return faults;
}

export function nameFaults(tree: Tree): string[] {
  const faults: string[] = [];
  for (const { path } of tree.values()) {
    const name = path
      .slice(path.lastIndexOf("/") + 1)
      .replace(/(?:\.(?:test|long|suite|config|d))?\.ts$/, "");
    if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)) faults.push(`${path}: not kebab-case`);
    if (/^(?:utils?|helpers?|misc|common)$/.test(name)) faults.push(`${path}: says nothing`);
  }
  return faults;
}

/** `text` is a document; `paths` is everything in the repository. */
export function pathFaults(text: string, paths: readonly string[]): string[] {
  const roots = new Set(paths.map((path) => path.split("/")[0]));
  const faults: string[] = [];
  for (const [, quoted = ""] of text.matchAll(/`([\w.-]+(?:\/[\w.-]+)*\/?)`/g)) {
    if (!quoted.includes("/") || !roots.has(quoted.split("/")[0])) continue;
    const folder = quoted.endsWith("/") ? quoted : `${quoted}/`;
    if (!paths.some((path) => path === quoted || path.startsWith(folder))) {
      faults.push(`${quoted} does not exist`);
    }
  }
  return faults;
}

/** Every code stands in some test, or in `exceptions`; none stands in both. */
export function codeFaults(
  codes: readonly string[],
  tree: Tree,
  exceptions: Readonly<Record<string, string>>,
): string[] {
  const tests = [...tree.values()].filter((file) => isTest(file.path));
  const text = tests.filter((file) => !/^test\/tidy[./]/.test(file.path)).map((file) => file.code);
  const words = new Set(text.join("\n").match(/\b[A-Z][A-Z0-9_]+\b/g));
  const faults: string[] = [];
  for (const code of codes) {
    const excepted = exceptions[code] !== undefined;
    if (!words.has(code) && !excepted) faults.push(`${code}: no test refers to this code`);
    if (words.has(code) && excepted) faults.push(`${code}: tested now; drop its exception`);
  }
  for (const code of Object.keys(exceptions)) {
    if (!codes.includes(code)) faults.push(`${code}: an exception for a code that does not exist`);
  }
  return faults;
}

export function lockfileFaults(text: string): string[] {
  return /"resolved"\s*:\s*"https?:/.test(text)
    ? ["package-lock.json: names a registry's address"]
    : [];
}
