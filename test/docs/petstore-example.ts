// What the petstores do, on whatever they keep their pets in.

import { expect } from "vitest";
import type { TestNode } from "../node.ts";

export async function checkPetstore(
  node: Pick<TestNode, "url">,
  { at = "/pets", atOnce = true }: { readonly at?: string; readonly atOnce?: boolean } = {},
): Promise<void> {
  const ask = async (path: string, method = "GET", body?: object): Promise<[number, unknown]> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`${node.url}${path}`, init);
    const text = await response.text();
    return [response.status, text === "" ? null : JSON.parse(text)];
  };
  const rex = { name: "Rex'; DROP TABLE pets; --", tags: ["dog", "ü"], priceCents: 5_000_000_000 };
  const [created, pet] = await ask(at, "POST", rex);
  const { id } = pet as { id: string };
  expect([created, pet]).toEqual([201, { ...rex, id, status: "available" }]);
  expect(await ask(`${at}/${id}`)).toEqual([200, pet]);
  expect(await ask(`${at}?status=available&limit=1`)).toEqual([200, [pet]]);
  expect(await ask(`${at}?status=sold`)).toEqual([200, []]);
  expect(await ask(at, "POST", { name: "Tom", status: "lost" })).toMatchObject([400, {}]);
  expect(await ask(`${at}/nobody`)).toMatchObject([404, {}]);
  const changed = { ...rex, name: "Rex", status: "available" };
  expect(await ask(`${at}/${id}`, "PUT", changed)).toEqual([200, { ...changed, id }]);

  const buyers = ["Ann", "Bob", "Eve", "Joe"];
  const order = (buyer: string): Promise<[number, unknown]> =>
    ask(`${at}/${id}/orders`, "POST", { buyer });
  const orders = atOnce ? await Promise.all(buyers.map(order)) : [];
  if (!atOnce) for (const buyer of buyers) orders.push(await order(buyer));
  expect(orders.map(([status]) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409]);
  expect(await ask(`${at}/${id}`)).toMatchObject([200, { status: "sold" }]);

  expect(await ask(`${at}/${id}`, "DELETE")).toEqual([204, null]);
  expect(await ask(`${at}/${id}`, "DELETE")).toMatchObject([404, {}]);
  expect(await ask(at)).toEqual([200, []]);
}
