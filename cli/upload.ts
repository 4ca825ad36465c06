// Project → bundle → the node. Shared by publish and dev.

import { createHash } from "node:crypto";
import { relative } from "node:path";
import { bundle } from "../compiler/bundle.ts";
import type { Json, JsonObject } from "../sdk/errors.ts";
import type { Bundle, PublishStage } from "../sdk/publish.ts";
import type { Client } from "./client.ts";
import { field, isList, textOf } from "./json.ts";
import { columnsText } from "./output.ts";
import type { Output } from "./output.ts";
import { listBindings, placeComplaint } from "./project/bindings.ts";
import type { Project } from "./project/project.ts";

export interface Bundled {
  readonly bundle: Bundle;
  readonly bundleMs: number;
}

const STAGES: Readonly<Record<PublishStage, string>> = {
  check: "Checking the bundle",
  snapshot: "Making its snapshot",
  load: "Loading it in every worker",
  live: "Switching over",
};

/** Warnings of the bundler are printed; its errors are thrown. */
export async function bundleProject(project: Project, output: Output): Promise<Bundled> {
  output.step(`Bundling ${relative(project.cwd, project.entry)}`);
  const start = performance.now();
  const made = await bundle({
    entry: project.entry,
    cwd: project.cwd,
    compatibilityFlags: project.compatibilityFlags,
  });
  const bundleMs = Math.round(performance.now() - start);
  for (const { file, line, column, text } of made.warnings) {
    output.warn(file === "" ? text : `${file}:${line}:${column}: ${text}`);
  }
  return { bundle: made, bundleMs };
}

export interface UploadOptions {
  readonly message?: string | undefined;
  readonly dryRun?: boolean;
}

/** Resolves to the answer of the publish call, once every worker serves the version. */
export async function upload(
  client: Client,
  output: Output,
  { project, bundled, options }: { project: Project; bundled: Bundled; options: UploadOptions },
): Promise<Json> {
  const { format, code, map } = bundled.bundle;
  const bindings = listBindings(project.services).map(({ request }) => ({ ...request }));
  const consumers = (project.services.consumers ?? []).map(({ request }) => ({ ...request }));
  const body: JsonObject = {
    name: project.name,
    routes: project.routes.map(({ host, path, methods }) => ({ host, path, methods })),
    vars: project.vars,
    limits: { ...project.limits },
    ...(project.trust === undefined ? {} : { trust: project.trust }),
    ...(project.isolation === undefined ? {} : { isolation: project.isolation }),
    ...(project.egress.length === 0 ? {} : { egress: project.egress }),
    ...(project.drainTimeoutMs === undefined ? {} : { drainTimeoutMs: project.drainTimeoutMs }),
    ...(bindings.length === 0 ? {} : { bindings }),
    ...(consumers.length === 0 ? {} : { consumers }),
    ...(project.crons.length === 0 ? {} : { crons: project.crons }),
    ...(project.services.faults === undefined ? {} : { faults: project.services.faults.request }),
    ...(options.message === undefined ? {} : { message: options.message }),
    format,
    code,
    codeSha256: createHash("sha256").update(code).digest("hex"),
    map,
    bundleMs: bundled.bundleMs,
    ...(options.dryRun === true ? { dryRun: true } : {}),
  };
  output.step(`Uploading to ${client.url}`);
  const onStage = (stage: string): void => {
    if (Object.hasOwn(STAGES, stage)) output.step(STAGES[stage as PublishStage]);
  };
  try {
    return await client.follow("/api/publish", body, onStage);
  } catch (error) {
    throw placeComplaint(error, project.services);
  } finally {
    output.stepDone();
  }
}

/** "Published hello 3f2a… (generation 4) in 180 ms", and where it answers. */
export function publishedText(data: Json, dryRun: boolean): string {
  const text = (name: string): string => textOf(field(data, name));
  const timings = field(data, "timingsMs");
  const spent = ["bundle", "check", "snapshot", "live"]
    .map((name) => `${name} ${wholeMs(field(timings, name))}`)
    .join(", ");
  const total = wholeMs(field(timings, "total"));
  const urls = field(data, "urls");
  const kilobytes = Math.ceil(Number(field(data, "bundleBytes") ?? 0) / 1_024);
  const head = dryRun
    ? `${text("endpoint")} is fit to be published; nothing was stored`
    : `Published ${text("endpoint")} ${text("version")} (generation ${text("generation")})`;
  const lines = [`${head} in ${total}: ${spent}; ${kilobytes} KiB`];
  if (isList(urls)) lines.push(...urls.map((url: Json) => `  ${textOf(url)}`));
  const bindings = field(data, "bindings");
  const rows = isList(bindings) ? bindings.map(bindingRow) : [];
  if (rows.length > 0) lines.push(columnsText(rows));
  return lines.join("\n");
}

/** "env.PAGES", "kv", "embedded", "hello/pages" */
function bindingRow(binding: Json): readonly string[] {
  const text = (name: string): string => textOf(field(binding, name));
  const kind = text("kind");
  const head = [`  env.${text("name")}`, kind];
  if (kind === "endpoint") return [...head, text("endpoint")];
  if (kind === "ratelimit") return [...head, `${text("limit")} in ${text("periodSeconds")} s`];
  return [...head, text("service"), text("scope")];
}

function wholeMs(value: Json | undefined): string {
  return typeof value === "number" ? `${Math.round(value)} ms` : "? ms";
}
