// `describe`, `it` and their hooks, as vitest has them, and the run of what was registered.

import { show } from "./equality.ts";

/** A test that hangs must not take the others with it. */
const TEST_MS = 20_000;
const MESSAGE_CHARACTERS_MAX = 400;

type Body = (...args: unknown[]) => unknown;
type Hook = (context: unknown) => unknown;

interface Group {
  readonly name: string;
  readonly parent: Group | null;
  readonly items: (Group | Test)[];
  readonly hooks: Record<"beforeAll" | "afterAll" | "beforeEach" | "afterEach", Hook[]>;
}

interface Test {
  readonly name: string;
  /** Null: skipped. */
  readonly body: Body | null;
  readonly fails: boolean;
}

export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

export interface Ran {
  passed: number;
  skipped: number;
  readonly failures: Failure[];
}

class Skipped extends Error {}

function groupOf(name: string, parent: Group | null): Group {
  const hooks = { beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] };
  return { name, parent, items: [], hooks };
}

let current: Group = groupOf("", null);
const root = current;

type Add = (name: unknown, body: Body | null, fails: boolean) => void;
type Plain = (name: unknown, body?: unknown, more?: unknown) => void;
type Table = (cases: readonly unknown[], ...values: readonly unknown[]) => Plain;

interface Registrar extends Plain {
  readonly skip: Plain;
  readonly todo: Plain;
  readonly only: Plain;
  readonly concurrent: Plain;
  readonly sequential: Plain;
  readonly fails: Plain;
  readonly skipIf: (isSkipped: unknown) => Plain;
  readonly runIf: (isRun: unknown) => Plain;
  readonly each: Table;
  readonly for: Table;
}

/** `it` or `describe`, with `.each`, `.skip` and so on. */
function registrar(add: Add): Registrar {
  const plain: Plain = (name, body, more) => add(name, bodyOf(body) ?? bodyOf(more), false);
  const skip: Plain = (name) => add(name, null, false);
  const each: Table =
    (cases, ...values) =>
    (name, given) => {
      const body = bodyOf(given);
      for (const one of isTemplate(cases) ? rowsOf(cases, values) : cases) {
        const args: readonly unknown[] = Array.isArray(one) ? one : [one];
        add(named(name, args), () => body?.(...args), false);
      }
    };
  return Object.assign(plain, {
    each,
    skip,
    todo: skip,
    only: plain,
    concurrent: plain,
    sequential: plain,
    fails: (name: unknown, body: unknown) => add(name, bodyOf(body), true),
    skipIf: (isSkipped: unknown) => (isSkipped ? skip : plain),
    runIf: (isRun: unknown) => (isRun ? plain : skip),
    for: (cases: readonly unknown[]): Plain => each(cases.map((one) => [one, {}])),
  });
}

function bodyOf(value: unknown): Body | null {
  return typeof value === "function" ? (value as Body) : null;
}

function isTemplate(cases: readonly unknown[]): cases is TemplateStringsArray {
  return "raw" in cases;
}

/** A table as text: its first line names the columns. */
function rowsOf(cases: TemplateStringsArray, values: readonly unknown[]): readonly object[] {
  const columns = (cases[0] ?? "").split("|").map((column) => column.trim());
  const rows: object[] = [];
  for (let at = 0; at < values.length; at += columns.length) {
    rows.push(Object.fromEntries(columns.map((column, next) => [column, values[at + next]])));
  }
  return rows;
}

function named(name: unknown, args: readonly unknown[]): string {
  let at = 0;
  return String(name).replace(/%[sdifjo#p]/g, () => {
    const value = args[at++];
    return typeof value === "string" ? value : show(value);
  });
}

function nameOf(name: unknown): string {
  return typeof name === "function" ? name.name : String(name);
}

export const describe: Registrar = registrar((name, body) => {
  if (body === null) return;
  const group = groupOf(nameOf(name), current);
  current.items.push(group);
  current = group;
  try {
    body();
  } finally {
    current = group.parent ?? root;
  }
});

export const it: Registrar = registrar((name, body, fails) => {
  current.items.push({ name: nameOf(name), body, fails });
});

export const beforeAll = (hook: Hook): void => void current.hooks.beforeAll.push(hook);
export const afterAll = (hook: Hook): void => void current.hooks.afterAll.unshift(hook);
export const beforeEach = (hook: Hook): void => void current.hooks.beforeEach.push(hook);
export const afterEach = (hook: Hook): void => void current.hooks.afterEach.unshift(hook);

/** Everything that was registered, one after the other. */
export async function run(): Promise<Ran> {
  const ran: Ran = { passed: 0, skipped: 0, failures: [] };
  await runGroup(root, "", [], [], ran);
  return ran;
}

async function runGroup(
  group: Group,
  above: string,
  before: readonly Hook[],
  after: readonly Hook[],
  ran: Ran,
): Promise<void> {
  const path = above === "" ? group.name : `${above} > ${group.name}`;
  const beforeEach = [...before, ...group.hooks.beforeEach];
  const afterEach = [...group.hooks.afterEach, ...after];
  try {
    for (const hook of group.hooks.beforeAll) await hook({});
    for (const item of group.items) {
      if ("items" in item) await runGroup(item, path, beforeEach, afterEach, ran);
      else await runTest(item, group, path, [beforeEach, afterEach], ran);
    }
    for (const hook of group.hooks.afterAll) await hook({});
  } catch (error) {
    ran.failures.push(failureOf(`${path} (hooks)`, error));
  }
}

async function runTest(
  test: Test,
  group: Group,
  path: string,
  [before, after]: readonly [readonly Hook[], readonly Hook[]],
  ran: Ran,
): Promise<void> {
  const { body } = test;
  if (body === null) {
    ran.skipped++;
    return;
  }
  const context = {
    task: { name: test.name, suite: suiteOf(group) },
    skip: () => {
      throw new Skipped();
    },
  };
  let failed: { readonly error: unknown } | null = null;
  try {
    const undo: Hook[] = [];
    for (const hook of before) {
      const made = await hook(context);
      if (typeof made === "function") undo.push(made as Hook);
    }
    await timed(Promise.resolve(body(context)));
    for (const hook of undo) await hook(context);
  } catch (error) {
    failed = { error };
  }
  for (const hook of after) {
    try {
      await hook(context);
    } catch (error) {
      failed ??= { error };
    }
  }
  if (failed?.error instanceof Skipped) ran.skipped++;
  else if ((failed !== null) === test.fails) ran.passed++;
  else ran.failures.push(failureOf(`${path} > ${test.name}`, failed?.error ?? "passed"));
}

function suiteOf(group: Group | null): object | undefined {
  if (group === null || group === root) return undefined;
  return { name: group.name, suite: suiteOf(group.parent) };
}

// The functions of now: tests replace those of the global object.
const { setTimeout: start, clearTimeout: stop } = globalThis;

async function timed(work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) => {
    timer = start(() => reject(new Error("The test takes too long")), TEST_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    stop(timer);
  }
}

export function failureOf(name: string, error: unknown): Failure {
  const message = (error instanceof Error ? error.message : show(error)) ?? "";
  const stack =
    error instanceof Error ? String(error.stack).split("\n").slice(1, 5).join("\n") : "";
  return { name, message: message.slice(0, MESSAGE_CHARACTERS_MAX), stack };
}
