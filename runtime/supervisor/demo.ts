// A node without endpoints answers /hello, so that the first thing a newcomer tries works.

import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import type { Control } from "../../control/control.ts";
import type { Bundle } from "../../sdk/publish.ts";
import { DEMO_ENTRY } from "../link/places.ts";

export const DEMO_NAME = "hello";

export async function publishDemo(
  control: Control,
  bundleSource: (input: { code: string; filename: string }) => Promise<Bundle>,
): Promise<void> {
  const source = readFileSync(DEMO_ENTRY, "utf8");
  const { code, format, map } = await bundleSource({ code: source, filename: "hello.ts" });
  await control.publish({
    name: DEMO_NAME,
    routes: [],
    vars: {},
    limits: {},
    message: "The demo that comes with a new node.",
    format,
    code,
    codeSha256: createHash("sha256").update(code).digest("hex"),
    map,
  });
}
