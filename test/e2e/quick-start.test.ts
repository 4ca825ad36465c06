// What a newcomer does first, in both ways there are: the command line, and the admin API step by step.

import { expect, test } from "vitest";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { Load, echo } from "./load.ts";

test("publish, call, edit, publish: the next call meets the new code", async () => {
  await using node = await startNode({ workers: 2, standby: true, demo: true, fromSources: true });
  using folder = temporary();
  const file = join(folder.path, "greet.ts");
  expect((await node.get("/hello")).status).toBe(200);

  const publish = async (text: string): Promise<unknown> => {
    writeFileSync(
      file,
      `const text: string = ${JSON.stringify(text)};
      export default { fetch: () => new Response(text) };`,
    );
    const { code, stdout } = await node.edge("publish", file, "--json");
    expect(code).toBe(0);
    return JSON.parse(stdout);
  };

  expect(await publish("one")).toMatchObject({
    ok: true,
    data: { endpoint: "greet", generation: 1, routes: [{ path: "/greet" }, { path: "/greet/*" }] },
  });
  expect((await node.get("/greet")).text).toBe("one");
  await publish("two");
  const texts = await Promise.all(Array.from({ length: 8 }, () => node.get("/greet/below")));
  expect(new Set(texts.map(({ text }) => text))).toEqual(new Set(["two"]));
  expect((await node.edge("list")).stdout).toContain("greet");
  // Workers use what jails have compiled.
  expect(node.output).not.toContain("V8 does not take");
});

test("create, put code, compile, start, edit, compile, start under traffic: no failed request", async () => {
  await using node = await startNode({ workers: 2 });
  const at = (path: string): string => `/api/endpoints/rest${path}`;
  const created = await node.api("POST", "/api/endpoints", { name: "rest", path: "/rest" });
  expect(created).toMatchObject({ status: 201, ok: true });
  expect((await node.get("/rest")).status).toBe(503);
  expect(await node.api("PUT", at("/code"), { code: echo("one") })).toMatchObject({ ok: true });
  expect(await node.api("POST", at("/start"))).toMatchObject({ ok: false, code: "NOT_COMPILED" });
  expect(await node.api("POST", at("/compile"))).toMatchObject({ ok: true });
  expect(await node.api("POST", at("/start"))).toMatchObject({ data: { status: "running" } });

  await using load = new Load(node.port, "/rest", 8);
  await load.round();
  for (const version of ["two", "three"]) {
    const before = load.connections[0]?.lastVersion;
    await node.api("PUT", at("/code"), { code: echo(version) });
    expect(await node.api("POST", at("/compile"))).toMatchObject({ ok: true });
    await load.round();
    expect(load.connections.map(({ lastVersion }) => lastVersion)).toContain(before);
    expect(await node.api("POST", at("/start"))).toMatchObject({ ok: true });
    await load.round();
    expect(new Set(load.connections.map((one) => one.lastVersion))).toEqual(new Set([version]));
  }
  await node.api("PUT", at("/code"), { code: "export default { fetch(" });
  expect(await node.api("POST", at("/compile"))).toMatchObject({
    status: 422,
    code: "SOURCE_INVALID",
  });
  await load.round();
  await load.stopClean();
  expect(load.connections[0]?.lastVersion).toBe("three");
});
