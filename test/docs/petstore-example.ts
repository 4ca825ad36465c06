// What the example petstore does, on whatever its database is.

import { expect } from "vitest";
import type { TestNode } from "../node.ts";

export async function checkPetstore(node: Pick<TestNode, "url">): Promise<void> {
  const ask = async (path: string, method = "GET", body?: object): Promise<[number, unknown]> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`${node.url}${path}`, init);
    const text = await response.text();
    return [response.status, text === "" ? null : JSON.parse(text)];
  };
  const rex = { name: "Rex'; DROP TABLE pets; --", tags: ["dog", "ü"], priceCents: 5_000_000_000 };
  const [created, pet] = await ask("/pets", "POST", rex);
  const { id } = pet as { id: string };
  expect([created, pet]).toEqual([201, { ...rex, id, status: "available" }]);
  expect(await ask(`/pets/${id}`)).toEqual([200, pet]);
  expect(await ask("/pets?status=available&limit=1")).toEqual([200, [pet]]);
  expect(await ask("/pets?status=sold")).toEqual([200, []]);
  expect(await ask("/pets", "POST", { name: "Tom", status: "lost" })).toMatchObject([400, {}]);
  expect(await ask("/pets/nobody")).toMatchObject([404, {}]);
  const changed = { ...rex, name: "Rex", status: "available" };
  expect(await ask(`/pets/${id}`, "PUT", changed)).toEqual([200, { ...changed, id }]);

  const buyers = ["Ann", "Bob", "Eve", "Joe"];
  const orders = await Promise.all(
    buyers.map((buyer) => ask(`/pets/${id}/orders`, "POST", { buyer })),
  );
  expect(orders.map(([status]) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409]);
  expect(await ask(`/pets/${id}`)).toMatchObject([200, { status: "sold" }]);

  expect(await ask(`/pets/${id}`, "DELETE")).toEqual([204, null]);
  expect(await ask(`/pets/${id}`, "DELETE")).toMatchObject([404, {}]);
  expect(await ask("/pets")).toEqual([200, []]);
}
