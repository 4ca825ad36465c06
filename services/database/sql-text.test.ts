import { expect, test } from "vitest";
import type { Dialect } from "../../sdk/services/database.ts";
import { parseScript, parseStatement } from "./sql-text.ts";

function converted(sql: string, dialect: Dialect, bound = true): string {
  return parseStatement(sql, { dialect, bound }).text;
}

test.each<[Dialect, string, string, number]>([
  ["sqlite", "select ?, ?", "select ?1, ?2", 2],
  ["sqlite", "select $2, $1", "select ?2, ?1", 2],
  ["sqlite", "select ?2, ?", "select ?2, ?3", 3],
  ["sqlite", "select '?', \"?\", `?`, [?], ?", "select '?', \"?\", `?`, [?], ?1", 1],
  ["sqlite", "select 'it''s ?' -- ?\n, ? /* ? */", "select 'it''s ?' -- ?\n, ?1 /* ? */", 1],
  ["sqlite", "select '\\', ?", "select '\\', ?1", 1],
  ["sqlite", "select a$1, ? from t;", "select a$1, ?1 from t", 1],
  ["postgres", "select ?, ?", "select $1, $2", 2],
  ["postgres", "select ?||'x'", "select $1||'x'", 1],
  ["postgres", "select $1 ? 'a', b ?| c", "select $1 ? 'a', b ?| c", 1],
  ["postgres", "select ? ?? 'a'", "select $1 ? 'a'", 1],
  ["postgres", "select E'\\'?', ?", "select E'\\'?', $1", 1],
  ["postgres", "select $$?$$, $a$ ? $$ $a$, ?", "select $$?$$, $a$ ? $$ $a$, $1", 1],
  ["postgres", "select /* /* ? */ ? */ ?", "select /* /* ? */ ? */ $1", 1],
  ["postgres", "select a[1], b::int, ?::int", "select a[1], b::int, $1::int", 1],
  ["postgres", "select 'open", "select 'open", 0],
])("parameters in %s: %s", (dialect, sql, text, parameters) => {
  expect(parseStatement(sql, { dialect, bound: true })).toMatchObject({ text, parameters });
});

test("a question mark is an operator in Postgres when nothing is bound", () => {
  expect(converted("select a ? 'b'", "postgres", false)).toBe("select a ? 'b'");
  expect(converted("select a ? 'b'", "sqlite", false)).toBe("select a ?1 'b'");
});

test("a script is split where statements end, not in texts, comments and triggers", () => {
  const options = { dialect: "sqlite", bound: false } as const;
  const trigger =
    "create trigger a after insert on t begin select case 1 when 1 then 2 end; select ';'; end";
  const script = `select ';'; -- ;\n${trigger};; insert into t values (1) ; /* ; */`;
  expect(parseScript(script, options).map(({ text }) => text)).toEqual([
    "select ';'",
    `-- ;\n${trigger}`,
    "insert into t values (1)",
  ]);
  const body = "create function f() returns int as $x$ begin; return 1; end; $x$ language plpgsql";
  const parsed = parseScript(`${body}; begin`, { dialect: "postgres", bound: false });
  expect(parsed.map(({ text }) => text)).toEqual([body, "begin"]);
});

test.each<Dialect>(["sqlite", "postgres"])("a statement of %s knows its line", (dialect) => {
  const script = "-- a\n\nselect 1;\n;\n/* b\n*/ select '\n', 2\n;select 3; -- c\n";
  const parsed = parseScript(script, { dialect, bound: false });
  expect(parsed.map(({ line }) => line)).toEqual([3, 6, 8]);
});

test("the first words of a statement are told in upper case, comments left out", () => {
  const { words } = parseStatement("/* a */ set\n local x = 1", {
    dialect: "postgres",
    bound: false,
  });
  expect(words).toEqual(["SET", "LOCAL", "X"]);
});

test.each(["", " ; ", "-- nothing"])("no statement in %j is refused", (sql) => {
  expect(() => converted(sql, "sqlite")).toThrow("no statement");
});

test("two statements where one is expected, and named parameters, are refused", () => {
  expect(() => converted("select 1; select 2", "postgres")).toThrow("2 statements");
  expect(() => converted("select :name", "sqlite")).toThrow(":name is a named one");
});

test("a text of ten million characters is read in one go", () => {
  const text = `'${"x''".repeat(3_000_000)}'`;
  expect(converted(`select ${text}`, "sqlite")).toHaveLength(text.length + 7);
});
