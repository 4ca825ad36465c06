// What the examples with a cache do, on whatever their cache is.

import { expect } from "vitest";
import type { TestNode } from "../node.ts";

type Node = Pick<TestNode, "url">;

export async function checkCacheAside({ url }: Node): Promise<void> {
  const country = `${url}/countries/at`;
  const get = async (): Promise<unknown[]> => {
    const response = await fetch(country);
    return [response.status, response.headers.get("x-source"), await response.json()];
  };
  expect((await get())[0]).toBe(404);
  const put = (name: string) => fetch(country, { method: "PUT", body: JSON.stringify({ name }) });
  expect((await put("Austria")).status).toBe(204);
  const answers = await Promise.all(Array.from({ length: 8 }, get));
  for (const answer of answers) expect(answer).toMatchObject([200, {}, { name: "Austria" }]);
  expect(answers.filter(([, source]) => source === "database")).toHaveLength(1);
  await put("Österreich");
  expect(await get()).toEqual([200, "database", { name: "Österreich" }]);
  expect(await get()).toEqual([200, "cache", { name: "Österreich" }]);
}

export async function checkSessions({ url }: Node): Promise<void> {
  const session = `${url}/session`;
  const login = await fetch(session, { method: "POST", body: JSON.stringify({ user: "Ann" }) });
  expect(login.status).toBe(201);
  const [cookie = ""] = (login.headers.get("set-cookie") ?? "").split(";");
  const get = async (init: RequestInit = {}): Promise<unknown[]> => {
    const response = await fetch(session, { headers: { cookie }, ...init });
    return [response.status, await response.json()];
  };
  expect(await get()).toEqual([200, { user: "Ann", visits: 1 }]);
  expect(await get()).toEqual([200, { user: "Ann", visits: 2 }]);
  expect(await get({ headers: { cookie: `session=${crypto.randomUUID()}` } })).toMatchObject([
    401,
    {},
  ]);
  expect(await get({ headers: { cookie: "session=../../x" } })).toMatchObject([401, {}]);
  expect((await fetch(session, { method: "DELETE", headers: { cookie } })).status).toBe(204);
  expect(await get()).toMatchObject([401, {}]);
}

export async function checkRateLimiter({ url }: Node): Promise<void> {
  const key = crypto.randomUUID();
  const statuses = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const response = await fetch(`${url}/limited`, { headers: { "x-api-key": key } });
      return response.status;
    }),
  );
  const allowed = statuses.filter((status) => status === 200);
  // Of two windows when a minute ends meanwhile.
  expect([5, 6, 7, 8, 9, 10]).toContain(allowed.length);
  expect(statuses.filter((status) => status === 429)).toHaveLength(12 - allowed.length);
  const other = await fetch(`${url}/limited`, { headers: { "x-api-key": crypto.randomUUID() } });
  expect([other.status, other.headers.get("ratelimit-remaining")]).toEqual([200, "4"]);
}
