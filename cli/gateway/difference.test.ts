import { expect, test } from "vitest";
import { differences } from "./difference.ts";

test("differences are by name, so that one more in a list moves nothing", () => {
  const [a, b] = [
    { name: "a", weight: 1 },
    { name: "b", weight: 1 },
  ];
  expect(differences({ servers: [a, b] }, { servers: [b] })).toEqual([
    { field: "servers.a.name", file: "a", running: null },
    { field: "servers.a.weight", file: 1, running: null },
  ]);
  expect(differences({ servers: [a, b] }, { servers: [b, { ...a, weight: 2 }] })).toEqual([
    { field: "servers.a.weight", file: 1, running: 2 },
  ]);
});

test("items whose names are the same are told apart by position", () => {
  const [header, cookie] = [
    { kind: "header", name: "x" },
    { kind: "cookie", name: "x" },
  ];
  expect(differences([header, cookie], [cookie, cookie])).toEqual([
    { field: "0.kind", file: "header", running: "cookie" },
  ]);
});
