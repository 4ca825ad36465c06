// The documentation against the code: generated parts are current, links lead somewhere, and what documents list
// is all there is. `DOCS=write npm test -- test/docs/documents.test.ts` writes the generated parts anew.

import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { createAdminApi } from "../../admin-api/app.ts";
import type { AdminDeps } from "../../admin-api/deps.ts";
import { DATA_FOLDERS } from "../../control/data-folder.ts";
import { gatewayJsonSchema } from "../../control/gateway/schema.ts";
import { createAccessLine } from "../../runtime/observe/access-log.ts";
import { makeFolder, runEdge } from "../cli/harness.ts";
import { GENERATED, regenerate } from "./generated.ts";

const ROOT: string = join(import.meta.dirname, "../..");
const DOCUMENTS: readonly string[] = globSync(["*.md", "docs/**/*.md", "decisions/**/*.md"], {
  cwd: ROOT,
}).toSorted();
/** Fewer would mean that they are not found. */
const DOCUMENTS_MIN = 20;

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** As the common renderers make them: lower case, no punctuation, spaces to hyphens. */
function anchorsOf(text: string): ReadonlySet<string> {
  const heads = text.replaceAll(/^```[^]*?^```/gm, "").matchAll(/^#+ +(.*)$/gm);
  return new Set(
    Array.from(heads, ([, head = ""]) =>
      head
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function fieldsOf(json: string): string[] {
  return Object.keys(JSON.parse(json) as object);
}

function brokenLinks(path: string, text: string): string[] {
  const links = text.replaceAll(/^```[^]*?^```/gm, "").matchAll(/\]\(([^)\s]+)\)/g);
  return Array.from(links, ([, link = ""]) => link).filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? join(ROOT, path) : resolve(ROOT, dirname(path), file);
    if (!existsSync(target)) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).has(anchor);
  });
}

describe("documents", () => {
  test(`are found: more than ${DOCUMENTS_MIN}`, () => {
    expect(DOCUMENTS.length).toBeGreaterThan(DOCUMENTS_MIN);
  });

  test.each(DOCUMENTS)("%s has links that lead somewhere", (path) => {
    expect(brokenLinks(path, read(path))).toEqual([]);
  });

  test.each(DOCUMENTS)("%s has generated parts that are current", async (path) => {
    const text = read(path);
    const current = await regenerate(text);
    if (process.env["DOCS"] === "write" && current !== text) {
      writeFileSync(join(ROOT, path), current);
    } else {
      expect(text).toBe(current);
    }
  });

  test("hold every generated part somewhere", () => {
    const all = DOCUMENTS.map(read).join("\n");
    for (const name of Object.keys(GENERATED)) {
      expect(all).toContain(`<!-- generated: ${name} -->`);
    }
  });

  test("name every folder of the data folder", () => {
    const text = read("docs/operations.md");
    for (const name of DATA_FOLDERS) expect(text).toContain(`\`${name}/\``);
  });

  test("name every route of the admin API, and no other", () => {
    // Only its table of routes is asked for; no route is run.
    const parts: Partial<AdminDeps> = { token: "t", host: "127.0.0.1", clock: { now: () => 0 } };
    const app = createAdminApi(parts as AdminDeps);
    const routes = app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}")}`);
    const shown = Array.from(
      read("docs/admin-api.md").matchAll(/^\| `([A-Z]+ \/[^`]*)`/gm),
      ([, route = ""]) => route,
    );
    expect(shown.toSorted()).toEqual([...new Set(routes)].toSorted());
  });

  test("have the gateway's schema as the node applies it", () => {
    const path = "docs/edge.schema.json";
    const current = `${JSON.stringify(gatewayJsonSchema(), null, 2)}\n`;
    if (process.env["DOCS"] === "write") writeFileSync(join(ROOT, path), current);
    expect(read(path)).toBe(current);
  });

  test("show the access log as it is written", () => {
    const shown = /```json\n([^]*?)```/.exec(read("docs/operations.md"))?.[1] ?? "";
    const record = {
      requestId: "",
      method: "",
      host: "",
      path: "",
      status: 200,
      outcome: "",
      endpoint: "",
      consumer: "",
      us: 1,
      bytes: 1,
    };
    const written = createAccessLine()(record, "");
    expect(fieldsOf(shown)).toEqual(fieldsOf(written));
  });

  test("name every field of edge.jsonc, and no other", async () => {
    using folder = makeFolder({ "edge.jsonc": '{ "nothing": 1 }', "index.ts": "" });
    const { stderr } = await runEdge(["publish", "--dry-run"], { cwd: folder.path });
    const [, list = ""] = /there are ([^\n]+)/.exec(stderr) ?? [];
    const shown = Array.from(
      read("docs/handlers.md").matchAll(/^\| `([$\w]+)` \| (?!ms|MB|count|bytes)/gm),
      ([, field = ""]) => field,
    );
    expect(shown.toSorted()).toEqual(list.split(", ").toSorted());
  });
});

describe("the checks", () => {
  test("find a link to a missing file and to a missing heading", () => {
    const text = "[a](docs/none.md) [b](#none) [c](README.md) [d](https://example.com/x)\n## e f";
    expect(brokenLinks("CONTRIBUTING.md", text)).toEqual(["docs/none.md", "#none"]);
  });

  test("find a generated part that is not current", async () => {
    const text = "a\n<!-- generated: limits -->\nold\n<!-- end -->\n";
    expect(await regenerate(text)).toContain("| `wallMs` | ms |");
  });
});
