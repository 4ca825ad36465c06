import { expect, test } from "vitest";
import { hottestStack, type ProfileNode } from "./inspection.ts";

function node(id: number, name: string, hitCount: number, children: number[] = []): ProfileNode {
  const url = name.startsWith("(") ? "" : "islet:bundle";
  const callFrame = { functionName: name, url, lineNumber: 10 * id, columnNumber: 4 };
  return { id, callFrame, hitCount, children, positionTicks: [] };
}

function response(nodes: readonly ProfileNode[]): string {
  return JSON.stringify({ id: 1, result: { profile: { nodes } } });
}

test("the hottest stack begins with the function that was seen most, at its busiest line", () => {
  const ticks = [
    { line: 32, ticks: 1 },
    { line: 33, ticks: 7 },
  ];
  const nodes = [
    node(1, "(root)", 0, [2, 4]),
    node(2, "fetch", 1, [3]),
    { ...node(3, "", 8), positionTicks: ticks },
    node(4, "(garbage collector)", 50),
  ];
  expect(hottestStack(response(nodes))).toBe(
    "    at <anonymous> (islet:bundle:33:1)\n    at fetch (islet:bundle:21:5)",
  );
});

test("the hottest stack is empty when no code of a script was seen", () => {
  expect(hottestStack(response([node(1, "(root)", 0, [2]), node(2, "(program)", 9)]))).toBe("");
  expect(hottestStack('{"id":1,"error":{"code":-32000}}')).toBe("");
});
