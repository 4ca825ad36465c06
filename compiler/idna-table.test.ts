import { createRequire } from "node:module";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { packedModule, packTable, unpackTable, type IdnaEntry } from "./idna-table.ts";

const table = createRequire(import.meta.url)("tr46/lib/mappingTable.json") as IdnaEntry[];

test("the table of tr46 comes back as it was, from less than half of the text", () => {
  const packed = packTable(table);
  expect(unpackTable(packed)).toEqual(table);
  expect(packed).toMatch(/^[\x20-\x7e]*$/);
  expect(packed.length).toBeLessThan(JSON.stringify(table).length / 2);
});

test("the module of the table needs nothing around it", () => {
  const module: { exports: unknown } = { exports: null };
  runInNewContext(packedModule(table), { module });
  expect(JSON.stringify(module.exports)).toBe(JSON.stringify(table));
});
