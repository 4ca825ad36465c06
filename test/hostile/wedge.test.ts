import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const CHILD: string = fileURLToPath(new URL("wedge-child.ts", import.meta.url));

test("a builtin that nothing stops costs its isolate, loaded or not; the host and its other isolates go on", async () => {
  const child = spawn(process.execPath, ["--no-node-snapshot", CHILD], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    let output = "";
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.endsWith("\n")) break;
    }
    const { outcomes, death, near, fresh, load } = JSON.parse(output) as Record<string, unknown>;
    expect({ death, near, fresh }).toEqual({ death: "wedged", near: "ok", fresh: "ok" });
    expect(load).toEqual(["wedged", "ISOLATE_FAILED", null]);
    expect(outcomes).toEqual(["CPU_LIMIT", expect.stringMatching(/^(CPU_LIMIT|ISOLATE_FAILED)$/)]);
  } finally {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
});
