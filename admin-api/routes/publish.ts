// POST /api/publish: one upload, one publish. With `Accept: application/x-ndjson` a line per stage, so that
// whoever waits sees what for; the envelope is the last line, and a failure after the first line can only be
// told there: the status was sent.

import type { Hono } from "hono";
import { parsePublish } from "../../control/parse.ts";
import { EdgeError } from "../../sdk/errors.ts";
import type { PublishRequest } from "../../sdk/publish.ts";
import { PUBLISH_BYTES_MAX, readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { failureOf, succeed, successOf, type AdminEnv } from "../envelope.ts";

/** Each holds a whole upload in memory from its first byte to its answer. */
export const UPLOADS_MAX = 16;
const PROGRESS_TYPE = "application/x-ndjson";

export function addPublishRoute(app: Hono<AdminEnv>, deps: AdminDeps): void {
  let uploads = 0;
  const whileCounted = async <T>(work: () => Promise<T>): Promise<T> => {
    if (uploads >= UPLOADS_MAX) throw new EdgeError("OVERLOADED");
    uploads += 1;
    try {
      return await work();
    } finally {
      uploads -= 1;
    }
  };
  app.post("/api/publish", async (context) => {
    const requestId = context.get("requestId");
    const isProgress = context.req.header("accept")?.includes(PROGRESS_TYPE) === true;
    if (!isProgress) {
      return whileCounted(async () => {
        const request = parsePublish(await readJson(context.req.raw, PUBLISH_BYTES_MAX));
        return succeed(context, await deps.control.publish(request));
      });
    }
    const begun = Promise.withResolvers<PublishRequest>();
    const lines = new TransformStream<string, string>(undefined, undefined, {
      highWaterMark: Infinity,
    });
    const writer = lines.writable.getWriter();
    // A reader that went away only misses the news; the publish goes on.
    const write = (line: object): void =>
      void writer.write(`${JSON.stringify(line)}\n`).catch(() => undefined);
    const finish = (): void => void writer.close().catch(() => undefined);
    void whileCounted(async () => {
      const request = parsePublish(await readJson(context.req.raw, PUBLISH_BYTES_MAX));
      begun.resolve(request);
      try {
        const data = await deps.control.publish(request, {
          onStage: (stage) => write({ stage }),
        });
        write(successOf(data, requestId));
      } catch (error) {
        reportIfOurs(deps, error, requestId);
        write(failureOf(error, requestId));
      }
      finish();
    }).catch((error: unknown) => begun.reject(error));
    // What is wrong with the upload itself is answered with its own status.
    await begun.promise;
    context.header("content-type", PROGRESS_TYPE);
    return context.body(lines.readable.pipeThrough(new TextEncoderStream()));
  });
}

export function reportIfOurs(deps: AdminDeps, error: unknown, requestId: string): void {
  if (!(error instanceof EdgeError) || error.code === "INTERNAL") deps.report(error, requestId);
}
